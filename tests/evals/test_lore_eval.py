"""``npc eval lore``: its figures are those of the definitions, its mistakes are told, and our own cases hold."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path

import pytest
from pydantic import JsonValue
from rich.console import Console
from typer.testing import CliRunner

from npc_sdk.cli.app import app
from npc_sdk.errors import SettingsError
from npc_sdk.evals.lore.case import VILLAGE, Case, read_cases
from npc_sdk.evals.lore.report import tables
from npc_sdk.evals.lore.run import MODES, WITHOUT_MODEL, Found, ask_all
from npc_sdk.lore.book import LoreBook
from npc_sdk.lore.content import WorldContent, load_world
from npc_sdk.lore.entry import LoreEntry, Scope
from npc_sdk.persona.problem import ContentProblems

PERSONAS = Path(__file__).parents[2] / "personas"


@pytest.fixture(scope="module")
def content() -> WorldContent:
    return load_world(PERSONAS)


def _found(expects: tuple[str, ...], *entry_ids: str) -> Found:
    return Found(Case(ask="x", npc="mara", expects=expects), entry_ids, 0.001)


@pytest.mark.parametrize(
    ("found", "recalls", "reciprocal_rank"),
    [
        pytest.param(_found(("a",), "a", "b"), (1, 1, 1), 1, id="first"),
        pytest.param(_found(("b",), "a", "b"), (0, 1, 1), 1 / 2, id="second"),
        pytest.param(_found(("d",), "a", "b", "c", "d"), (0, 0, 1), 1 / 4, id="fourth"),
        pytest.param(_found(("x",), "a", "b"), (0, 0, 0), 0, id="not found"),
        pytest.param(_found(("x",)), (0, 0, 0), 0, id="nothing found"),
        pytest.param(_found(("a", "c"), "a", "b", "c"), (1, 1, 1), 1, id="both, as far as there is room"),
        pytest.param(_found(("a", "d"), "a", "b", "c", "d"), (1, 1 / 2, 1), 1, id="one of two"),
    ],
)
def test_figures(found: Found, recalls: tuple[float, ...], reciprocal_rank: float) -> None:
    assert tuple(found.recall(k) for k in (1, 3, 5)) == recalls
    assert found.reciprocal_rank == reciprocal_rank


class TestOurCases:
    """The cases of the sample village."""

    def test_there_are_enough_of_every_kind(self, content: WorldContent) -> None:
        cases = read_cases(VILLAGE, content)
        kinds = Counter(case.kind for case in cases)
        assert len(cases) >= 70
        assert kinds["paraphrase"] >= 20
        assert min(kinds[kind] for kind in ("role", "follow-up", "misspelling", "chatter")) >= 8
        assert {case.npc for case in cases} == set(content.personas)

    def test_no_case_is_there_twice(self, content: WorldContent) -> None:
        cases = read_cases(VILLAGE, content)
        assert len({(case.npc, case.ask) for case in cases}) == len(cases)

    def test_a_paraphrase_holds_no_key(self, content: WorldContent) -> None:
        cases = [case for case in read_cases(VILLAGE, content) if case.kind == "paraphrase"]
        found = ask_all(content, LoreBook(content.lore), cases, ["keyed"], 5, lambda *_: None)["keyed"]
        assert [one.case.ask for one in found if one.reciprocal_rank] == []

    def test_fused_without_a_model_is_better_than_its_parts(self, content: WorldContent) -> None:
        cases = [case for case in read_cases(VILLAGE, content) if case.expects]
        found = ask_all(content, LoreBook(content.lore), cases, WITHOUT_MODEL, 5, lambda *_: None)
        mean = {mode: sum(one.reciprocal_rank for one in results) / len(cases) for mode, results in found.items()}
        assert mean["fused"] > max(mean["keyed"], mean["lexical"])
        assert mean["fused"] > 0.6


CASES = """
cases:
  - {ask: "What of the old mill?", npc: mara, expects: [places.the-old-mill]}
  - {ask: "Hello!", npc: pip, expects: [], kind: chatter}
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "cases.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            CASES.replace("the-old-mill]", "the-old-mil]"), "(did you mean 'places.the-old-mill'?)", id="entry"
        ),
        pytest.param(CASES.replace("npc: pip", "npc: pipp"), "there is no NPC 'pipp' (did you mean 'pip'?)", id="NPC"),
        pytest.param(CASES.replace("expects: []", "expect: []"), "unknown key 'expect'", id="key"),
        pytest.param(CASES.replace("ask: ", "aks: "), "unknown key 'aks'", id="no question"),
        pytest.param("cases: []", "should not be empty", id="no case"),
        pytest.param("- a", "should be a map", id="no map"),
    ],
)
def test_mistakes_in_cases_are_told_with_their_place(
    tmp_path: Path, content: WorldContent, text: str, told: str
) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(ContentProblems) as caught:
        read_cases(path, content)
    said = [str(problem) for problem in caught.value.problems]
    assert any(told in line for line in said), said
    assert all(str(path) in line for line in said)


