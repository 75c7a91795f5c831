"""A character goes out as a card and comes back; what nobody edited goes out as it came in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npc_sdk.cards.exported import export_npc
from npc_sdk.cards.imported import ImportedCard, import_file
from npc_sdk.cards.source import open_source
from npc_sdk.errors import ContentError
from npc_sdk.lore.content import inspect_world, load_world
from npc_sdk.persona.load import read_persona
from tests.cards import sample

CONTAINERS = ("json", "png", "ztxt", "itxt", "charx")
VILLAGE = Path(__file__).parents[2] / "personas"


def brought_in(folder: Path, data: bytes, **options: Any) -> Path:
    """A content folder with the card in it."""
    root = sample.content_folder(folder)
    found = import_file(sample.file_of(folder, "in.bin", data), **options)
    found.write(root)
    return root


def read_back(folder: Path, root: Path, name: str, version: int, **options: Any) -> ImportedCard:
    exported = export_npc(root, "aldous", version=version, **options)
    exported.write(folder / name)
    found = import_file(folder / name, is_ours=True)
    assert isinstance(found, ImportedCard)
    return found


@pytest.mark.parametrize("out", ["json", "png"])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", sample.CARDS)
def test_a_round_trip_changes_nothing(tmp_path: Path, name: str, container: str, version: int, out: str) -> None:
    root = brought_in(tmp_path, sample.contained(sample.CARDS[name], container))
    first = import_file(tmp_path / "in.bin")
    assert isinstance(first, ImportedCard)
    second = read_back(tmp_path, root, f"out.{out}", version)
    assert (second.npc_id, second.persona) == (first.npc_id, first.persona)
    assert (second.lore.settings, second.lore.items) == (first.lore.settings, first.lore.items)
    second.write(root, force=True)
    third = read_back(tmp_path, root, f"again.{out}", version)
    assert third.original == second.original


@pytest.mark.parametrize(("name", "version"), [("v2", 2), ("v2", 3), ("v3", 3), ("v3", 2)])
def test_every_field_that_was_not_edited_is_kept(tmp_path: Path, name: str, version: int) -> None:
    card = sample.CARDS[name]
    data = export_npc(brought_in(tmp_path, sample.contained(card, "json")), "aldous", version=version).card["data"]
    kept = {key: value for key, value in card["data"].items() if key != "character_book"}
    assert {key: data[key] for key in kept} == kept
    book, was = data["character_book"], card["data"]["character_book"]
    assert {key: book[key] for key in was if key != "entries"} == {key: was[key] for key in was if key != "entries"}
    assert [{key: made[key] for key in entry} for made, entry in zip(book["entries"], was["entries"], strict=True)] == (
        was["entries"]
    )


def test_fields_beside_the_data_stay_there(tmp_path: Path) -> None:
    card = {**sample.V2, "chat": "Aldous - 2024", "fav": True, "name": "Aldous"}
    root = brought_in(tmp_path, sample.contained(card, "json"))
    (root / "aldous" / "persona.yaml").write_text(
        (root / "aldous" / "persona.yaml").read_text().replace("Aldous", "Bert")
    )
    out = export_npc(root, "aldous", version=2).card
    assert (out["chat"], out["fav"], out["name"], out["data"]["name"]) == ("Aldous - 2024", True, "Bert", "Bert")


def test_an_edited_persona_changes_its_fields_alone(tmp_path: Path) -> None:
    root = brought_in(tmp_path, sample.contained(sample.V2, "json"))
    path = root / "aldous" / "persona.yaml"
    path.write_text(path.read_text().replace("slow and kind", "quick and rude") + "goals: [sell the boat]\n")
    data = export_npc(root, "aldous", version=2).card["data"]
    assert data["personality"] == "quick and rude"
    assert data["scenario"] == sample.V2["data"]["scenario"]
    assert data["extensions"]["other_program"] == sample.V2["data"]["extensions"]["other_program"]
    assert data["extensions"]["npc_sdk"] == {"persona": {"goals": ["sell the boat"]}}
    assert read_back(tmp_path, root, "out.json", 2).persona["goals"] == ["sell the boat"]


def test_other_greetings_stay_when_the_first_is_edited(tmp_path: Path) -> None:
    root = brought_in(tmp_path, sample.contained(sample.V2, "json"))
    path = root / "aldous" / "persona.yaml"
    path.write_text(path.read_text().replace("Where to", "Whither"))
    data = export_npc(root, "aldous", version=2).card["data"]
    assert (data["first_mes"], data["alternate_greetings"]) == ("Whither, {{user}}?", ["Back again, {{user}}?"])


def test_an_edited_entry_keeps_what_we_do_not_know(tmp_path: Path) -> None:
    root = brought_in(tmp_path, sample.contained(sample.V3, "json"))
    path = root / "aldous" / "lore" / "book.yaml"
    path.write_text(path.read_text().replace("a hundred years", "two hundred years"))
    ferry, pike = export_npc(root, "aldous").card["data"]["character_book"]["entries"]
    assert ferry["content"] == "The ferry has carried Al's family for two hundred years."
    assert ferry["extensions"]["my_tool"] == {"colour": "blue"}
    assert (ferry["name"], ferry["id"]) == ("The Ferry", 1)
    assert pike == sample.V3["data"]["character_book"]["entries"][1]


def test_entries_come_and_go_with_the_files(tmp_path: Path) -> None:
    root = brought_in(tmp_path, sample.contained(sample.V3, "json"))
    (root / "aldous" / "lore" / "book.yaml").unlink()
    (root / "aldous" / "lore" / "own.md").write_text("## The oar\nkeys: oar\nThe oar is new.\n")
    (entry,) = export_npc(root, "aldous").card["data"]["character_book"]["entries"]
    assert (entry["content"], entry["keys"], entry["use_regex"]) == ("The oar is new.", ["oar"], False)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("npc_id", ["mara", "elsbeth", "corvin", "pip", "tobin"])
def test_the_village_comes_back_whole(tmp_path: Path, npc_id: str, version: int) -> None:
    exported = export_npc(VILLAGE, npc_id, version=version, with_world_lore=True)
    exported.write(tmp_path / "out.png")
    found = import_file(tmp_path / "out.png", npc_id=npc_id, is_ours=True)
    assert isinstance(found, ImportedCard)
    written = read_persona(VILLAGE / npc_id / "persona.yaml").document
    assert written is not None
    assert isinstance(written.value, dict)
    assert found.persona == {key: value for key, value in written.value.items() if key != "extends"}
    known = load_world(VILLAGE)
    factions = set(known.personas[npc_id].factions)
    texts = [
        entry.text
        for entry in known.lore
        if not (entry.scope.npc_ids or entry.scope.factions)
        or npc_id in entry.scope.npc_ids
        or factions & entry.scope.factions
    ]
    assert sorted(item["text"] for item in found.lore.items) == sorted(texts)


def test_every_rule_of_an_entry_comes_back(tmp_path: Path) -> None:
    root = brought_in(tmp_path, sample.contained(sample.V1, "json"))
    lore = root / "aldous" / "lore"
    lore.mkdir()
    (lore / "own.yaml").write_text(
        "book: {name: Own, scan_depth: 4, recursive: true, budget_tokens: 90}\n"
        "entries:\n"
        "  - {id: all.of_it, text: One., keys: [boat, /oars?/i], secondary_keys: [red], logic: not_any, match: plain,\n"
        "     case_sensitive: true, essential: true, search: true, probability: 40, sticky: 2, cooldown: 3, delay: 4,\n"
        "     group: [g, h], group_weight: 7, group_first: true, group_scored: true, exclude_recursion: true,\n"
        "     prevent_recursion: true, delay_until_recursion: 2, scan_depth: 6, order: 9, priority: 8,\n"
        "     ignore_budget: true, source: the priest}\n"
        "  - {id: two, text: Two., constant: true, enabled: false}\n"
        "  - {id: three, text: Three., keys: [c], excluded_keys: [d], always: activate, when: x > 1}\n"
    )
    before = inspect_world(root).content
    assert before is not None
    read_back(tmp_path, root, "out.json", 2).write(root, force=True)
    (lore / "own.yaml").unlink()
    after = inspect_world(root).content
    assert after is not None
    said = [
        (entry.entry_id, entry.text, entry.keys, entry.scope, entry.rules, entry.book, entry.source)
        for entry in after.lore
    ]
    assert said == [
        (one.entry_id, one.text, one.keys, one.scope, one.rules, one.book, one.source) for one in before.lore
    ]


def test_what_is_known_only_at_times_is_off_for_others(tmp_path: Path) -> None:
    root = brought_in(tmp_path, sample.contained(sample.V1, "json"))
    (root / "aldous" / "lore").mkdir()
    (root / "aldous" / "lore" / "own.yaml").write_text(
        "entries: [{id: a, text: A., keys: [a], when: quest == 'done'}]\n"
    )
    (entry,) = export_npc(root, "aldous").card["data"]["character_book"]["entries"]
    assert entry["enabled"] is False
    assert entry["extensions"]["npc_sdk"] == {"when": "quest == 'done'", "enabled": True}


def test_the_portrait_travels_along(tmp_path: Path) -> None:
    root = brought_in(tmp_path, sample.contained(sample.V2, "png"))
    assert (root / "aldous" / "portrait.png").is_file()
    exported = export_npc(root, "aldous", version=2)
    exported.write(tmp_path / "out.png")
    assert open_source(tmp_path / "out.png").picture == exported.picture
    assert "portrait" not in {remark.what for remark in exported.report.remarks}


@pytest.mark.parametrize(
    ("npc_id", "out", "told"),
    [
        ("aldou", "a.json", "did you mean 'aldous'"),
        ("nobody", "a.json", r"NPCs: aldous\)"),
        ("world", "a.json", "there is no NPC 'world'"),
        ("../personas/aldous", "a.json", "there is no NPC"),
        ("", "a.json", "there is no NPC ''"),
        ("aldous", "a.gif", "'.gif'"),
        ("aldous", "in.bin", "'.bin'"),
    ],
)
def test_what_cannot_be_exported_is_told(tmp_path: Path, npc_id: str, out: str, told: str) -> None:
    root = brought_in(tmp_path, sample.contained(sample.V1, "json"))
    with pytest.raises(ContentError, match=told):
        export_npc(root, npc_id).write(tmp_path / out)


def test_a_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    exported = export_npc(brought_in(tmp_path, sample.contained(sample.V1, "json")), "aldous")
    exported.write(tmp_path / "a.json")
    with pytest.raises(ContentError, match="there already"):
        exported.write(tmp_path / "a.json")
    exported.write(tmp_path / "a.json", force=True)
