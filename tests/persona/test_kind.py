"""Kinds: what is inherited, what comes over it, and mistakes told in the file where they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from npc_sdk.persona.kind import MAX_CHAIN
from npc_sdk.persona.load import load_persona, read_kind, read_persona
from npc_sdk.persona.publish import kind_schema, persona_schema

OWN = "extends: villager\nname: Ada\nrole: the miller\n"


def _write(root: Path, text: str, **kinds: str) -> Path:
    for name, kind in kinds.items():
        path = root / f"world/kinds/{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(kind, encoding="utf-8")
    path = root / "ada/persona.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _told(root: Path, path: Path) -> list[str]:
    return [str(problem).replace(f"{root}/", "") for problem in read_persona(path).problems]


def test_a_persona_begins_from_its_kind(tmp_path: Path) -> None:
    kind = "voice: {style: calm, examples: [Aye.]}\ngoals: [live in peace]\nknows: [The river is deep.]\n"
    own = OWN + "voice: {style: grand}\ngoals: [grind corn, live in peace]\n"
    ada = load_persona(_write(tmp_path, own, villager=kind))
    assert (ada.name, ada.voice.style, ada.voice.examples) == ("Ada", "grand", ("Aye.",))
    assert ada.goals == ("live in peace", "grind corn")
    assert ada.knows == ("The river is deep.",)


def test_kinds_extend_kinds(tmp_path: Path) -> None:
    person = "voice: {style: plain}\nknows: [a]\ngreeting: Yes?\n"
    villager = "extends: person\nknows: [b]\ngreeting: Good day.\n"
    ada = load_persona(_write(tmp_path, OWN + "knows: [c]\n", person=person, villager=villager))
    assert (ada.voice.style, ada.knows, ada.greeting) == ("plain", ("a", "b", "c"), "Good day.")


def test_maps_merge_to_any_depth(tmp_path: Path) -> None:
    kind = "voice: {style: plain}\nrelationships: {player: {start: 1, words: {4: You like {{ who }}.}}}\n"
    kind = kind.replace("You like {{ who }}.", "'You like {{ who }}.'")
    own = OWN + "relationships: {player: {start: 2, words: {8: You love her.}}, pip: {}}\n"
    ada = load_persona(_write(tmp_path, own, villager=kind))
    assert ada.relationships["player"].start == 2
    assert set(ada.relationships["player"].words) == {4, 8}
    assert list(ada.relationships) == ["player", "pip"]


def test_an_item_of_the_same_name_takes_the_place_of_the_kinds(tmp_path: Path) -> None:
    kind = "voice: {style: plain}\ntools: [give, sell, wave]\n"
    ada = load_persona(_write(tmp_path, OWN + "tools: [sing, {name: sell, per_reply: 1}]\n", villager=kind))
    assert [tool if isinstance(tool, str) else tool.name for tool in ada.tools] == ["give", "sell", "wave", "sing"]


@pytest.mark.parametrize(
    ("replaces", "goals", "examples"),
    [
        pytest.param("[]", ("a", "b"), ("x", "y"), id="none"),
        pytest.param("[goals]", ("b",), ("x", "y"), id="a list"),
        pytest.param("[voice.examples]", ("a", "b"), ("y",), id="a list further in"),
        pytest.param("[goals, voice.examples]", ("b",), ("y",), id="both"),
    ],
)
def test_replaces_keeps_lists_apart(
    tmp_path: Path, replaces: str, goals: tuple[str, ...], examples: tuple[str, ...]
) -> None:
    kind = "voice: {style: s, examples: [x]}\ngoals: [a]\n"
    own = f"{OWN}goals: [b]\nvoice: {{examples: [y]}}\nreplaces: {replaces}\n"
    ada = load_persona(_write(tmp_path, own, villager=kind))
    assert (ada.goals, ada.voice.examples) == (goals, examples)


def test_a_mistake_in_what_is_inherited_is_told_in_the_kinds_file(tmp_path: Path) -> None:
    person = "voice:\n  style: plain\ngoals:\n  - a\n  - 12\n"
    villager = "extends: person\nsituation:\n  - '{{ a | jion }}'\ncolour: red\n"
    told = _told(tmp_path, _write(tmp_path, OWN + "goals: [b]\nknows: 3\n", person=person, villager=villager))
    assert told == [
        "world/kinds/person.yaml:5:5: goals[1]: should be text, not 12 (put it in quotes)",
        "ada/persona.yaml:5:1: knows: should be a list, not 3",
        "world/kinds/villager.yaml:4:1: colour: unknown key 'colour'" + told[2].partition("'colour'")[2],
        "world/kinds/villager.yaml:3:5: situation[0]: '{{ a | jion }}': does not parse: No filter named 'jion'"
        " (did you mean 'join'?)",
    ]


@pytest.mark.parametrize(
    ("text", "kinds", "told"),
    [
        pytest.param(
            "extends: vilager",
            {"villager": "name: A"},
            "ada/persona.yaml:1:1: extends: there is no kind 'vilager' (did you mean 'villager'?)",
            id="misspelt",
        ),
        pytest.param(
            "extends: ghost",
            {},
            "extends: there is no kind 'ghost' (kinds are files in world/kinds, one a kind: ghost.yaml)",
            id="no kinds",
        ),
        pytest.param("extends: ../../ada/persona", {"a": "name: A"}, "there is no kind '../../ada/persona'", id="path"),
        pytest.param(
            "extends: a",
            {"a": "extends: b", "b": "name: B\nextends: a"},
            "world/kinds/b.yaml:2:1: extends: the kinds extend each other in a circle: a → b → a",
            id="circle",
        ),
        pytest.param("extends: a", {"a": "extends: a"}, "in a circle: a → a", id="itself"),
        pytest.param("extends: a", {"a": "- x"}, "a.yaml:1:1: a kind should be a map of keys", id="list"),
        pytest.param("extends: a", {"a": "b: [c"}, "world/kinds/a.yaml:1:4: a '[' or '{' is not closed", id="syntax"),
        pytest.param(
            "extends: a\ngoals: [x]\nreplaces: [gaols]",
            {"a": "name: A"},
            "ada/persona.yaml:3:12: replaces[0]: 'gaols' is no list of this file (did you mean 'goals'?)",
            id="replaces nothing",
        ),
        pytest.param("replaces: [goals]", {}, "replaces: nothing is extended (add 'extends:')", id="replaces alone"),
    ],
)
def test_a_wrong_kind_is_told(tmp_path: Path, text: str, kinds: dict[str, str], told: str) -> None:
    problems = _told(tmp_path, _write(tmp_path, text, **kinds))
    assert told in problems[0]


def test_what_a_lost_kind_would_bring_is_not_missed(tmp_path: Path) -> None:
    (told,) = _told(tmp_path, _write(tmp_path, "extends: ghost\nname: Ada\n", villager="voice: {style: a}"))
    assert "there is no kind 'ghost'" in told


def test_what_no_kind_brings_is_missed(tmp_path: Path) -> None:
    told = _told(tmp_path, _write(tmp_path, "extends: villager\nname: Ada\n", villager="voice: {examples: [a]}"))
    assert [line.partition(": ")[2].partition(" (")[0] for line in told] == [
        "role: is missing",
        "voice.style: is missing",
    ]


def test_a_long_chain_of_kinds_is_refused(tmp_path: Path) -> None:
    kinds = {f"k{n}": f"extends: k{n + 1}" for n in range(MAX_CHAIN + 1)} | {f"k{MAX_CHAIN + 1}": "name: A"}
    (told,) = _told(tmp_path, _write(tmp_path, "extends: k0", **kinds))
    assert f"more than {MAX_CHAIN} kinds in a row: k0 → k1" in told


def test_a_kind_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path, "extends: a", b="name: B")
    outside = tmp_path / "secret.yaml"
    outside.write_text("name: Secret", encoding="utf-8")
    (tmp_path / "world/kinds/a.yaml").symlink_to(outside)
    assert "a link leads out of the folder" in _told(tmp_path, path)[0]


def test_a_kind_may_lack_anything_but_not_hold_mistakes(tmp_path: Path) -> None:
    _write(tmp_path, OWN, villager="goals: [a]\n", wrong="sampling: {top_p: 2}\nsecrets: [{id: a}]\n")
    assert read_kind(tmp_path / "world/kinds/villager.yaml").problems == ()
    told = [str(problem) for problem in read_kind(tmp_path / "world/kinds/wrong.yaml").problems]
    assert len(told) == 2
    assert "secrets[0].text: is missing" in told[0]
    assert "sampling.top_p: should be 1 or less" in told[1]


@pytest.mark.parametrize(
    ("value", "is_persona"),
    [
        pytest.param({"name": "A", "role": "b", "voice": {"style": "c"}}, True, id="whole"),
        pytest.param({"name": "A", "role": "b"}, False, id="no voice"),
        pytest.param({"name": "A", "role": "b", "voice": {}}, False, id="no style"),
        pytest.param({"extends": "a"}, True, id="from a kind"),
        pytest.param({"extends": "a", "voice": {"examples": ["x"]}}, True, id="from a kind, with a voice"),
        pytest.param({"extends": "a", "nmae": "A"}, False, id="unknown key"),
    ],
)
def test_editors_ask_for_a_whole_persona_only_without_a_kind(value: dict[str, object], is_persona: bool) -> None:
    Draft202012Validator.check_schema(persona_schema())
    assert Draft202012Validator(json.loads(json.dumps(persona_schema()))).is_valid(value) is is_persona


def test_editors_let_a_kind_lack_anything() -> None:
    assert Draft202012Validator(kind_schema()).is_valid({"voice": {"examples": ["x"]}})
    assert not Draft202012Validator(kind_schema()).is_valid({"goal": ["x"]})
