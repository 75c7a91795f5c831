"""Lore from strangers: it takes no more than a second, and shows no file from elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from npc_sdk.lore.activation import Activator
from npc_sdk.lore.entry import LoreEntry, Scope
from npc_sdk.lore.read import link_problems, read_lore
from npc_sdk.lore.scan import Scan, Viewer
from tests.effort import effort_below


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "mara" / "lore"
    path.mkdir(parents=True)
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("## A\n" + "x\n" * 400_000, "at most 2000 characters", id="lines"),
        pytest.param("## A\n" + "a: b\n" * 150_000, "more mistakes follow", id="attributes"),
        pytest.param("## A\nb\n" * 120_000, "more than 10,000 entries", id="entries"),
        pytest.param("x\n" * 400_000, "more mistakes follow", id="no heading"),
        pytest.param("## A\nkeys: " + "a," * 400_000 + "\nb", "at most 64 items", id="keys"),
        pytest.param("## A\nkeys: " + "/" * 900_000 + "\nb", "at most 200 characters", id="slashes"),
        pytest.param("## A\nkeys: " + "/\\/,/" * 150_000 + "\nb", "at most 64 items", id="escaped slashes"),
        pytest.param("## A\nsticky: " + "9" * 900_000 + "\nb", "should be a whole number", id="digits"),
        pytest.param("## A\nwhen: " + "(" * 900_000 + "\nb", "at most 300 characters", id="brackets"),
        pytest.param(
            "".join(f"## A\nid: a{n}\nwhen: x == {n}\nb\n" for n in range(9000)), "at most 500", id="conditions"
        ),
        pytest.param("".join(f"## A\nid: a{n}\nkeys: /{n}/\nb\n" for n in range(9000)), "at most 200", id="patterns"),
    ],
)
def test_a_page_is_read_in_time_whatever_it_holds(folder: Path, text: str, words: str) -> None:
    (folder / "a.md").write_text(text)
    with effort_below(3):
        problems = read_lore(folder)[1]
    assert words in str(problems[-1])
    assert len(problems) <= 101


@pytest.mark.parametrize(
    ("item", "words"),
    [
        pytest.param("when: x == {n}", "at most 500 in one file", id="conditions"),
        pytest.param("keys: ['/(.{{0,20}}){{20}}{n}/']", "at most 200 in one file", id="patterns"),
        pytest.param("logic: {n}x", "more mistakes follow", id="mistakes"),
    ],
)
def test_a_yaml_file_is_read_in_time_whatever_it_holds(folder: Path, item: str, words: str) -> None:
    items = "".join(f"  - id: a{n}\n    text: b\n    {item.format(n=n)}\n" for n in range(5000))
    (folder / "a.yaml").write_text(f"entries:\n{items}")
    with effort_below(3):
        problems = read_lore(folder)[1]
    assert words in str(problems[-1])


def test_many_costly_patterns_are_run_in_time() -> None:
    entries = [LoreEntry(f"e{n}", "t", (f"/(.{{0,20}}){{20}}x{n}/",)) for n in range(50)]
    activator = Activator(entries)
    with effort_below(3):  # some 0.5 s; 200 is the most that one file may hold
        activator.run(Scan(Viewer("mara"), ("abc " * 500,)), np.ones(50, np.bool_))


def test_of_very_many_unknown_names_the_first_are_told() -> None:
    entries = [LoreEntry(f"e{i}", "t", scope=Scope(frozenset(f"n{i}x{j}" for j in range(64)))) for i in range(3000)]
    with effort_below(3):
        problems = link_problems(entries, ["mara", "elsbeth"])
    assert len(problems) == 101


def test_a_link_out_of_the_folder_is_told_and_not_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("## Key\nThe password is swordfish.")
    (folder / "a.md").symlink_to(tmp_path / "secret.md")
    (folder / "b.md").write_text("## B\nA word.")
    entries, problems = read_lore(folder)
    assert [entry.text for entry in entries] == ["A word."]
    assert "a link leads out of the folder" in str(problems[0])


def test_a_lore_folder_that_is_a_link_to_elsewhere_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.md").write_text("## Key\nThe password is swordfish.")
    (tmp_path / "mara").mkdir()
    (tmp_path / "mara" / "lore").symlink_to(tmp_path / "elsewhere")
    entries, problems = read_lore(tmp_path / "mara" / "lore")
    assert entries == []
    assert len(problems) == 1


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    (folder / "b.md").write_text("## B\nA word.")
    (folder / "a.md").symlink_to("b.md")
    assert read_lore(folder)[1] == []
