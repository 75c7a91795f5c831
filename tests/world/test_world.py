"""A world loads a folder, opens and ends sessions, and previews the very prompt that a reply begins with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

import npc_sdk
from npc_sdk import world as world_module
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import (
    ContentError,
    DuplicateRequest,
    Overloaded,
    PromptTooLong,
    RequestError,
    SettingsError,
    UnknownNpc,
    UnknownSession,
)
from npc_sdk.events import ReplyFinished, TextDelta
from npc_sdk.messages import ImagePart, Message
from npc_sdk.session import ahead
from npc_sdk.settings import SessionSettings
from npc_sdk.vision.eye import EYE
from npc_sdk.world import World

VILLAGE = Path(__file__).parents[2] / "personas"
GIVE = '<toolcall> {"name": "give_item", "arguments": {"item": "lantern"}} </toolcall>'

FILES = {
    "world/world.yaml": "name: Alderwick\ntools:\n  - {name: wave, description: Wave.}\n",
    "world/lore/places.md": "## The mill\nkeys: mill\nThe mill burned down.\n",
    "mara/persona.yaml": (
        "name: Mara\nrole: the smith\nvoice: {style: gruff}\ntools: [wave]\ngreeting: Yes?\n"
        'situation: ["You hold: {{ holds }}.", "Quest: {{ quest }}."]\nsampling: {temperature: 0.1}\n'
    ),
    "pip/persona.yaml": "name: Pip\nrole: a child\nvoice: {style: cheeky}\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def world(folder: Path) -> World:
    return World.load(folder, ScriptedEngine(lambda _request: "Aye."))


async def test_a_folder_becomes_a_cast_to_talk_to(folder: Path) -> None:
    engine = ScriptedEngine("Aye.")
    world = World.load(str(folder), engine, SessionSettings(reply_tokens=50))
    assert {npc_id: persona.name for npc_id, persona in world.cast.items()} == {"mara": "Mara", "pip": "Pip"}
    mara = world.talk("mara", player="Robin")
    assert (mara.npc_id, mara.greeting, mara.player) == ("mara", "Yes?", "Robin")
    text = [event.text async for event in mara.say("Hello") if isinstance(event, TextDelta)]
    assert text == ["Aye."]
    assert engine.requests[0].sampling.temperature == 0.1
    assert engine.requests[0].sampling.max_new_tokens == 50
    await world.close()


def test_a_wrong_folder_is_a_content_error(folder: Path) -> None:
    (folder / "pip" / "persona.yaml").write_text("name: Pip\nrol: a child\n", encoding="utf-8")
    with pytest.raises(ContentError):
        World.load(folder, ScriptedEngine("Aye."))


@pytest.mark.parametrize("formats", [{"chat_format": "alpaca"}, {"tool_format": "xml"}], ids=["chat", "tool"])
def test_a_format_nobody_wrote_fails_at_set_up(folder: Path, formats: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="unknown"):
        World.load(folder, ScriptedEngine("Aye.", **formats))  # type: ignore[arg-type]


def test_sessions_are_found_by_id_until_they_end(world: World) -> None:
    one, two = world.talk("mara"), world.talk("mara", session_id="save-1")
    assert one.session_id != two.session_id
    assert world.session("save-1") is two
    world.end("save-1")
    with pytest.raises(UnknownSession, match="'save-1'"):
        world.session("save-1")
    with pytest.raises(UnknownSession):
        world.end("save-1")
    assert world.session(one.session_id) is one


def test_an_id_can_be_taken_once_and_must_be_one(world: World) -> None:
    world.talk("mara", session_id="a")
    with pytest.raises(DuplicateRequest, match="'a'"):
        world.talk("pip", session_id="a")
    for wrong in ("", "x" * 129):
        with pytest.raises(RequestError, match="no session id"):
            world.talk("mara", session_id=wrong)


def test_an_unknown_npc_is_named_with_the_nearest(world: World) -> None:
    with pytest.raises(UnknownNpc, match=r"'marra'.*did you mean 'mara'"):
        world.talk("marra")
    with pytest.raises(UnknownNpc):
        world.set_state({"a": 1}, "nobody")
    with pytest.raises(UnknownNpc):
        world.preview("nobody", "Hello")


@pytest.mark.parametrize(
    "player", ["", "  ", "x" * 61, "a\nb", "a\u202eb"], ids=["empty", "blank", "long", "line", "bidi"]
)
def test_a_player_needs_a_name_on_one_line(world: World, player: str) -> None:
    with pytest.raises(RequestError, match="no player name"):
        world.talk("mara", player=player)


def test_the_number_of_sessions_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "MAX_SESSIONS", 2)
    first, _ = world.talk("mara"), world.talk("mara")
    with pytest.raises(Overloaded, match="2 sessions"):
        world.talk("mara")
    world.end(first.session_id)
    world.talk("mara")


async def test_the_preview_is_the_prompt_that_the_reply_begins_with(folder: Path) -> None:
    engine = ScriptedEngine("Aye.")
    world = World.load(folder, engine)
    world.set_state({"holds": "a sword"}, "mara")
    mara = world.talk("mara", player="Robin")
    preview = world.preview("mara", "What of the mill?", player="Robin", history=mara.history)
    assert not engine.requests
    _ = [event async for event in mara.say("What of the mill?")]
    assert engine.requests[0].segments == preview.segments
    assert engine.requests[0].messages == preview.messages
    assert preview.trace.total_tokens == engine.count_tokens(preview.segments)


def test_the_preview_tells_what_is_in_and_what_is_out_and_why(world: World) -> None:
    world.set_state({"holds": "a sword"})
    preview = world.preview("mara", "Hello", state={"holds": "an axe"}, history=(Message("assistant", "Yes?"),))
    text = "".join(segment.text for segment in preview.segments)
    assert "You hold: an axe." in text
    assert {part.kind: part.why for part in preview.trace.dropped} == {
        "situation": "'Quest: {{ quest }}.': 'quest' is not set",
    }
    assert {part.why for part in preview.trace.rest()} == {"no key or word of it was said"}


def test_a_preview_checks_its_state_and_its_size(world: World) -> None:
    with pytest.raises(RequestError, match="holds is nan"):
        world.preview("mara", "Hello", state={"holds": float("nan")})
    with pytest.raises(PromptTooLong):
        world.preview("mara", "word " * 5000)


@pytest.mark.parametrize(("guest", "asker"), [("7", "7"), ("", "save-1")], ids=["guest", "alone"])
async def test_pictures_take_turns_by_guest(
    folder: Path, monkeypatch: pytest.MonkeyPatch, guest: str, asker: str
) -> None:
    askers: list[str] = []

    async def look(parts: Sequence[ImagePart], *, asker: str, **_others: object) -> tuple[ImagePart, ...]:
        askers.append(asker)
        return tuple(parts)

    monkeypatch.setattr(EYE, "look", look)
    world = World.load(folder, ScriptedEngine("Aye.", has_vision=True))
    session = world.talk("mara", session_id="save-1", guest=guest)
    async for _event in session.say("Look.", images=(ImagePart("image/png", b"x"),)):
        pass
    assert askers == [asker]
    await world.close()


async def test_each_player_of_each_guest_approaches_for_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "RESTS", 0)
    engine = ScriptedEngine("Aye.")
    world = World.load(folder, engine)
    for guest in ("1", "2"):
        for player in ("Robin", "Alda"):
            world.approach("mara", player=player, guest=guest)
    await asyncio.sleep(0)
    assert len(engine.prefills) == 4, "none took the place of another"
    world.approach("mara", player="Robin", guest="1")
    world.depart("1")
    await asyncio.sleep(0)
    assert len(engine.prefills) == 4, "whoever is gone approaches nobody"
    await world.close()


async def test_closing_the_world_ends_replies_as_cancelled_and_closes_the_engine(folder: Path) -> None:
    engine = ScriptedEngine("One two three.")
    world = World.load(folder, engine)
    mara = world.talk("mara")
    stream = mara.say("Hello")
    first = await anext(stream)
    assert isinstance(first, TextDelta)
    await world.close()
    *_, last = [event async for event in stream]
    assert isinstance(last, ReplyFinished)
    assert last.finish_reason == "cancelled"
    assert engine.is_closed
    with pytest.raises(UnknownSession):
        world.session(mara.session_id)


async def test_ten_lines_are_enough_to_talk_to_the_village() -> None:
    script = [("give_item accepted", "Take care of it."), ("", f"Here.\n{GIVE}")]
    world = npc_sdk.World.load(VILLAGE, npc_sdk.create_engine("scripted", script=script))
    world.set_state({"holds": ["lantern"]}, "mara")
    mara = world.talk("mara", player="Robin")
    said = ""
    async for event in mara.say("Do you have any work for me?"):
        if isinstance(event, npc_sdk.TextDelta):
            said += event.text
        elif isinstance(event, npc_sdk.ToolCall):
            mara.tool_result(event.call.call_id, "accepted")
    await world.close()
    assert said == "Here. Take care of it."


@pytest.mark.parametrize("npc_id", ["mara", "tobin", "elsbeth", "corvin", "pip"])
def test_everybody_in_the_village_has_a_prompt_that_fits_a_small_window(npc_id: str) -> None:
    world = World.load(VILLAGE, ScriptedEngine("Aye.", context_tokens=2048))
    preview = world.preview(npc_id, "What do you know about the mill and the old well?")
    assert preview.trace.total_tokens + preview.trace.reply_tokens <= 2048
    assert any(part.kind == "lore" and part.is_in for part in preview.trace.parts)
