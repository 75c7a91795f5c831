"""Scopes are proved: unknown names, and facts that nobody can ever know, each with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.lore.content import Inspection, inspect_world, load_world

WORLD = """\
name: Testland
tools:
  - {name: wave, description: Wave.}
places:
  village: {name: Alderwick}
  forge: {name: the forge, within: village}
factions: {watch: the village watch, thieves: the guild}
quests: {hammer: [not given, given, done]}
events: [insulted]
calendar: {months: {Thaw: 30, Harvest: 30}, today: 12 Harvest 200}
names: {Bob: {aliases: [the smith]}}
"""
HEAD = "role: a villager\nvoice: {style: calm}\n"
ADA = f"name: Ada\n{HEAD}factions: [watch]\nhome: forge\ntools: [wave]\n"
BOB = f"name: Bob\n{HEAD}mood: {{start: calm, moves: {{insulted: angry}}}}\nrelationships: {{player: {{}}}}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    _write(tmp_path / "world/world.yaml", WORLD)
    _write(tmp_path / "ada/persona.yaml", ADA)
    _write(tmp_path / "bob/persona.yaml", BOB)
    return tmp_path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _told(root: Path, found: Inspection | None = None) -> list[str]:
    problems = (found or inspect_world(root)).problems
    return [str(problem).replace(f"{root}/", "") for problem in problems]


@pytest.mark.parametrize(
    ("attributes", "place", "told"),
    [
        pytest.param("npcs: adda", "4:7", "there is no NPC 'adda' (did you mean 'ada'?)", id="npc"),
        pytest.param("factions: wach", "4:11", "the world has no faction 'wach' (did you mean 'watch'?)", id="faction"),
        pytest.param("npcs: Ada", "4:7", "there is no NPC 'Ada' (did you mean 'ada'?)", id="an npc's name"),
        pytest.param(
            "npcs: the smith", "4:7", "there is no NPC 'the smith' (did you mean 'bob'?)", id="an npc's alias"
        ),
        pytest.param("factions: the guild", "4:11", "no faction 'the guild' (did you mean 'thieves'?)", id="a title"),
        pytest.param("places: Alderwick", "4:9", "no place 'Alderwick' (did you mean 'village'?)", id="a place's name"),
        pytest.param(
            "when: place == 'Forje'", "4:1", "when: there is no place 'Forje' (did you mean", id="asked place"
        ),
        pytest.param("places: forg", "4:9", "the world has no place 'forg' (did you mean 'forge'?)", id="place"),
        pytest.param(
            "when: quests.hamer == 'done'", "4:1", "when: quests.hamer: there is no quest 'hamer'", id="quest"
        ),
        pytest.param("when: quests.hammer == 'don'", "4:1", "when: quests.hammer is never 'don' (did you", id="stage"),
        pytest.param("when: mood == 'sad'", "4:1", "when: mood is never 'sad'", id="mood"),
        pytest.param(
            "npcs: ada\nwhen: relation.player > 3",
            "5:1",
            "when: relation.player: there is no relationship",
            id="of others",
        ),
        pytest.param("when: 1 > 2", "4:1", "when: '1 > 2' can never hold", id="never"),
        pytest.param(
            "factions: thieves",
            "4:1",
            "nobody can ever know this: no NPC is of 'thieves' (name it under",
            id="no members",
        ),
        pytest.param(
            "npcs: bob\nfactions: watch",
            "4:1",
            "nobody can ever know this: 'bob' is not of 'watch' (of it: ada; who is named",
            id="not of the faction",
        ),
        pytest.param(
            "since: 3 Thaw 200\nuntil: 2 Thaw 200",
            "4:1",
            "nobody can ever know this: since 3 Thaw 200, until 2 Thaw 200",
            id="ends before it begins",
        ),
    ],
)
def test_a_scope_that_cannot_be_is_told(root: Path, attributes: str, place: str, told: str) -> None:
    _write(root / "world/lore/a.md", f"# A\n\n## Gold\n{attributes}\nGold lies there.\n")
    (problem,) = _told(root)
    assert told in problem
    assert problem.startswith(f"world/lore/a.md:{place}:")
    assert "a.gold" in problem


@pytest.mark.parametrize(
    "attributes",
    [
        "npcs: ada\nfactions: watch, thieves",
        "places: village",
        "since: 199\nuntil: 201",
        "when: quests.hammer == 'given' and relation.player > 2",
        "when: weather == 'rain'",
        "since: 12 Harvest 300",
    ],
)
def test_a_scope_that_can_be_is_taken(root: Path, attributes: str) -> None:
    _write(root / "world/lore/a.md", f"## Gold\n{attributes}\nGold lies there.\n")
    assert _told(root) == []


def test_of_a_world_without_characters_nothing_is_proved(root: Path) -> None:
    for name in ("ada", "bob"):
        (root / name / "persona.yaml").unlink()
        (root / name).rmdir()
    _write(root / "world/lore/a.md", "## A\nfactions: watch\nA.\n\n## B\nwhen: relation.player > 3\nB.\n")
    (problem,) = _told(root)
    assert "the folder holds no character" in problem


def test_an_npcs_own_lore_for_a_faction_of_others_is_told(root: Path) -> None:
    _write(root / "bob/lore/own.md", "## Gold\nfactions: watch\nGold lies there.\n")
    (problem,) = _told(root)
    assert "nobody can ever know this: 'bob' is not of 'watch'" in problem


def test_what_is_known_in_a_place_is_known_in_its_parts(root: Path) -> None:
    _write(root / "world/lore/a.md", "## Gold\nplaces: village\nGold lies there.\n")
    (entry,) = load_world(root).lore
    assert entry.scope.places == {"village", "forge"}


def test_what_is_over_before_the_game_begins_is_noted(root: Path) -> None:
    _write(root / "world/lore/a.md", "## Gold\nuntil: 1 Harvest 200\nGold lies there.\n")
    found = inspect_world(root)
    assert found.problems == ()
    (note,) = found.notes
    assert "until: is over before today" in str(note)


def test_of_a_cast_with_mistakes_only_names_are_proved(root: Path) -> None:
    _write(root / "ada/persona.yaml", "name: Ada\n")
    _write(root / "world/lore/a.md", "## A\nfactions: watch\nA.\n\n## B\nfactions: wach\nB.\n")
    told = _told(root)
    assert not any("nobody" in line for line in told)
    assert any("no faction 'wach'" in line for line in told)


def test_a_scope_shared_by_many_is_looked_at_once_and_told_of_each(root: Path) -> None:
    sections = "".join(f"## S{n}\nfactions: thieves\nText {n}.\n\n" for n in range(20))
    _write(root / "world/lore/a.md", sections)
    assert len(_told(root)) == 20


TIMELINE = """\
timeline:
  - {date: 1 Thaw 188, text: The flood took six houses., keys: [flood], places: [village]}
  - {id: feast, date: 1 Thaw 201, text: The feast begins., npcs: [ada], when: quests.hammer == 'done'}