@pytest.mark.parametrize(
    ("npc_id", "wanted", "state", "is_told"),
    [
        pytest.param("tobin", "timeline.feast-begins", "", True, id="not yet"),
        pytest.param("tobin", "timeline.feast-begins", "date: 3 Leaffall 200", False, id="by then"),
        pytest.param("mara", "tobin.own.the-secret-of-the-stew", "", True, id="another's"),
        pytest.param("tobin", "tobin.own.the-secret-of-the-stew", "", False, id="its own"),
    ],
)
def test_a_wanted_entry_that_nobody_asked_can_know_is_a_mistake_of_the_case(
    tmp_path: Path, content: WorldContent, npc_id: str, wanted: str, state: str, is_told: bool
) -> None:
    case = f"cases:\n  - {{ask: What?, npc: {npc_id}, expects: [places.the-gate, {wanted}], state: {{{state}}}}}\n"
    path = _write(tmp_path, case)
    if not is_told:
        assert len(read_cases(path, content)) == 1
        return
    with pytest.raises(ContentProblems) as caught:
        read_cases(path, content)
    (problem,) = caught.value.problems
    assert f"{npc_id} cannot know '{wanted}' then: " in problem.message
    assert (problem.line, problem.field) == (2, "cases[0].expects[1]")


def test_the_place_of_an_unknown_entry_is_its_own(tmp_path: Path, content: WorldContent) -> None:
    path = _write(tmp_path, CASES.replace("the-old-mill]", "x]"))
    with pytest.raises(ContentProblems) as caught:
        read_cases(path, content)
    (problem,) = caught.value.problems
    assert (problem.line, problem.field) == (3, "cases[0].expects[0]")


@pytest.mark.parametrize(
    ("state", "found"),
    [
        pytest.param({"quest": "done"}, ("hoard",), id="open"),
        pytest.param({}, (), id="closed"),
    ],
)
def test_what_depends_on_the_state_is_found_in_that_state(
    content: WorldContent, state: dict[str, JsonValue], found: tuple[str, ...]
) -> None:
    hoard = LoreEntry("hoard", "The dragon's hoard lies under the hill.", scope=Scope(when="quest == 'done'"))
    world = dataclasses.replace(content, lore=(hoard,))
    case = Case(ask="Where is the hoard?", npc="mara", expects=("hoard",), state=state)
    (one,) = ask_all(world, LoreBook(world.lore), [case], ["fused"], 5, lambda *_: None)["fused"]
    assert one.entry_ids == found


def test_another_name_of_a_thing_is_searched_as_its_own(content: WorldContent) -> None:
    case = Case(ask="What of the lady of the land?", npc="mara", expects=("people.lady-ysolde",))
    (one,) = ask_all(content, LoreBook(content.lore), [case], ["keyed"], 5, lambda *_: None)["keyed"]
    assert one.entry_ids[0] == "people.lady-ysolde"


def _table_text(found: dict[str, list[Found]]) -> str:
    console = Console(width=160, record=True, file=None, quiet=False)
    with console.capture() as capture:
        for part in tables(found, (1, 3), "title"):
            console.print(part)
    return capture.get()


def test_the_report_names_what_was_missed() -> None:
    quiet = Found(Case(ask="Hi", npc="pip", expects=(), kind="chatter"), ("a",), 0.002)
    text = _table_text({mode: [_found(("x",), "a"), _found(("a",), "a"), quiet] for mode in MODES})
    assert "missed: mara: 'x' wants x, got a" in text
    assert "not left alone: pip: 'Hi' got a" in text
    assert "of as many as can stand there" in " ".join(text.split())
    assert re.search(r"fused\W+3\W+50\.0\W+50\.0\W+0\.500\W+0\.0", text)


class TestCommand:
    """The command line."""

    def test_our_cases_are_the_default(self) -> None:
        result = CliRunner().invoke(app, ["eval", "lore", "--k", "1,3"])
        assert result.exit_code == 0, result.output
        for mode in WITHOUT_MODEL:
            assert re.search(rf"{mode}\W+90", result.output)
        assert "semantic" not in result.output.replace("misspelling", "")
        assert "recall@3 by kind of question" in result.output

    def test_other_cases_of_another_folder(self, tmp_path: Path) -> None:
        cases = _write(tmp_path, CASES)
        result = CliRunner().invoke(app, ["eval", "lore", str(cases), "--personas", str(PERSONAS)])
        assert result.exit_code == 0, result.output
        assert re.search(r"fused\W+2\W+100\.0\W+100\.0\W+100\.0\W+1\.000\W+100\.0", result.output)

    @pytest.mark.parametrize("k", ["", "0", "a", "1;3", "1000"])
    def test_a_wrong_k_is_told(self, k: str) -> None:
        result = CliRunner().invoke(app, ["eval", "lore", "--k", k])
        assert isinstance(result.exception, SettingsError)
        assert repr(k) in str(result.exception)
