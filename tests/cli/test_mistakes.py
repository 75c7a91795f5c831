"""What a writer is told: for each mistake of a typical first week the exact line, with place, value and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from npc_sdk.cli.check import check

PERSONA = "name: Ada\nrole: the miller\nvoice: {style: proud and grand}\n"
WORLD = """\
name: Testland
places: {mill: {name: the mill}, forge: {name: the forge}}
factions: {watch: the watch}
quests: {hammer: [not given, given, done]}
events: [insulted]
calendar: {months: {Thaw: 31, Harvest: 30}, today: 12 Harvest 1042}
tools:
  - {name: give_item, description: Give.}
"""
FILES = {
    "world/world.yaml": WORLD,
    "world/kinds/villager.yaml": "goals: [peace]\n",
    "world/lore/places.md": "## The mill\nkeys: mill\nThe mill turns.\n",
    "ada/persona.yaml": PERSONA,
}
EQUALS = "(a condition compares what the game sets: quests.hammer == 'done' and relation.player >= 3)"

app = typer.Typer()
app.command()(check)

# The id, the lines that are added or the whole file, and what is told.
PERSONA_MISTAKES = [
    ("goal: [x]", "4:1: goal: unknown key 'goal' (did you mean 'goals'?)"),
    ("goals: Grind the corn.", "4:1: goals: should be a list, not 'Grind the corn.' (start each item with '- ')"),
    ("goals:\n  -one", "4:1: goals: should be a list, not '-one' (put a blank after each '-')"),
    (
        "goals:\n  - Pip says: hello",
        "5:5: goals[0]: should be text, not {'Pip says': 'hello'} (a text with ': ' in it stands in quotes)",
    ),
    ("barks:\n  - 12", "5:5: barks[0]: should be text, not 12 (put it in quotes)"),
    ('greeting: "Good day', "4:11: a quote is opened and not closed (close it, or leave both out)"),
    ("\tgoals: [x]", "4:1: a tab is used for indentation (indent with blanks)"),
    ("name: Eve", "4:1: name: the key 'name' is given twice (first on line 1)"),
    ("sampling: {temperature: 3}", "4:12: sampling.temperature: should be 2 or less, not 3"),
    ("tools: [giv_item]", "4:9: tools[0]: the world has no tool 'giv_item' (did you mean 'give_item'?)"),
    ("home: mil", "4:1: home: the world has no place 'mil' (did you mean 'mill'?)"),
    ("factions: [wach]", "4:12: factions[0]: the world has no faction 'wach' (did you mean 'watch'?)"),
    ("extends: vilager", "4:1: extends: there is no kind 'vilager' (did you mean 'villager'?)"),
    (
        "mood: {moves: {insultd: angry}}",
        "4:16: mood.moves.insultd: 'insultd' is neither a tool of this NPC nor an event of the world"
        " (did you mean 'insulted'?)",
    ),
    (
        "relationships: {playr: {start: 1}}",
        "4:17: relationships.playr: there is no NPC 'playr' (did you mean 'player'?)",
    ),
    (
        "relationships: {player: {start: 12}}",
        "4:26: relationships.player.start: should be 10 or less, not 12",
    ),
    (
        "secrets: [{id: a, text: b, when: \"quests.hamer == 'done'\"}]",
        "4:28: secrets[0].when: quests.hamer: there is no quest 'hamer' (did you mean 'hammer'?)",
    ),
    (
        "secrets: [{id: a, text: b, when: \"quests.hammer == 'finished'\"}]",
        "4:28: secrets[0].when: quests.hammer is never 'finished' (known quests.hammer: done, given, not given)",
    ),
    (
        "secrets: [{id: a, text: b, when: \"quests.hammer = 'done'\"}]",
        "4:28: secrets[0].when: \"quests.hammer = 'done'\": does not parse: expected token ')', got '=' " + EQUALS,
    ),
    (
        'secrets: [{id: a, text: b, when: "quests.hammer == done"}]',
        "4:28: secrets[0].when: quests.hammer is held against done, which is read as a variable (put 'done' in quotes)",
    ),
    (
        "secrets: [{id: a, text: b, when: \"place == 'mil'\"}]",
        "4:28: secrets[0].when: there is no place 'mil' (did you mean 'mill'?)",
    ),
    (
        "secrets: [{id: a, text: b, when: relation.player > 2}]",
        "4:28: secrets[0].when: relation.player: there is no relationship 'player'"
        " (add it under 'relationships:' of an NPC who can know this)",
    ),
    ("home: the mill", "4:1: home: the world has no place 'the mill' (did you mean 'mill'?)"),
    (
        "extends: villager\nreplaces: [taboos]",
        "5:12: replaces[0]: 'taboos' is no list of this file (it names lists of this file alone; write 'taboos:' here"
        " too, with what shall stand in place of the kind's)",
    ),
    (
        "situation: [\"{{ holds | jion(', ') }}\"]",
        "4:13: situation[0]: \"{{ holds | jion(', ') }}\": does not parse: No filter named 'jion'"
        " (did you mean 'join'?)",
    ),
    (
        'greeting: ["Hello {{ player }"]',
        "4:12: greeting[0]: 'Hello {{ player }': does not parse: unexpected '}'"
        " (a variable stands between '{{' and '}}')",
    ),
]
KIND_MISTAKES = [
    ("gaols: [peace]", "1:1: gaols: unknown key 'gaols' (did you mean 'goals'?)"),
    ("extends: villager", "1:1: extends: the kinds extend each other in a circle: villager → villager"),
]
WORLD_MISTAKES = [
    ("quests: {hammer: given}", "2:10: quests.hammer: should be a list, not 'given' (start each item with '- ')"),
    (
        "places: {mill: {name: the mill, within: vilage}, village: {name: the village}}",
        "2:33: places.mill.within: there is no place 'vilage' (did you mean 'village'?)",
    ),
    (
        "calendar: {months: {Thaw: 31}, today: 12 Thw 10}",
        "2:32: calendar.today: there is no month 'Thw' (did you mean 'Thaw'?)",
    ),
    (
        "calendar: {months: {Thaw: 31}}\ntimeline: [{date: 32 Thaw 10, text: x}]",
        "3:13: timeline[0].date: Thaw has no day 32 (it has 31)",
    ),
    ("names: {Ysolde: {alias: [x]}}", "2:18: names.Ysolde.alias: unknown key 'alias' (did you mean 'aliases'?)"),
    ("language: Englsh", "2:1: language: there is no language 'Englsh' (did you mean 'English'?)"),
]
PAGE_MISTAKES = [
    ("## A\nkey: mill\nText.", "2:1: A: unknown attribute 'key' (did you mean 'keys'?)"),
    ("## A\nNpcs: ada\nText.",
     "2:1: A: this 'npcs' is not read as an attribute"
     " (attributes stand right under the heading, in small letters: 'npcs: …')"),
    ("## A\nkeys: mill; wheel\nText.",
     "2:7: A.keys[0]: 'mill; wheel' holds a ';' (write names and keys with commas between, and nothing else)"),
    ("## A\nprobability: 150\nText.", "2:1: A.probability: should be 100 or less, not 150"),
    ("## A\nlogic: and_al\nText.", "2:1: A.logic: there is no logic 'and_al' (did you mean 'and_all'?)"),
    ("## A\nsince: 3 Thw 10\nText.", "2:1: A.since: there is no month 'Thw' (did you mean 'Thaw'?)"),
    ("## A\nwhen: quests.hammer = 'done'\nText.",
     "2:1: A.when: \"quests.hammer = 'done'\": does not parse: expected token ')', got '=' " + EQUALS),
    ("---\nkey: [a]\n---\n## A\nText.", "2:1: key: unknown key 'key' (did you mean 'keys'?)"),
]  # fmt: skip
BOOK_MISTAKES = [
    ("entries:\n  - {id: a b, text: x}",
     "2:6: entries[0].id: 'a b' is no id (small letters, digits, '_', '.' and '-', a letter or a digit first)"),
    ("entries:\n  - {id: a, text: x, keys: mill}",
     "2:22: entries[0].keys: should be a list, not 'mill' (start each item with '- ')"),
    ("book: {budget: 20}\nentries:\n  - {id: a, text: x}",
     "1:8: book.budget: unknown key 'budget' (did you mean 'budget_tokens'?)"),
    ("entries:\n  - {id: a, text: x",
     "2:5: a '[' or '{' is not closed, or a comma is missing (separate with ', ' and close it)"),
]  # fmt: skip
PLACED = [
    *(("ada/persona.yaml", f"{PERSONA}{lines}", told) for lines, told in PERSONA_MISTAKES),
    *(("world/kinds/villager.yaml", text, told) for text, told in KIND_MISTAKES),
    *(("world/world.yaml", f"name: Testland\n{lines}", told) for lines, told in WORLD_MISTAKES),
    *(("world/lore/places.md", text, told) for text, told in PAGE_MISTAKES),
    *(("world/lore/tales.yaml", text, told) for text, told in BOOK_MISTAKES),
]
# What only shows when all has been read is told at the heading of its entry, or of the file.
LINKED = [
    ("world/lore/places.md", "## A\nnpcs: adda\nText.", "there is no NPC 'adda' (did you mean 'ada'?)"),
    ("world/lore/places.md", "## A\nnpcs: Ada\nText.", "there is no NPC 'Ada' (did you mean 'ada'?)"),
    ("world/lore/places.md", "## A\nplaces: mil\nText.", "the world has no place 'mil' (did you mean 'mill'?)"),
    ("world/lore/places.md", "## A\nfactions: watch\nText.", "nobody can ever know this: no NPC is of 'watch'"),
    ("world/lore/places.md", "## A\nT.\n## A\nT.", "the id 'places.a' is given twice (first in places.md, line 1;"),
    ("world/lore/places.md", "## A\nkeys: a\n", "the entry has no text (write one to three sentences under it)"),
    ("world/lore/tales.txt", "x", "a file of kind '.txt' is not lore (lore is read from .md and .yaml files)"),
    ("ada/lore/own.md", "## A\nnpcs: bob\nText.", "npcs ['bob'] in the private lore of 'ada'"),
    ("Bob/persona.yaml", PERSONA, "the folder name 'Bob' is no NPC id (small letters, digits and _, a letter first)"),
]


def _told(root: Path, name: str, text: str) -> list[str]:
    for file_name, content in {**FILES, name: f"{text}\n"}.items():
        path = root / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    result = CliRunner().invoke(app, [str(root)])
    assert result.exit_code == 1, "a mistake fails"
    return [line.replace(f"{root}/", "") for line in result.stdout.splitlines()]


@pytest.mark.parametrize(("name", "text", "told"), PLACED, ids=[told.partition(": ")[2][:50] for *_, told in PLACED])
def test_a_mistake_is_told_at_its_line_and_column(tmp_path: Path, name: str, text: str, told: str) -> None:
    first, *_, summary = _told(tmp_path, name, text)
    assert first == f"{name}:{told}"
    assert summary.endswith("1 mistake in 1 file")


@pytest.mark.parametrize(("name", "text", "told"), LINKED, ids=[told[:50] for *_, told in LINKED])
def test_a_mistake_between_files_is_told_at_its_entry(tmp_path: Path, name: str, text: str, told: str) -> None:
    first, *_ = _told(tmp_path, name, text)
    assert first.startswith(name if name != "Bob/persona.yaml" else "Bob")
    assert told in first
