"""Nothing is written outside the folder; what an import before left of its own goes when another takes its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from npc_sdk.cards.disk import write_files
from npc_sdk.cards.imported import ImportedBook, ImportedCard, import_file
from npc_sdk.errors import ContentError
from npc_sdk.lore.content import inspect_world
from tests.cards import sample

PLAIN: dict[str, Any] = {"name": "Ann", "description": "Ann is a baker."}
LONG = {"entries": [{"keys": [f"k{n}"], "content": f"Passage {n}. " * 40} for n in range(1500)]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return sample.content_folder(tmp_path)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def _card(folder: Path, name: str, value: Any) -> ImportedCard:
    found = import_file(sample.file_of(folder, name, value))
    assert isinstance(found, ImportedCard)
    return found


def _book(folder: Path, value: Any) -> ImportedBook:
    found = import_file(sample.file_of(folder, "lands.json", value))
    assert isinstance(found, ImportedBook)
    return found


def test_a_lorebook_is_not_written_through_a_link_that_leads_nowhere(
    tmp_path: Path, root: Path, elsewhere: Path
) -> None:
    lore = root / "world/lore"
    lore.mkdir()
    (lore / "lands.yaml").symlink_to(elsewhere / "x")
    with pytest.raises(ContentError, match="is a link") as caught:
        _book(tmp_path, sample.WORLD_INFO).write(lore)
    assert caught.value.path == lore / "lands.yaml"
    assert list(elsewhere.iterdir()) == []
    assert sorted(path.name for path in (root / "world").iterdir()) == ["lore", "world.yaml"]


@pytest.mark.parametrize("name", ["world", "world/lore"])
def test_a_lorebook_is_not_written_into_a_linked_folder(tmp_path: Path, root: Path, elsewhere: Path, name: str) -> None:
    if name == "world":
        (root / "world").rename(root / "world_before")
    (root / name).symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(ContentError, match="is a link"):
        _book(tmp_path, sample.WORLD_INFO).write(root / "world/lore", force=True)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["ann", "ann/lore", "ann/card.json", "ann/.import.json"])
def test_a_card_is_not_written_through_links(tmp_path: Path, root: Path, elsewhere: Path, name: str) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).symlink_to(elsewhere)
    value = {**PLAIN, "character_book": {"entries": [sample.V2_ENTRY]}}
    with pytest.raises(ContentError, match="is a link"):
        _card(tmp_path, "a.json", value).write(root, force=True)
    assert list(elsewhere.iterdir()) == []
    assert not (root / "ann/persona.yaml").exists()


def test_the_content_folder_itself_may_be_a_link(tmp_path: Path, root: Path) -> None:
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    _card(tmp_path, "a.json", PLAIN).write(tmp_path / "link")
    assert (root / "ann/persona.yaml").is_file()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("../out", "lies outside", id="above"),
        pytest.param("file/x", "is a file where a folder belongs", id="through a file"),
        pytest.param("folder", "is a folder where a file belongs", id="over a folder"),
        pytest.param("n" * 300, "cannot be written|File name too long", id="too long"),
    ],
)
def test_of_files_that_cannot_all_be_written_none_is(tmp_path: Path, name: str, told: str) -> None:
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "file").write_text("mine")
    with pytest.raises((ContentError, OSError), match=told):
        write_files(root, {root / "new/good": b"x", root / name: b"x"})
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder", "root"]


def test_a_card_in_place_of_another_leaves_nothing_of_it(tmp_path: Path, root: Path) -> None:
    first = _card(tmp_path, "a.png", sample.png_with(sample.text_chunk({**PLAIN, "data": {}, "character_book": LONG})))
    home = first.write(root)
    (home / "lore/mine.md").write_text("## Mine\nkeys: mine\nThis is mine.\n")
    assert {"book.yaml", "book-2.yaml"} <= {path.name for path in (home / "lore").iterdir()}
    second = _card(tmp_path, "b.json", {**PLAIN, "character_book": {"entries": [sample.V2_ENTRY]}})
    stale = second.stale(root)
    assert {path.name for path in stale} >= {"book-2.yaml", "portrait.png"}
    second.write(root, force=True)
    assert not any(path.exists() for path in stale)
    assert sorted(path.name for path in (home / "lore").iterdir()) == ["book.yaml", "mine.md"]
    inspected = inspect_world(root)
    assert inspected.problems == ()
    assert inspected.entry_count == 2


def test_a_shorter_lorebook_leaves_nothing_of_the_longer_one(tmp_path: Path, root: Path) -> None:
    lore = root / "world/lore"
    assert len(_book(tmp_path, LONG).write(lore)) > 1
    (lore / "lands-99.yaml").write_text("entries: [{id: mine, text: Mine.}]\n")
    _book(tmp_path, sample.WORLD_INFO).write(lore, force=True)
    assert sorted(path.name for path in lore.iterdir()) == ["lands-99.yaml", "lands.yaml"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param('{"card": ["../world/world.yaml"]}', "no import writes", id="another's file"),
        pytest.param('{"card": ["lore/../../world/world.yaml"]}', "no import writes", id="way round"),
        pytest.param('{"card": "persona.yaml"}', "no import writes", id="no list"),
        pytest.param("[]", "no record", id="no map"),
        pytest.param("{", "not valid JSON", id="no JSON"),
    ],
)
def test_a_record_cannot_have_other_files_removed(tmp_path: Path, root: Path, text: str, told: str) -> None:
    card = _card(tmp_path, "a.json", PLAIN)
    (card.write(root) / ".import.json").write_text(text)
    with pytest.raises(ContentError, match=told):
        card.write(root, force=True)
    assert (root / "world/world.yaml").is_file()


def test_the_record_names_what_was_written(tmp_path: Path, root: Path) -> None:
    home = _card(tmp_path, "a.json", PLAIN).write(root)
    assert json.loads((home / ".import.json").read_text()) == {"card": ["card.json", "persona.yaml"]}
