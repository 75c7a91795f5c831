"""world.yaml: places, factions, quests, events and the timeline, each held against the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.persona.load import read_world_file
from npc_sdk.persona.schema import WorldFile

PLACES = """\
places:
  village: {name: Alderwick}
  inn: {name: the Gilded Goose, aliases: [the inn], within: village}
  cellar: {name: the cellar, within: inn}
  well: {name: the old well}
"""


def _world(folder: Path, text: str) -> tuple[WorldFile | None, list[str]]:
    path = folder / "world.yaml"
    path.write_text(f"name: Testland\n{text}", encoding="utf-8")
    found = read_world_file(path)
    return found.value, [str(problem).replace(f"{path}:", "") for problem in found.problems]


def test_places_lie_in_places(tmp_path: Path) -> None:
    world, _ = _world(tmp_path, PLACES)
    assert world is not None
    assert world.with_inner_places(["village"]) == {"village", "inn", "cellar"}
    assert world.with_inner_places(["well", "cellar"]) == {"well", "cellar"}


@pytest.mark.parametrize(
    ("told", "place_id"),
    [("inn", "inn"), ("the  Inn", "inn"), ("The Gilded Goose", "inn"), ("the attic", ""), ("", "")],
)
def test_a_place_is_found_by_any_of_its_names(tmp_path: Path, told: str, place_id: str) -> None:
    world, _ = _world(tmp_path, PLACES)
    assert world is not None
    assert world.place_id(told) == place_id


def test_an_empty_world_is_english_and_scans_two_messages(tmp_path: Path) -> None:
    world, _ = _world(tmp_path, "")
    assert world is not None
    assert (world.language, world.lore.scan_depth, world.lore.recursive, world.calendar) == ("English", 2, False, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "places:\n  a: {name: A, within: b}\n  bb: {name: B}",
            "3:16: places.a.within: there is no place 'b' (did you mean 'bb'?)",
            id="unknown place",
        ),
        pytest.param(
            "places: {a: {name: A, within: b}, b: {name: B, within: a}, c: {name: C, within: a}}",
            "places.a.within: 'a' would lie within itself",
            id="circle",
        ),
        pytest.param(
            "places: {a: {name: Inn}, b: {name: B, aliases: [inn]}}",
            "places.b.aliases[0]: 'inn' is a name of the place 'a' too",
            id="one name for two places",
        ),
        pytest.param("places: {A: {name: A}}", "places.A: should be one word of letters", id="place id"),
        pytest.param(
            "places: {a: {name: A, nme: B}}", "places.a.nme: unknown key 'nme' (did you mean 'name'?)", id="place key"
        ),
        pytest.param("quests: {a: [x, y, x]}", "quests.a[2]: the stage 'x' is named twice", id="stage"),
        pytest.param("quests: {a: []}", "quests.a: should not be empty", id="no stage"),
        pytest.param("events: [a, b, a]", "events[2]: the event 'a' is named twice", id="event"),
        pytest.param(
            "events: [wave]\ntools: [{name: wave, description: Wave.}]",
            "events[0]: 'wave' is the name of a tool too (give the event another)",
            id="event and tool",
        ),
        pytest.param(
            "timeline: [{date: 3, text: A war.}]",
            "timeline[0].date: the world has no calendar (write one under 'calendar:')",
            id="no calendar",
        ),
        pytest.param(
            "calendar: {months: {Thaw: 3}}\ntimeline: [{date: 3 Thow 3, text: A war.}]",
            "3:13: timeline[0].date: there is no month 'Thow' (did you mean 'Thaw'?)",
            id="date",
        ),
        pytest.param(
            "calendar: {months: {Thaw: 3}}\ntimeline: [{date: 3, text: A war.}, {date: 4, text: A war!}]",
            "timeline[1]: the id 'a-war' is given twice (as timeline[0]; give one of them an 'id:')",
            id="two of one id",
        ),
        pytest.param("timeline: [{date: true, text: A.}]", "timeline[0].date: should be text, not true", id="truth"),
        pytest.param("names: {Ysolde: {sya: A}}", "unknown key 'sya' (did you mean 'say'?)", id="name"),
        pytest.param("lore: {max_steps: 99}", "lore.max_steps: should be 32 or less, not 99", id="lore"),
        pytest.param("factions: {watch: [a]}", "factions.watch: should be text, not ['a']", id="faction"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, told: str) -> None:
    _, problems = _world(tmp_path, text)
    assert told in problems[0]