"""


def test_the_timeline_is_lore_since_its_days(root: Path) -> None:
    _write(root / "world/world.yaml", WORLD + TIMELINE)
    flood, feast = load_world(root).lore
    assert (flood.entry_id, flood.text, flood.keys) == (
        "timeline.the-flood-took-six-houses", "The flood took six houses.", ("flood",)
    )  # fmt: skip
    assert (flood.day, flood.scope.since, flood.scope.places) == (188 * 60, 188 * 60, {"village", "forge"})
    assert (flood.book.name, flood.path, flood.line) == ("timeline", root / "world/world.yaml", 13)
    assert (feast.entry_id, feast.scope.npc_ids, feast.scope.when) == (
        "timeline.feast", frozenset({"ada"}), "quests.hammer == 'done'"
    )  # fmt: skip


def test_a_scope_of_the_timeline_is_proved_too(root: Path) -> None:
    _write(root / "world/world.yaml", WORLD + TIMELINE.replace("village]", "vilage]").replace("'done'", "'don'"))
    told = _told(root)
    assert "world/world.yaml:13:82: timeline.the-flood-took-six-houses: the world has no place 'vilage'" in told[0]
    assert "world/world.yaml:14:73: timeline.feast: when: quests.hammer is never 'don'" in told[1]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        pytest.param("factions: [wach]", "factions[0]: the world has no faction 'wach' (did you mean", id="faction"),
        pytest.param("home: alderwick", "no place 'alderwick' (did you mean 'village'?)", id="home by its name"),
        pytest.param("factions: [the guild]", "no faction 'the guild' (did you mean 'thieves'?)", id="title"),
        pytest.param("home: forg", "home: the world has no place 'forg' (did you mean 'forge'?)", id="home"),
        pytest.param(
            "mood: {moves: {wawe: angry}}",
            "mood.moves.wawe: 'wawe' is neither a tool of this NPC nor an event of the world (known tools and events:"
            " insulted)",
            id="mood",
        ),
        pytest.param(
            "relationships: {player: {moves: {wave: 1}}}",
            "relationships.player.moves.wave: 'wave' is neither a tool of this NPC",
            id="a tool of others",
        ),
        pytest.param("relationships: {adda: {}}", "relationships.adda: there is no NPC 'adda' (did you", id="other"),
        pytest.param("relationships: {eve: {}}", "relationships.eve: a relationship to itself", id="itself"),
        pytest.param(
            "secrets: [{id: a, text: b, when: quests.hammer == 'don'}]",
            "secrets[0].when: quests.hammer is never 'don' (did you mean 'done'?)",
            id="stage of a secret",
        ),
        pytest.param(
            "secrets: [{id: a, text: b, when: relation.player > 3}]",
            "secrets[0].when: relation.player: there is no relationship 'player' (add it under 'relationships:' of",
            id="no relationship",
        ),
        pytest.param(
            "relationships: {player: {}}\nsecrets: [{id: a, text: b, when: relation.player > 10}]",
            "secrets[0].when: 'relation.player > 10' can never hold",
            id="never",
        ),
    ],
)
def test_what_a_persona_names_of_world_and_cast_is_checked(root: Path, keys: str, told: str) -> None:
    _write(root / "eve/persona.yaml", f"name: Eve\n{HEAD}{keys}\n")
    (problem,) = _told(root)
    assert told in problem
    assert problem.startswith("eve/persona.yaml:")


def test_a_mistake_in_a_kind_is_told_once_however_many_extend_it(root: Path) -> None:
    _write(root / "world/kinds/guard.yaml", "factions: [wach]\ntools: [wawe]\ncolour: red\n")
    for name in ("eve", "fay"):
        _write(root / f"{name}/persona.yaml", f"extends: guard\nname: Eve\n{HEAD}")
    told = _told(root)
    assert [line.partition(" (")[0] for line in told] == [
        "world/kinds/guard.yaml:3:1: colour: unknown key 'colour'",
        "world/kinds/guard.yaml:2:9: tools[0]: the world has no tool 'wawe'",
    ]


def test_an_unused_kind_is_checked_too(root: Path) -> None:
    _write(root / "world/kinds/guard.yaml", "tools: [wawe]\n")
    assert _told(root) == ["world/kinds/guard.yaml:1:9: tools[0]: the world has no tool 'wawe' (did you mean 'wave'?)"]


def test_an_unknown_language_of_the_world_is_told(root: Path) -> None:
    _write(root / "world/world.yaml", WORLD + "language: Germen\n")
    (problem,) = _told(root)
    assert "world/world.yaml:12:1: language: there is no language 'Germen' (did you mean 'German'?)" in problem


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        pytest.param("a.md", "---\nnpcs: [ada, adda]\n---\n## A\nText.\n\n## B\nMore.\n", "2:13", id="front matter"),
        pytest.param("a.yaml", "entries:\n- id: a\n  text: x\n  npcs:\n  - ada\n  - adda\n", "6:5", id="block list"),
        pytest.param("a.yaml", "entries:\n- {id: a, text: adda, npcs: [adda]}\n", "2:30", id="one line"),
        pytest.param(
            "a.yaml", "entries:\n- id: a\n  text: x\n- id: b\n  text: y\n  npcs: [adda]\n", "6:10", id="second"
        ),
        pytest.param("a.md", "## A\nText.\n\n## B\nnpcs: bob, adda\nMore.\n", "5:12", id="second section"),
    ],
)
def test_a_wrong_name_is_told_at_its_own_place(root: Path, name: str, text: str, place: str) -> None:
    _write(root / "world/lore" / name, text)
    assert [problem.split(": ")[0] for problem in _told(root)][:1] == [f"world/lore/{name}:{place}"]
