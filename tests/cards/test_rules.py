"""What cards say in their own ways: decorators, filters by characters, greetings, odd names. All of it can be read."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from npc_sdk.cards import json_reader
from npc_sdk.cards.imported import ImportedBook, ImportedCard, import_file
from npc_sdk.errors import ContentError
from npc_sdk.lore.content import inspect_world
from tests.cards import sample

NAMES = (
    "activate", "dont_activate", "scan_depth", "additional_keys", "exclude_keys", "keep_activate_after_match",
    "dont_activate_after_match", "activate_only_after", "ignore_on_max_context", "depth", "role", "unknown", "",
)  # fmt: skip
VALUES = (
    "", "!!!", "/a(b/", "/(?=x)/", "/a{1,2}/", "...", ",,", "-1", "4", "999999", "a, b", "x" * 300, "k," * 90, "/ok/i",
    "/ok/z", "{{user}}", "{{char}}, é", "\x00", "'", "no: [", "/" * 9, "\u200b", "\ud800", "{{//x}}",
)  # fmt: skip


def _card(folder: Path, **fields: Any) -> ImportedCard:
    found = import_file(sample.file_of(folder, "ann.json", {"name": "Ann", "description": "", **fields}))
    assert isinstance(found, ImportedCard)
    return found


def _entry(random: Random, number: int) -> dict[str, Any]:
    lines = [
        f"{random.choice(('@@', '@@', '@@@'))}{random.choice(NAMES)} {random.choice(VALUES)}"
        for _ in range(random.randint(1, 6))
    ]
    entry: dict[str, Any] = {"keys": [f"k{number}"], "content": "\n".join((*lines, f"Passage {number}."))}
    if random.random() < 0.4:
        lists = ("keys", "secondary_keys", "excluded_keys")
        own = {name: random.choice((["!!!"], ["/a(b/"], "x", [], ["ok"], [3])) for name in lists}
        entry["extensions"] = {"npc_sdk": {**own, "npcs": random.choice((["Bad Id!"], [], 3))}}
    return entry


@pytest.mark.parametrize("is_ours", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_whatever_decorators_say_is_written_so_that_it_is_read(tmp_path: Path, seed: int, is_ours: bool) -> None:
    random = Random(seed)
    value = {"name": "Ann", "character_book": {"entries": [_entry(random, number) for number in range(60)]}}
    root = sample.content_folder(tmp_path)
    path = sample.file_of(tmp_path, "a.json", {**value, "description": "x"})
    import_file(path, is_ours=is_ours).write(root)
    inspected = inspect_world(root)
    assert [str(problem) for problem in inspected.problems] == []
    assert inspected.entry_count == 60


@pytest.mark.parametrize(
    ("line", "lost"),
    [("@@exclude_keys /a(b/, market", "excluded_keys"), ("@@additional_keys !!!, market", "secondary_keys")],
)
def test_a_decorators_key_that_cannot_be_used_is_told(tmp_path: Path, line: str, lost: str) -> None:
    book = {"entries": [{"keys": ["fish"], "content": f"{line}\nFish is sold here."}]}
    found = _card(tmp_path, character_book=book)
    assert found.lore.items[0][lost] == ["market"]
    assert {"left"} in [found.report.fates(what) for what in ("/a(b/", "!!!")]


def test_an_entry_that_lost_a_bound_is_switched_off(tmp_path: Path) -> None:
    own = {"npc_sdk": {"when": "not a ( condition"}}
    entries = [{"keys": ["a"], "content": "A.", "extensions": own}]
    path = sample.file_of(tmp_path, "a.json", {"entries": entries})
    found = import_file(path, is_ours=True)
    assert isinstance(found, ImportedBook)
    assert found.lore.items[0]["enabled"] is False
    assert "when" not in found.lore.items[0]


CAST = {"mara": "Mara", "old_brann": "Old Brann", "yuki": "白雪"}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param({"names": ["Mara"]}, {"npcs": ["mara"]}, id="name"),
        pytest.param({"names": ["old brann", "mara"]}, {"npcs": ["mara", "old_brann"]}, id="other spelling"),
        pytest.param({"names": ["old_brann"]}, {"npcs": ["old_brann"]}, id="id"),
        pytest.param({"names": ["白雪"]}, {"npcs": ["yuki"]}, id="other script"),
        pytest.param({"names": ["Mara", "Nobody"]}, {"npcs": ["mara"]}, id="one unknown"),
        pytest.param({"names": ["Nobody"]}, {"enabled": False}, id="all unknown"),
        pytest.param({"names": ["Mara"], "isExclude": True}, {"npcs": ["old_brann", "yuki"]}, id="all others"),
        pytest.param({"names": ["Mara", "Nobody"], "isExclude": True}, {"enabled": False}, id="but an unknown"),
        pytest.param({"names": list(CAST), "isExclude": True}, {"enabled": False}, id="but everybody"),
        pytest.param({"names": ["Mara"], "tags": ["elf"]}, {"enabled": False}, id="tags"),
        pytest.param({"names": [], "tags": [], "isExclude": False}, {}, id="nobody is named"),
    ],
)
def test_a_filter_by_characters_is_held_against_the_cast(
    tmp_path: Path, given: dict[str, Any], wanted: dict[str, Any]
) -> None:
    entry = {**sample.WORLD_INFO["entries"]["0"], "characterFilter": given}
    found = import_file(sample.file_of(tmp_path, "a.json", {"entries": {"0": entry}}), cast=CAST)
    assert isinstance(found, ImportedBook)
    (item,) = found.lore.items
    assert {key: item[key] for key in ("npcs", "enabled") if key in item} == wanted
    assert bool(wanted) == bool(found.report.fates("character_filter"))


@pytest.mark.parametrize(
    ("given", "is_on"),
    [({"names": ["Ann"]}, True), ({"names": ["Bert"]}, False), ({"names": ["Ann"], "isExclude": True}, False)],
)
def test_a_filter_in_a_characters_own_book_never_names_anybody(
    tmp_path: Path, given: dict[str, Any], is_on: bool
) -> None:
    entry = {**sample.V2_ENTRY, "extensions": {"character_filter": given}}
    (item,) = _card(tmp_path, character_book={"entries": [entry]}).lore.items
    assert (item.get("enabled", True), "npcs" in item) == (is_on, False)


def test_one_greeting_is_taken_and_the_others_are_told(tmp_path: Path) -> None:
    found = _card(tmp_path, first_mes="Hello.", alternate_greetings=["Hi, {{user}}.", "Ho."])
    assert found.persona["greeting"] == "Hello."
    (told,) = [remark for remark in found.report.remarks if remark.what == "2 other greetings"]
    assert (told.fate, "kept in card.json" in told.why) == ("approximated", True)
    assert _card(tmp_path, alternate_greetings=["", "Hi."]).persona["greeting"] == "Hi."


def test_a_field_that_was_read_under_another_name_is_not_told_as_left(tmp_path: Path) -> None:
    found = import_file(sample.file_of(tmp_path, "aldous.yaml", sample.WEBUI))
    assert found.report.fates("context") == found.report.fates("greeting") | {"mapped"} == {"mapped"}
    other = import_file(sample.file_of(tmp_path, "b.json", {"name": "B", "description": "A.", "context": "C."}))
    assert other.report.fates("context") == {"left"}


def test_commas_in_texts_are_no_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_reader, "MAX_VALUES", 100)
    prose = 'Wood, "iron", [salt], {oil} \\ ' * 40
    text = json.dumps({"entries": [{"keys": ["a"], "content": prose}] * 8})
    assert isinstance(import_file(sample.file_of(tmp_path, "a.json", text)), ImportedBook)
    with pytest.raises(ContentError, match="too many values"):
        import_file(sample.file_of(tmp_path, "b.json", json.dumps({"entries": [{"keys": ["a"] * 99, "content": "x"}]})))


def test_a_lorebook_of_megabytes_comes_in_whole(tmp_path: Path) -> None:
    entries = [{"keys": [f"k{n}"], "content": "Wood, iron, salt, oil. " * 55 + str(n)} for n in range(4_000)]
    path = sample.file_of(tmp_path, "big.json", {"entries": entries})
    assert path.stat().st_size > 5_000_000
    found = import_file(path)
    assert isinstance(found, ImportedBook)
    assert len(found.lore.items) == 4_000
    assert all(item["keys"] for item in found.lore.items)
