"""Content folders: everything linked, every mistake told with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.lore.content import inspect_world, load_world
from npc_sdk.persona.problem import ContentProblems

PERSONA = "name: Ada\nrole: the miller\nvoice:\n  style: proud and grand\n"
WORLD = "name: Testland\ntools:\n  - {name: wave, description: Wave.}\n"
LORE = "# Places\n\n## The mill\nkeys: mill\nThe mill turns.\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    _write(tmp_path / "world/world.yaml", WORLD)
    _write(tmp_path / "world/lore/places.md", LORE)
    _write(tmp_path / "ada/persona.yaml", PERSONA)
    return tmp_path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _told(root: Path) -> list[str]:
    return [str(problem).replace(f"{root}/", "") for problem in inspect_world(root).problems]


def test_a_good_folder_loads(root: Path) -> None:
    _write(root / "ada/lore/own.md", "## Gold\nkeys: gold\nGold lies\nunder the wheel.\n")
    content = load_world(root)
    assert content.world.name == "Testland"
    assert list(content.personas) == ["ada"]
    shared, own = content.lore
    assert (shared.entry_id, shared.text, shared.keys) == ("places.the-mill", "The mill turns.", ("mill",))
    assert (shared.scope.npc_ids, shared.line) == (frozenset(), 3)
    assert (own.entry_id, own.text, own.scope.npc_ids) == (
        "ada.own.gold",
        "Gold lies under the wheel.",
        frozenset({"ada"}),
    )


def test_front_matter_holds_for_the_whole_file(root: Path) -> None:
    _write(
        root / "world/lore/places.md",
        "---\nnpcs: [ada]\nkeys: [town]\n---\n## A b!\nkeys: x\nOne.\n\n## B\nid: two\nTwo.\n",
    )
    first, second = load_world(root).lore
    assert (first.entry_id, first.keys, first.scope.npc_ids) == ("places.a-b", ("x", "town"), frozenset({"ada"}))
    assert (second.entry_id, second.keys) == ("two", ("town",))


def test_yaml_lore_says_the_same(root: Path) -> None:
    _write(
        root / "world/lore/more.yaml",
        "entries:\n  - id: inn\n    text: The inn is warm.\n    keys: [inn]\n    npcs: [ada]\n",
    )
    entry = load_world(root).lore[0]
    assert (entry.entry_id, entry.text, entry.keys, entry.scope.npc_ids) == (
        "inn",
        "The inn is warm.",
        ("inn",),
        frozenset({"ada"}),
    )
    assert entry.line == 2


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        pytest.param(
            "world/lore/a.md",
            "## A\nkey: mill\nText.",
            "world/lore/a.md:2:1: A: unknown attribute 'key' (did you mean 'keys'?)",
            id="unknown attribute",
        ),
        pytest.param(
            "world/lore/a.md",
            "## A\nkeys: a\nkeys: b\nText.",
            "a.md:3:1: A: the attribute 'keys' is given twice",
            id="twice",
        ),
        pytest.param(
            "world/lore/a.md", "Lost text.\n\n## A\nText.", "a.md:1: text before the first heading", id="lost text"
        ),
        pytest.param("world/lore/a.md", "\n## A\n\n## B\nText.", "a.md:2: A: the entry has no text", id="empty entry"),
        pytest.param("world/lore/a.md", "", "a.md: the file has no entry", id="empty file"),
        pytest.param(
            "world/lore/a.md",
            "---\nkeys: [a]\n## A\nText.",
            "a.md:1: the front matter has no end",
            id="open front matter",
        ),
        pytest.param(
            "world/lore/a.md",
            "---\nkeys: [a]\nnpc: [ada]\n---\n## A\nText.",
            "a.md:3:1: npc: unknown key 'npc' (did you mean 'npcs'?)",
            id="unknown front matter",
        ),
        pytest.param(
            "world/lore/a.md",
            "## A\nnpcs: adda\nText.",
            "a.md:2:7: a.a: there is no NPC 'adda' (did you mean 'ada'?)",
            id="npc",
        ),
        pytest.param(
            "world/lore/a.md",
            "## A\nkeys: ...\nText.",
            "a.md:2:7: A.keys[0]: the key '...' holds no word",
            id="key of no word",
        ),
        pytest.param(
            "world/lore/a.md",
            "## A\nText.\n## A\nText.",
            "a.md:3: a.a: the id 'a.a' is given twice (first in a.md, line 1",
            id="id",
        ),
        pytest.param(
            "world/lore/a.md", "## A\nid: A B\nText.", "a.md:2:1: A.id: 'A B' is no id (small letters,", id="wrong id"
        ),
        pytest.param(
            "world/lore/a.yaml",
            "entries:\n  - id: a\n    txt: b\n",
            "a.yaml:2:5: entries[0].text: is missing",
            id="yaml lore",
        ),
        pytest.param(
            "world/lore/a.txt", "Text.", "world/lore/a.txt: a file of kind '.txt' is not lore", id="kind of file"
        ),
        pytest.param(
            "ada/lore/a.md",
            "## A\nnpcs: tobin\nText.",
            "a.md:1: A: npcs ['tobin'] in the private lore of 'ada'",
            id="private",
        ),
        pytest.param("Bob/persona.yaml", PERSONA, "Bob: the folder name 'Bob' is no NPC id", id="folder name"),
        pytest.param(
            "bob/persona.yml", PERSONA, "bob/persona.yaml: the file 'persona.yaml' does not exist", id="wrong file name"
        ),
        pytest.param(
            "ada/persona.yaml",
            PERSONA + "tools: [wawe]\n",
            "persona.yaml:5:9: tools[0]: the world has no tool 'wawe' (did you mean 'wave'?)",
            id="unknown tool",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(root: Path, name: str, text: str, told: str) -> None:
    _write(root / name, text)
    assert any(told in line for line in _told(root)), _told(root)
    with pytest.raises(ContentProblems):
        load_world(root)


def test_mistakes_of_several_files_are_told_together(root: Path) -> None:
    _write(root / "ada/persona.yaml", PERSONA + "colour: red\ntools: [fly]\n")
    _write(root / "bob/persona.yaml", "a: [")
    _write(root / "world/lore/places.md", "## X\n")
    with pytest.raises(ContentProblems) as caught:
        load_world(root)
    places = [(problem.path.relative_to(root).as_posix(), problem.line) for problem in caught.value.problems]
    assert places == [
        ("ada/persona.yaml", 5),
        ("ada/persona.yaml", 6),
        ("bob/persona.yaml", 2),
        ("world/lore/places.md", 1),
    ]
    assert "and 3 more" in str(caught.value)


@pytest.mark.parametrize(
    ("remove", "told"),
    [
        pytest.param("world/world.yaml", "world/world.yaml: the file 'world.yaml' does not exist", id="no world"),
        pytest.param("ada/persona.yaml", "ada/persona.yaml: the file 'persona.yaml' does not exist", id="no persona"),
    ],
)
def test_missing_files_are_told(root: Path, remove: str, told: str) -> None:
    (root / remove).unlink()
    assert told in _told(root)[0]


def test_a_folder_without_characters_is_a_mistake(tmp_path: Path) -> None:
    _write(tmp_path / "world/world.yaml", WORLD)
    assert "holds no character" in _told(tmp_path)[0]
    assert "there is no folder" in _told(tmp_path / "nowhere")[0]


def test_content_does_not_change_after_loading(root: Path) -> None:
    content = load_world(root)
    with pytest.raises(TypeError):
        content.personas["eve"] = content.personas["ada"]  # type: ignore[index]
