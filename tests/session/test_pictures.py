"""What a reply holds of the player's pictures: as they came until they are small, small ones until its end."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from vision.pictures import Watched, part

from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import Overloaded, RequestError
from npc_sdk.events import TextDelta
from npc_sdk.session import Session
from npc_sdk.vision.eye import EYE
from npc_sdk.vision.room import Room

from .stage import GIVE, end_of, failure_of, hear, make_world

PICTURE = part("PNG")


@pytest.fixture
def session() -> Session:
    engine = ScriptedEngine([GIVE, "Here."], has_vision=True, image_px=8)
    session: Session = make_world(engine).talk("mara", player="Robin")
    session._scene.state.set({"holds": ["sword"]}, None)
    return session


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """Megabytes are let go at once, not when the garbage of small things has piled up."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    room = Room(10_000)
    monkeypatch.setattr(EYE, "room", room)
    return room


async def test_the_first_word_comes_when_only_the_small_ones_are_held(session: Session, room: Room) -> None:
    watched = Watched(PICTURE.data)
    stream = session.say("Look.", images=(watched.take(),))
    while not isinstance(await anext(stream), TextDelta):
        pass
    assert watched.is_gone
    assert 0 < room.held_bytes <= 12 + 3 * 8 * 8
    await stream.aclose()
    assert room.held_bytes == 0


async def test_a_reply_that_ended_holds_none(session: Session, room: Room) -> None:
    assert end_of(await hear(session, images=(PICTURE,))).finish_reason == "stop"
    assert room.held_bytes == 0


async def test_what_is_no_picture_is_let_go_with_its_refusal(session: Session, room: Room) -> None:
    watched = Watched(PICTURE.data[:-30])
    events = await hear(session, images=(watched.take(),))
    assert isinstance(failure_of(events).error, RequestError)
    assert watched.is_gone
    assert room.held_bytes == 0


async def test_without_room_a_reply_is_overloaded_and_lets_go(session: Session, room: Room) -> None:
    other = object()
    room.take(other, 9_999)
    watched = Watched(PICTURE.data)
    events = await hear(session, images=(watched.take(),))
    assert isinstance(failure_of(events).error, Overloaded)
    assert watched.is_gone
    room.leave(other)
    assert end_of(await hear(session, images=(PICTURE,))).text
