"""Lines of Markdown lore that look like attributes and are not read as such: never told as text, never unbound."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.errors import ContentError
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.lore.read import read_lore


def _read(folder: Path, text: str) -> tuple[list[LoreEntry], list[ContentError]]:
    (folder / "a.md").write_text(text, encoding="utf-8")
    return read_lore(folder)


@pytest.mark.parametrize(
    ("line", "column"),
    [
        pytest.param("Npcs: tobin", 1, id="capital"),
        pytest.param("npcs : tobin", 1, id="blank before the colon"),
        pytest.param("  npcs: tobin", 3, id="indented"),
        pytest.param("\tnpcs: tobin", 2, id="tab"),
        pytest.param("- npcs: tobin", 3, id="list"),
        pytest.param("1. npcs: tobin", 4, id="numbered"),
        pytest.param("**npcs**: tobin", 3, id="bold"),
        pytest.param("**npcs:** tobin", 3, id="bold colon"),
        pytest.param("`npcs`: tobin", 2, id="code"),
        pytest.param("> npcs: tobin", 3, id="quote"),
        pytest.param("### npcs: tobin", 5, id="heading"),
        pytest.param("npcs： tobin", 1, id="wide colon"),
        pytest.param("npcs = tobin", 1, id="equals"),
        pytest.param("Npc: tobin", 1, id="singular"),
    ],
)
@pytest.mark.parametrize("before", ["", "The gold lies here.\n", "Gold.\n\n### Sub\n"])
def test_what_looks_like_an_attribute_and_is_none_is_a_mistake(
    tmp_path: Path, before: str, line: str, column: int
) -> None:
    _, (problem,) = _read(tmp_path, f"## A\n{before}{line}\nIt is deep.\n")
    assert (problem.line, problem.column, problem.field) == (2 + before.count("\n"), column, "A")
    assert problem.message == "this 'npcs' is not read as an attribute"
    assert problem.hint == "attributes stand right under the heading, in small letters: 'npcs: …'"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        pytest.param("## A\nText.\nnpcs: tobin\n", 3, "this 'npcs' is not read", id="below the text"),
        pytest.param("## A\nText.\nSecondary keys: x\n", 3, "this 'secondary_keys' is not read", id="two words"),
        pytest.param("## npcs: tobin\nText.\n", 1, "this 'npcs' is not read", id="as an entry's heading"),
        pytest.param("# npcs: tobin\n\n## A\nText.\n", 1, "this 'npcs' is not read", id="as the title"),
        pytest.param("## A\nText.\n ## B\nMore.\n", 3, "this heading begins no entry", id="indented heading"),
        pytest.param("## A\nText.\n##B\nMore.\n", 3, "this heading begins no entry", id="heading without a blank"),
        pytest.param("## A\nkeys: a; b\nText.\n", 2, "'a; b' holds a ';'", id="semicolons"),
        pytest.param('## A\nkeys: "a, b", c\nText.\n', 2, "'\"a' holds a '\"'", id="a comma in quotes"),
        pytest.param("## A\nkeys: [a, b\nText.\n", 2, "'[a' holds a '['", id="open bracket"),
    ],
)
def test_it_is_told_at_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    problem = _read(tmp_path, text)[1][0]
    assert (problem.line, problem.message) == (line, problem.message)
    assert told in problem.message


@pytest.mark.parametrize(
    "line",
    [
        "The keys: of iron.",
        "Mara said: no.",
        "### Sub",
        "He asks: who knows it?",
        "<!-- keys: old -->",
        "Note: it is old.",
    ],
)
def test_prose_is_text(tmp_path: Path, line: str) -> None:
    (entry,), problems = _read(tmp_path, f"## A\nkeys: a\n{line}\nMore.\n")
    assert (entry.text, problems) == (f"{line} More.", [])


@pytest.mark.parametrize("head", ["", "# keys: [a]\n", "\n  \n"])
def test_front_matter_may_hold_nothing(tmp_path: Path, head: str) -> None:
    (entry,), problems = _read(tmp_path, f"---\n{head}---\n## A\nText.\n")
    assert (entry.text, problems) == ("Text.", [])


def test_headings_of_any_script_have_ids_of_their_own(tmp_path: Path) -> None:
    entries, problems = _read(tmp_path, "## 塔\nA.\n\n## 城\nB.\n\n## Мост\nC.\n\n## !!!\nD.\n\n## …\nE.\n")
    assert problems == []
    assert [entry.entry_id for entry in entries] == ["a.塔", "a.城", "a.мост", "a.entry", "a.entry-2"]


@pytest.mark.parametrize(("entry_id", "is_right"), [("塔-2", True), ("мост.x", True), ("Мост", False), ("塔、", False)])
def test_an_id_has_small_letters_of_any_script(tmp_path: Path, entry_id: str, is_right: bool) -> None:
    _, problems = _read(tmp_path, f"## A\nid: {entry_id}\nText.\n")
    assert (problems == []) is is_right
