"""What an NPC knows at a moment: scopes over the game's state, what it learned in play, its secrets, its feelings."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import RequestError, UnknownNpc
from npc_sdk.events import Notice
from npc_sdk.lore.content import WorldContent
from npc_sdk.lore.entry import Book, LoreEntry, Rules, Scope
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.prompt.trace import Part
from npc_sdk.settings import SessionSettings
from npc_sdk.world import World

from .stage import GIVE, hear

WORLD = WorldFile.model_validate(
    {
        "name": "Alderwick",
        "places": {"forge": {"name": "the forge", "aliases": ["smithy"]}, "gate": {"name": "the east gate"}},
        "factions": {"watch": "the village watch"},
        "events": ["insulted"],
        "quests": {"hammer": ["given", "done"]},
        "names": {"Ysolde": {"aliases": ["the lady"], "say": "ih-ZOLE-duh"}},
        "calendar": {"months": {"Thaw": 30, "Harvest": 30}, "today": "12 Harvest 1042"},
        "tools": [{"name": "give_item", "description": "Hand over.", "params": {"item": "string"}}],
    }
)
MARA = Persona.model_validate(
    {
        "name": "Mara",
        "role": "the smith",
        "voice": {"style": "gruff"},
        "tools": ["give_item"],
        "factions": ["watch"],
        "home": "forge",
        "mood": {"start": "calm", "moves": {"insulted": "angry"}, "fades_after": 4},
        "relationships": {
            "player": {"moves": {"give_item": 2, "insulted": -3}, "words": {-3: "You do not trust {{ who }}."}}
        },
        "secrets": [
            {
                "id": "varn",
                "text": "You owe Varn fifty coins.",
                "when": "relation.player >= 4",
                "hint": "You hide a debt.",
            }
        ],
        "greeting": ["Good {{ daytime }}, {{ player }}.", "What is it, {{ player }}?"],
    }
)
PIP = Persona.model_validate({"name": "Pip", "role": "a child", "voice": {"style": "cheeky"}})
ONE = Book("village", scan_depth=1)


def _lore(entry_id: str, text: str, key: str, **scope: Any) -> LoreEntry:
    return LoreEntry(entry_id, text, (key,), Scope(**scope), book=ONE)


LORE = (
    _lore("patrol", "The watch walks at dusk.", "patrol", factions=frozenset({"watch"})),
    _lore("anvil", "The anvil is cracked.", "anvil", places=frozenset({"forge"})),
    _lore("hammer", "The hammer lies in the well.", "hammer", when="quest == 'found'"),
    _lore("feast", "The feast is over.", "feast", since=WORLD.calendar.parse("1 Harvest 1042")),  # type: ignore[union-attr]
    _lore("lady", "Ysolde owns the land.", "ysolde"),
    LoreEntry(
        "flood",
        "The flood took the bridge.",
        ("flood",),
        Scope(since=WORLD.calendar.parse("3 Thaw 1030")),  # type: ignore[union-attr]
        book=ONE,
        day=WORLD.calendar.parse("3 Thaw 1030"),  # type: ignore[union-attr]
    ),
)


def _world(script: Any = "Hm.", *, lore: tuple[LoreEntry, ...] = LORE, tokens: int = 4096, **settings: Any) -> World:
    cast = MappingProxyType({"mara": MARA, "pip": PIP})
    engine = ScriptedEngine(script, context_tokens=tokens)
    return World(WorldContent(WORLD, cast, lore, Path()), engine, SessionSettings(**settings))


def _parts(world: World, npc_id: str, words: str, **state: Any) -> dict[str, Part]:
    trace = world.preview(npc_id, words, state=state).trace
    return {part.name: part for part in (*trace.parts, *trace.rest())}


def _text(world: World, npc_id: str, words: str, **state: Any) -> str:
    return "".join(segment.text for segment in world.preview(npc_id, words, state=state).segments)


@pytest.mark.parametrize(
    ("npc_id", "words", "state", "entry_id", "why"),
    [
        pytest.param("mara", "the patrol?", {}, "patrol", "", id="faction"),
        pytest.param("pip", "the patrol?", {}, "patrol", "known only to the watch", id="another faction"),
        pytest.param("mara", "the anvil?", {}, "anvil", "", id="at home"),
        pytest.param("mara", "the anvil?", {"place": "the east gate"}, "anvil", "known only at forge", id="elsewhere"),
        pytest.param("pip", "the anvil?", {"place": "Smithy"}, "anvil", "", id="a place by its other name"),
        pytest.param("mara", "the hammer?", {}, "hammer", "only when quest == 'found'", id="state not set"),
        pytest.param("mara", "the hammer?", {"quest": "open"}, "hammer", "only when quest == 'found'", id="stage"),
        pytest.param("mara", "the hammer?", {"quest": "found"}, "hammer", "", id="stage reached"),
        pytest.param("pip", "the feast?", {"date": "30 Thaw 1042"}, "feast", "has not happened yet", id="too early"),
        pytest.param("pip", "the feast?", {}, "feast", "", id="on the world's own day"),
        pytest.param("pip", "Who is the lady?", {}, "lady", "", id="a person by another name"),
    ],
)
def test_a_fact_is_known_where_its_scope_holds(
    npc_id: str, words: str, state: dict[str, Any], entry_id: str, why: str
) -> None:
    part = _parts(_world(), npc_id, words, **state)[entry_id]
    assert part.is_in is (why == "")
    assert why in part.why


def test_what_happened_is_told_with_how_long_ago_it_was() -> None:
    world = _world()
    assert "12 years ago: The flood took the bridge." in _text(world, "pip", "the flood?")
    assert "Today is 12 Harvest 1042." in _text(world, "pip", "the flood?")
    assert "The flood" not in _text(world, "pip", "the flood?", date="1 Thaw 1029").partition("the flood?")[0]


def test_a_fact_that_was_told_is_known_with_its_source_until_it_is_forgotten() -> None:
    world = _world()
    entry_id = world.learn("pip", "The  ferry is back.", source="told by Robin", keys=["ferry"])
    part = _parts(world, "pip", "the ferry?")[entry_id]
    assert (part.is_in, part.book) == (True, "learned")
    assert part.why.endswith("learned: told by Robin")
    assert "The ferry is back." in _text(world, "pip", "the ferry?")
    assert "ferry is back" not in _text(world, "mara", "the ferry?")
    assert world.learn("pip", "The ferry is back.", source="seen") == entry_id
    world.forget("pip", entry_id)
    assert "ferry is back" not in _text(world, "pip", "the ferry?")


def test_an_entry_that_is_revealed_is_known_whatever_its_scope() -> None:
    world = _world()
    assert not _parts(world, "pip", "the patrol?")["patrol"].is_in
    world.learn("pip", entry_id="patrol", source="saw it")
    part = _parts(world, "pip", "the patrol?")["patrol"]
    assert part.is_in
    assert part.why.endswith("learned: saw it")


@pytest.mark.parametrize(
    ("what", "error"),
    [
        pytest.param({"npc_id": "nobody", "text": "x", "source": "y"}, UnknownNpc, id="npc"),
        pytest.param({"npc_id": "pip", "source": "y"}, RequestError, id="nothing"),
        pytest.param({"npc_id": "pip", "text": "x", "entry_id": "patrol", "source": "y"}, RequestError, id="both"),
        pytest.param({"npc_id": "pip", "entry_id": "patrl", "source": "y"}, RequestError, id="entry"),
        pytest.param({"npc_id": "pip", "text": "x", "source": ""}, RequestError, id="source"),
        pytest.param({"npc_id": "pip", "text": "x" * 501, "source": "y"}, RequestError, id="long"),
        pytest.param({"npc_id": "pip", "text": "x", "source": "y", "keys": ["k"] * 9}, RequestError, id="keys"),
        pytest.param({"npc_id": "pip", "text": "x", "source": "y", "keys": ["/(/"]}, RequestError, id="broken pattern"),
        pytest.param({"npc_id": "pip", "text": "x", "source": "y", "keys": ["/(?=a)/"]}, RequestError, id="pattern"),
        pytest.param({"npc_id": "pip", "text": "x", "source": "y", "keys": ["?!"]}, RequestError, id="no word"),
        pytest.param({"npc_id": "pip", "text": "x", "source": "y", "keys": "well"}, RequestError, id="one text"),
        pytest.param({"npc_id": "pip", "text": "a\ud800b", "source": "y"}, RequestError, id="half a character"),
    ],
)
def test_what_cannot_be_learned_is_refused(what: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        _world().learn(what.pop("npc_id"), **what)


def test_the_near_name_of_an_entry_is_offered() -> None:
    with pytest.raises(RequestError, match="did you mean 'patrol'"):
        _world().learn("pip", entry_id="patrl", source="x")


def test_an_npc_learns_only_so_much() -> None:
    world = _world()
    for number in range(256):
        world.learn("pip", f"Fact {number}.", source="x")
    with pytest.raises(RequestError, match="has learned 256 facts"):
        world.learn("pip", "One more.", source="x")
    world.learn("mara", "One more.", source="x")


async def test_a_secret_comes_into_the_prompt_only_when_its_condition_holds() -> None:
    world = _world([GIVE, "There.", GIVE, "There.", "Well."])
    session = world.talk("mara", player="Robin")
    assert "fifty" not in _text(world, "mara", "Any debt?")
    assert "You hide a debt." in _text(world, "mara", "Any debt?")
    assert "only when relation.player >= 4" in _parts(world, "mara", "Any debt?")["mara.secret.varn"].why
    for _ in range(2):
        await hear(session, "Give me that.")
    assert world.temper("mara", player="Robin").relation == {"player": 4}
    preview = world.preview("mara", "Any debt?", player="Robin")
    assert "You owe Varn fifty coins." in "".join(segment.text for segment in preview.segments)
    assert "fifty" not in _text(world, "mara", "Any debt?")  # another player's friend is not Robin's


async def test_events_move_feelings_and_time_calms_them() -> None:
    world = _world("Hm.")
    felt = world.happen("insulted", "mara", player="Robin")
    assert (felt.mood, felt.relation) == ("angry", {"player": -3})
    text = "".join(part.text for part in world.preview("mara", "Hello.", player="Robin").segments)
    assert "Your mood: angry." in text
    assert "You do not trust Robin." in text
    session = world.talk("mara", player="Robin")
    for _ in range(3):
        await hear(session, "I am sorry.")
    assert world.temper("mara", player="Robin").mood == "calm"
    assert world.temper("mara", player="Robin").relation == {"player": -3}
    with pytest.raises(RequestError, match="did you mean 'insulted'"):
        world.happen("insulte", "mara")


async def test_a_greeting_is_the_first_whose_variables_are_set() -> None:
    world = _world()
    assert world.talk("mara", player="Robin").greeting == "What is it, Robin?"
    world.set_state({"daytime": "evening"})
    assert world.talk("mara", player="Robin").greeting == "Good evening, Robin."


async def test_timers_hold_on_for_the_turns_that_come_about_and_for_no_guess() -> None:
    sticky = LoreEntry("storm", "A storm is near.", ("storm",), rules=Rules(sticky=3, is_searchable=False), book=ONE)
    world = _world("Aye.", lore=(sticky,))
    session = world.talk("pip")
    session.typing("A storm? ")
    requests = world.engine.requests  # type: ignore[attr-defined]
    heard = []
    for words in ("Hello.", "A storm?", "And now?", "And later?"):
        await hear(session, words)
        heard.append(any("A storm is near." in segment.text for segment in requests[-1].segments))
    assert heard == [False, True, True, False]


async def test_an_essential_that_the_window_cannot_hold_is_told_as_a_notice() -> None:
    essential = LoreEntry("oath", "w " * 400, rules=Rules(is_constant=True, is_essential=True))
    world = _world("Aye.", lore=(essential,), tokens=400, reply_tokens=40)
    events = await hear(world.talk("pip"), "Hello.")
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert (notice.code, notice.subject) == ("essential_dropped", "oath")
    assert "tokens, " in notice.message


async def test_chance_falls_the_same_for_a_guess_and_for_the_reply() -> None:
    rare = tuple(
        LoreEntry(f"r{n}", f"Rumour {n}.", ("rumour",), rules=Rules(probability=50, is_searchable=False), book=ONE)
        for n in range(24)
    )
    world = _world("Aye.", lore=rare, lore_limit=32, lore_seed=7)
    session = world.talk("pip", player="Robin")
    guessed = world.preview("pip", "A rumour?", player="Robin").trace
    await hear(session, "A rumour?")
    told = "".join(segment.text for segment in world.engine.requests[-1].segments)  # type: ignore[attr-defined]
    names = {part.name for part in guessed.parts if part.is_in and part.kind == "lore"}
    assert names == {f"r{n}" for n in range(24) if f"Rumour {n}." in told}
    assert 4 < len(names) < 20


def test_names_are_said_as_the_world_says() -> None:
    assert _world().pronunciations == {"Ysolde": "ih-ZOLE-duh"}


def test_a_learned_fact_takes_an_id_that_the_lore_has_not() -> None:
    world = _world(lore=(LoreEntry("pip.learned.1", "An old tale.", ("tale",), book=ONE),))
    assert world.learn("pip", "The ferry is back.", source="seen", keys=["ferry"]) == "pip.learned.2"
    assert "The ferry is back." in _text(world, "pip", "the ferry?")


@pytest.mark.parametrize("date", ["12 Harvst 100", "31 Thaw 1042", True, [], {"day": 3}])
def test_a_date_that_cannot_be_read_is_refused(date: Any) -> None:
    world = _world()
    for tell in (
        lambda: world.set_state({"date": date}),
        lambda: world.set_state({"date": date}, "pip"),
        lambda: world.preview("pip", "Hm?", state={"date": date}),
    ):
        with pytest.raises(RequestError, match="date: "):
            tell()


@pytest.mark.parametrize(("place", "is_in"), [(" THE  Forge ", True), (5, False), ("the moon", False), ("", False)])
def test_a_place_that_nobody_knows_opens_nothing_and_is_told(place: Any, is_in: bool) -> None:
    world = _world()
    assert _parts(world, "mara", "the anvil?", place=place)["anvil"].is_in is is_in
    faults = [part.why for part in world.preview("mara", "Hm?", state={"place": place}).trace.dropped]
    assert any("is no place of the world" in why for why in faults) is not is_in


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"self": 1}, ""),
        ({"relation": 5}, "relation: should be a map"),
        ({"relation": {"playr": 9}}, "did you mean 'player'?"),
        ({"relation": {"player": "much"}}, "relation.player: should be a whole number, not 'much'"),
        ({"mood": ["x"]}, "mood: should be text"),
        ({"quests": {"hamer": "done"}}, "there is no quest 'hamer' (did you mean 'hammer'?)"),
        ({"quests": {"hammer": "don"}}, "there is no stage 'don' (did you mean 'done'?)"),
        ({"quests": "done"}, "quests: should be a map"),
    ],
    ids=str,
)
def test_no_variable_of_the_game_breaks_or_opens_conditions(state: dict[str, Any], told: str) -> None:
    world = _world()
    assert any(told in part.why for part in world.preview("mara", "Hm?", state=state).trace.dropped)
    assert _parts(world, "mara", "the hammer?", quest="found", **state)["hammer"].is_in
    assert not _parts(world, "mara", "Any debt?", **state)["mara.secret.varn"].is_in


def test_a_game_may_set_feelings_and_they_hold_everywhere() -> None:
    state: dict[str, Any] = {"relation": {"player": -9}, "mood": "gloomy"}
    world = _world()
    text = _text(world, "mara", "Hm?", **state)
    assert "Your mood: gloomy." in text
    assert "You do not trust Traveller." in text
    world.set_state({"relation": {"player": 99}}, "mara")
    assert "You owe Varn fifty coins." in _text(world, "mara", "Hm?")


async def test_what_the_player_said_may_still_forbid_an_entry_of_the_last_sentence() -> None:
    rules = Rules(excluded_keys=("smith",), is_searchable=False)
    mine = LoreEntry("mine", "The mine is deep.", ("mine",), rules=rules, book=Book("b", scan_depth=2))
    near = LoreEntry("shaft", "The shaft is dark.", ("shaft",), rules=Rules(is_searchable=False), book=ONE)
    world = _world("Ask at the mine, by the shaft.", lore=(mine, near))
    session = world.talk("pip")
    await hear(session, "Hello.")
    trace = world.preview("pip", "Where is the smith?", history=session.history).trace
    parts = {part.name: part for part in (*trace.parts, *trace.rest())}
    assert not parts["mine"].is_in
    assert "'smith'" in parts["mine"].why
    assert parts["shaft"].why == "in the NPC's last sentence: key 'shaft' was said"


async def test_an_effect_begins_only_for_what_the_prompt_held() -> None:
    rested = Rules(cooldown=6, is_searchable=False)
    lore = tuple(LoreEntry(f"r{n}", f"Rumour {n}.", ("rumour",), rules=rested, book=ONE) for n in range(5))
    world = _world("Aye.", lore=lore, lore_limit=2)
    session = world.talk("pip")
    requests = world.engine.requests  # type: ignore[attr-defined]
    told = []
    for _ in range(3):
        await hear(session, "A rumour?")
        text = "".join(segment.text for segment in requests[-1].segments)
        told.append([n for n in range(5) if f"Rumour {n}." in text])
    assert told == [[0, 1], [2, 3], [4]]


async def test_a_reply_of_several_rounds_is_one_message() -> None:
    delayed = LoreEntry("late", "It is late.", ("hour",), rules=Rules(delay=4, is_searchable=False), book=ONE)
    world = _world([GIVE, "There.", "Aye.", "Aye."], lore=(delayed,))
    session = world.talk("mara", player="Robin")  # the greeting is the first message
    requests = world.engine.requests  # type: ignore[attr-defined]
    await hear(session, "The hour?")
    assert "It is late." not in "".join(segment.text for segment in requests[-1].segments)
    await hear(session, "The hour?")
    assert "It is late." in "".join(segment.text for segment in requests[-1].segments)


async def test_an_edited_start_moves_feelings_that_nothing_has_moved() -> None:
    world = _world("Hm.")
    await hear(world.talk("mara", player="Robin"), "Hello.")
    changed = MARA.model_copy(
        update={"mood": MARA.mood.model_copy(update={"start": "merry"})}  # type: ignore[union-attr]
    )
    content = WorldContent(WORLD, MappingProxyType({"mara": changed, "pip": PIP}), LORE, Path())
    world.adopt(world.prepare(content))
    assert world.temper("mara", player="Robin").mood == "merry"
