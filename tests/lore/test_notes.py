"""Notes on a content folder: entries that nothing brings in, attributes without effect, files that nothing reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.lore.content import inspect_world


@pytest.fixture
def root(tmp_path: Path) -> Path:
    _write(tmp_path / "world/world.yaml", "name: Testland\n")
    _write(tmp_path / "ada/persona.yaml", "name: Ada\nrole: the miller\nvoice: {style: calm}\n")
    return tmp_path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _notes(root: Path) -> list[str]:
    found = inspect_world(root)
    assert [str(problem) for problem in found.problems] == []
    return [str(note).replace(f"{root}/", "") for note in found.notes]


@pytest.mark.parametrize(
    ("attributes", "place", "told"),
    [
        pytest.param("search: false", "2:1", "nothing can bring this in: it has no keys, and no search", id="search"),
        pytest.param("group: sky", "1", "nothing can bring this in: it has no keys", id="unsearched by a rule"),
        pytest.param("secondary_keys: a", "2:1", "'secondary_keys' have no effect without 'keys'", id="secondary"),
        pytest.param("keys: a\nprobability: 0", "3:1", "its probability is 0", id="never"),
        pytest.param("constant: true\nprobability: 0", "3:1", "its probability is 0", id="constant, but never"),
        pytest.param("keys: a, b\nexcluded_keys: B, A, c", "3:1", "each of its keys is among", id="excluded"),
        pytest.param("keys: a\ndelay_until_recursion: true", "3:1", "its book is not recursive", id="recursion"),
        pytest.param("keys: a\nlogic: not_all", "3:1", "'logic' has no effect without 'secondary_keys'", id="logic"),
        pytest.param("keys: a\ngroup_weight: 5", "3:1", "'group_weight' has no effect without 'group'", id="weight"),
        pytest.param("keys: a\ngroup_first: true", "3:1", "'group_first' has no effect without 'group'", id="first"),
    ],
)
def test_what_cannot_come_in_or_does_nothing_is_noted(root: Path, attributes: str, place: str, told: str) -> None:
    _write(root / "world/lore/a.md", f"## A\n{attributes}\nText.\n")
    (note,) = _notes(root)
    assert note.startswith(f"world/lore/a.md:{place}: a.a: ")
    assert told in note


@pytest.mark.parametrize(
    "attributes",
    [
        "keys: a",
        "constant: true\nsearch: false",
        "always: activate\nsearch: false",
        "keys: a\nsecondary_keys: b\nlogic: and_all",
        "group: sky\ngroup_weight: 5\nsearch: true",
        "enabled: false\nsearch: false",
        "always: dont_activate",
        "keys: a, b\nexcluded_keys: a",
        "probability: 0\nsearch: true",
    ],
)
def test_what_can_come_in_is_not_noted(root: Path, attributes: str) -> None:
    _write(root / "world/lore/a.md", f"## A\n{attributes}\nText.\n")
    assert _notes(root) == []


def test_in_a_recursive_book_an_entry_may_wait(root: Path) -> None:
    text = "---\nbook: {recursive: true}\n---\n## A\nkeys: a\ndelay_until_recursion: true\n"
    _write(root / "world/lore/a.md", f"{text}Text.\n")
    assert _notes(root) == []
    _write(root / "world/lore/a.md", f"{text}exclude_recursion: true\nText.\n")
    assert "'exclude_recursion' keeps it out then" in _notes(root)[0]


def test_a_book_without_room_is_noted_once(root: Path) -> None:
    _write(root / "world/lore/a.md", "---\nbook: {budget_tokens: 0}\n---\n## A\nText.\n\n## B\nMore.\n")
    (note,) = _notes(root)
    assert note.startswith("world/lore/a.md:2:8:")
    assert "the book 'a' has no room for any of its entries" in note


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("It is {{ weather }}.", "'{{' is no template here: it is told as it stands", id="variable"),
        pytest.param("{% if a %}It rains.{% endif %}", "'{%' is no template here", id="statement"),
        pytest.param("Gold. <!-- not told -->", "a comment of this form is told to the character", id="comment"),
    ],
)
def test_signs_in_a_text_are_noted(root: Path, text: str, told: str) -> None:
    _write(root / "world/lore/a.md", f"## A\n{text}\n")
    (note,) = _notes(root)
    assert told in note


def test_a_key_of_yaml_that_holds_a_whole_list_is_noted(root: Path) -> None:
    _write(root / "world/lore/a.yaml", "entries:\n  - {id: a, text: T., keys: ['a; b', '/[a;]/']}\n")
    (note,) = _notes(root)
    assert note.startswith("world/lore/a.yaml:2:23: a: the key 'a; b' holds a ';'")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ada/notes.md", "read are persona.yaml, and what is under lore/"),
        ("ada/persona.yml", "name it 'persona.yaml'"),
        ("world/world.yml", "name it 'world.yaml'"),
        ("world/kinds/k.yml", "name it 'k.yaml'"),
        ("world/kinds/sub/k.yaml", "read are world.yaml, kinds/NAME.yaml, and what is under lore/"),
        ("ada/kinds/k.yaml", "read are persona.yaml, and what is under lore/"),
    ],
)
def test_a_file_that_nothing_reads_is_noted(root: Path, name: str, hint: str) -> None:
    _write(root / name, "name: x\n")
    assert _notes(root) == [f"{name}: nothing reads this file ({hint})"]


@pytest.mark.parametrize("name", ["README.md", "ada/README.md", "ada/_old/notes.md", "ada/.x.yaml", "ada/face.png"])
def test_other_files_are_left_alone(root: Path, name: str) -> None:
    _write(root / name, "name: x\n")
    assert _notes(root) == []
