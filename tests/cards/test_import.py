"""Cards of every version in every container become folders that `npc check` finds no mistake in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from npc_sdk.cards.imported import ImportedBook, ImportedCard, import_file
from npc_sdk.errors import ContentError
from npc_sdk.lore.content import inspect_world
from npc_sdk.persona.greeting import greeting_line
from tests.cards import sample

CONTAINERS = ("json", "png", "ztxt", "itxt", "charx")


def imported(folder: Path, name: str, data: Any, **options: Any) -> ImportedCard:
    found = import_file(sample.file_of(folder, name, data), **options)
    assert isinstance(found, ImportedCard)
    return found


def card(**fields: Any) -> dict[str, Any]:
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "Ann", "description": "", **fields}}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("version", sample.CARDS)
def test_every_version_in_every_container_passes_the_check(tmp_path: Path, version: str, container: str) -> None:
    found = imported(tmp_path, "card.bin", sample.contained(sample.CARDS[version], container))
    root = sample.content_folder(tmp_path)
    found.write(root)
    inspected = inspect_world(root)
    assert inspected.problems == ()
    assert inspected.content is not None
    persona = inspected.content.personas["aldous"]
    assert (persona.name, persona.role) == ("Aldous", "an old ferryman")
    assert persona.voice.style == "slow and kind"
    assert persona.voice.examples == ("Deeper than you think.",)
    assert persona.knows == ("The player waits at the ferry.",)
    assert greeting_line(persona, {}, "Ida") == "Where to, Ida?"
    assert len(inspected.content.lore) == {"v1": 0, "v2": 1, "v3": 2}[version]


def test_a_character_of_text_generation_webui_is_read(tmp_path: Path) -> None:
    found = imported(tmp_path, "aldous.yaml", sample.WEBUI)
    assert found.persona["role"] == "an old ferryman"
    assert found.persona["description"] == "He knows the river."
    assert found.persona["greeting"] == "Where to?"


def test_older_field_names_are_read(tmp_path: Path) -> None:
    old = {"char_name": "Bo", "char_persona": "Bo is a dog.", "char_greeting": "Wuff.", "world_scenario": "It rains."}
    found = imported(tmp_path, "bo.json", old)
    assert (found.persona["role"], found.persona["greeting"], found.persona["knows"]) == (
        "a dog",
        "Wuff.",
        ["It rains."],
    )


def test_the_rules_of_a_book_are_mapped(tmp_path: Path) -> None:
    found = imported(tmp_path, "a.json", sample.V3)
    ferry, pike = found.lore.items
    assert found.lore.settings == {"name": "River", "scan_depth": 3, "budget_tokens": 400, "recursive": True}
    assert ferry["text"] == "The ferry has carried Al's family for a hundred years."
    assert (ferry["keys"], ferry["secondary_keys"], ferry["logic"]) == (["ferry", "boat"], ["old", "family"], "and_any")
    assert (ferry["order"], ferry["priority"]) == (10, 5)
    assert (pike["keys"], pike["scan_depth"], pike["excluded_keys"]) == (["/gr[ae]y (pike|eel)/i"], 5, ["market"])
    assert pike["text"] == "A pike lives under the landing."


def test_what_is_left_is_told_and_kept(tmp_path: Path) -> None:
    found = imported(tmp_path, "a.json", sample.V3)
    for name in (
        "system_prompt",
        "post_history_instructions",
        "creator",
        "tags",
        "group_only_greetings",
        "other_program",
    ):
        assert found.report.fates(name) == {"left"}, name
    home = found.write(tmp_path / "personas")
    assert json.loads((home / "card.json").read_text()) == sample.V3


def test_world_info_becomes_lore_with_every_rule(tmp_path: Path) -> None:
    found = import_file(sample.file_of(tmp_path, "My World.json", sample.WORLD_INFO))
    assert isinstance(found, ImportedBook)
    mill, autumn = found.lore.items
    assert mill == {
        "id": "my-world.the-mill", "text": "The mill burned down.", "keys": ["mill", "/mills?/i"], "match": "whole",
        "case_sensitive": True, "secondary_keys": ["fire", "ash"], "logic": "and_all", "order": 90, "sticky": 3,
        "cooldown": 4, "delay": 5, "group_weight": 30, "scan_depth": 7, "group_first": True, "group_scored": True,
        "exclude_recursion": True, "prevent_recursion": True, "ignore_budget": True, "probability": 60,
        "group": ["news", "weather"], "delay_until_recursion": 2,
    }  # fmt: skip
    assert autumn == {
        "id": "my-world.always", "text": "It is autumn.", "match": "plain", "enabled": False, "constant": True
    }  # fmt: skip
    assert found.report.fates("position, depth, role") == {"approximated"}


@pytest.mark.parametrize(
    ("value", "count"),
    [
        pytest.param(sample.LOREBOOK_V3, 2, id="lorebook V3"),
        pytest.param(sample.V2["data"]["character_book"], 1, id="a card's book alone"),
        pytest.param(sample.WORLD_INFO, 2, id="World Info"),
    ],
)
def test_a_lorebook_becomes_lore_of_the_world_or_of_one(tmp_path: Path, value: Any, count: int) -> None:
    path = sample.file_of(tmp_path, "book.json", value)
    root = sample.content_folder(tmp_path)
    imported(tmp_path, "a.json", sample.V1).write(root)
    for owner, folder in (("", "world"), ("aldous", "aldous")):
        book = import_file(path, npc_id=owner)
        assert isinstance(book, ImportedBook)
        book.write(root / folder / "lore")
    inspected = inspect_world(root)
    assert inspected.problems == ()
    assert inspected.entry_count == 2 * count


@pytest.mark.parametrize(
    ("logic", "name"), [(0, "and_any"), (1, "not_all"), (2, "not_any"), (3, "and_all"), (9, "and_any")]
)
def test_the_four_logics_go_by_their_numbers(tmp_path: Path, logic: int, name: str) -> None:
    entry = {**sample.V2_ENTRY, "extensions": {"selectiveLogic": logic}}
    found = imported(tmp_path, "a.json", card(character_book={"entries": [entry]}))
    assert found.lore.items[0]["logic"] == name


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param([1, 2], "holds a list of 2 items", id="list"),
        pytest.param("hello", "holds the value 'hello'", id="text"),
        pytest.param({}, "it is empty", id="empty"),
        pytest.param({"a": 1, "b": 2}, "its keys are 'a', 'b'", id="something else"),
        pytest.param({"temperature": 1, "top_p": 1}, "a preset of sampling settings", id="preset"),
        pytest.param({"lorebookVersion": 5, "entries": [{"text": "x"}]}, "a NovelAI lorebook", id="NovelAI"),
        pytest.param({"spec": "chara_card_v4", "data": {}}, "'chara_card_v4' is not known", id="spec"),
        pytest.param({"spec": ["chara_card_v2"], "data": {}}, "is not known", id="spec list"),
        pytest.param({"spec": "lorebook_v3", "data": 3}, "no map under this key", id="lorebook"),
        pytest.param({"spec": "chara_card_v2", "data": {"name": ""}}, "has no name", id="no name"),
        pytest.param({"entries": []}, "no entry that says anything", id="empty book"),
    ],
)
def test_what_is_no_card_is_told_as_what_it_is(tmp_path: Path, value: Any, told: str) -> None:
    path = sample.file_of(tmp_path, "x.json", json.dumps(value))
    with pytest.raises(ContentError, match=told) as caught:
        import_file(path)
    assert caught.value.path == path


def test_a_card_named_v2_that_is_v1_is_read(tmp_path: Path) -> None:
    found = imported(tmp_path, "a.json", {**sample.V1, "spec": "chara_card_v2"})
    assert found.persona["name"] == "Aldous"
    assert found.report.fates("chara_card_v2") == {"approximated"}


def test_sillytaverns_v3_with_v2_data_has_plain_keys(tmp_path: Path) -> None:
    entry = {**sample.V2_ENTRY, "use_regex": True, "keys": ["a.b", "/x+/i"], "extensions": {"display_index": 0}}
    value = {**sample.V2, "spec": "chara_card_v3", "spec_version": "3.0"}
    value["data"] = {**sample.V2["data"], "character_book": {"entries": [entry]}}
    found = imported(tmp_path, "a.png", sample.contained(value, "png"))
    assert found.lore.items[0]["keys"] == ["a.b", "/x+/i"]
    assert found.lore.items[0]["secondary_keys"] == ["old", "family"]


def test_fields_of_a_wrong_kind_are_told_and_skipped(tmp_path: Path) -> None:
    entries = [
        3,
        {"keys": 5, "content": "Kept."},
        {"keys": ["a"], "content": ["no"]},
        {"content": "B", "constant": "maybe"},
    ]
    value = card(personality=[1], tags="a, b", alternate_greetings="Hi", character_book={"entries": entries})
    found = imported(tmp_path, "a.json", value)
    assert [item["text"] for item in found.lore.items] == ["Kept.", "B"]
    assert {"5", "3", "'maybe'"} <= {remark.what for remark in found.report.remarks if remark.fate == "left"}
    assert found.persona["greeting"] == "Hi"


@pytest.mark.parametrize(
    ("description", "role", "rest"),
    [
        pytest.param("Ann is a smith. Strong.", "a smith", "Strong.", id="name"),
        pytest.param("{{char}} was the last of the wardens", "the last of the wardens", "", id="macro"),
        pytest.param("She is an elf of St. Mary's wood.", "an elf of St", "Mary's wood.", id="abbreviation"),
        pytest.param("You are Ann, the queen.\nYou rule.", "the queen", "You rule.", id="you are"),
        pytest.param("[character('Ann') { Age('20') }]", "a character", "[character('Ann') { Age('20') }]", id="W++"),
        pytest.param("Bob is a dog.", "a character", "Bob is a dog.", id="about another"),
        pytest.param("", "a character", "", id="nothing"),
    ],
)
def test_the_role_completes_the_sentence(tmp_path: Path, description: str, role: str, rest: str) -> None:
    found = imported(tmp_path, "a.json", card(description=description))
    assert (found.persona["role"], found.persona.get("description", "")) == (role, rest)


def test_long_texts_are_cut_or_split_and_told(tmp_path: Path) -> None:
    long = "The river is deep. " * 400
    entries = [{"keys": ["a"], "content": long}, {"keys": ["b"], "content": long, "extensions": {"group": "g"}}]
    value = card(
        description=long, first_mes="Oh {{user}}! " + long, personality=long, character_book={"entries": entries}
    )
    found = imported(tmp_path, "a.json", value)
    assert len(found.persona["description"]) <= 4000
    assert [item["id"] for item in found.lore.items] == ["a", "a.2", "a.3", "a.4", "b"]
    whole = " ".join(item["text"] for item in found.lore.items[:4])
    assert whole.split() == long.split()
    assert {"long text"} <= {remark.what for remark in found.report.remarks}
    root = sample.content_folder(tmp_path)
    found.write(root)
    assert inspect_world(root).problems == ()
    written = inspect_world(root).content
    assert written is not None
    assert greeting_line(written.personas["ann"], {}, "M" * 60).startswith("Oh MMM")


@pytest.mark.parametrize(
    ("name", "stem", "npc_id"),
    [
        ("Ann of the Hill", "x", "ann_of_the_hill"),
        ("Zoë", "x", "zoe"),
        ("白雪", "shiroyuki", "shiroyuki"),
        ("白雪", "雪", "npc"),
        ("World", "x", "world_npc"),
        ("Con", "x", "con_npc"),
        ("9 Lives", "x", "lives"),
    ],
)
def test_the_id_is_made_of_the_name(tmp_path: Path, name: str, stem: str, npc_id: str) -> None:
    assert imported(tmp_path, f"{stem}.json", card(name=name)).npc_id == npc_id


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    found = imported(tmp_path, "a.json", sample.V1)
    home = found.write(tmp_path / "personas")
    (home / "persona.yaml").write_text("mine")
    with pytest.raises(ContentError, match="is there already"):
        found.write(tmp_path / "personas")
    assert (home / "persona.yaml").read_text() == "mine"
    found.write(tmp_path / "personas", force=True)
    assert "Aldous" in (home / "persona.yaml").read_text()


def test_keys_of_our_own_are_taken_from_trusted_files_alone(tmp_path: Path) -> None:
    own = {"persona": {"goals": ["get home"], "situation": ["{{ holds }}"], "barks": 3, "unknown": 1}}
    value = card(extensions={"npc_sdk": own})
    assert "goals" not in imported(tmp_path, "a.json", value).persona
    found = imported(tmp_path, "a.json", value, is_ours=True)
    assert (found.persona["goals"], found.persona["situation"]) == (["get home"], ["{{ holds }}"])
    assert not {"barks", "unknown"} & set(found.persona)


def test_a_large_book_becomes_files_that_can_be_read(tmp_path: Path) -> None:
    entries = [
        {"keys": [f"k{n}", f"m{n}"], "content": f"Passage {n}. " * 40, "insertion_order": n} for n in range(3000)
    ]
    book = import_file(sample.file_of(tmp_path, "big.json", {"entries": entries}))
    assert isinstance(book, ImportedBook)
    root = sample.content_folder(tmp_path)
    imported(tmp_path, "a.json", sample.V1).write(root)
    assert len(book.write(root / "world" / "lore")) > 1
    inspected = inspect_world(root)
    assert inspected.problems == ()
    assert inspected.entry_count == 3000
