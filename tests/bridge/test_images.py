"""Screenshots from a client's frames to the engine: every form arrives small, right and in one form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from vision.pictures import CORNERS, Watched, corner_pixels, corners, is_near, part, png, png_chunk, png_head, raw

from game_bridge import message as wire
from game_bridge.reply import Order, Reply
from game_bridge.server import BridgeServer
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.events import Event, ReplyFinished, TextDelta
from npc_sdk.lore.content import WorldContent
from npc_sdk.messages import ImagePart
from npc_sdk.persona.schema import Persona, Voice, WorldFile
from npc_sdk.requests import Priority
from npc_sdk.vision.decode import decode
from npc_sdk.vision.eye import EYE
from npc_sdk.vision.room import Room
from npc_sdk.world import World

from .asking import eventually
from .conftest import PATIENCE_S, RawClient, quick_settings
from .fakes import FakeSession

IMAGE_PX = 448
BIG = corners(1_920, 1_080)
MARA = Persona(name="Mara", role="the smith", voice=Voice(style="calm"))


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine("A door.", has_vision=True, image_px=IMAGE_PX)


@pytest.fixture
async def client(engine: ScriptedEngine) -> AsyncIterator[RawClient]:
    world = World(WorldContent(WorldFile(name="Alderwick"), {"mara": MARA}, (), Path()), engine)
    async with BridgeServer(world, quick_settings()) as server:
        client = RawClient(server.address)
        assert "images" in (await client.hello()).capabilities
        yield client
        client.close()
    await world.close()


async def show(client: RawClient, *parts: ImagePart, request_id: str = "q-1") -> wire.Finished | wire.Failed:
    """The end of a say with pictures, which is its only one."""
    session_id = await client.talk()
    types = tuple(one.media_type for one in parts)
    say = wire.Say(request_id=request_id, session_id=session_id, text="Look.", images=types)  # type: ignore[arg-type]
    await client.send(say, [one.data for one in parts])
    messages = await client.until_end(request_id)
    ends = [one for one in messages if isinstance(one, wire.Finished | wire.Failed)]
    assert ends == [messages[-1]]
    return ends[0]


@pytest.mark.parametrize(
    "screenshot",
    [
        pytest.param(part("PNG", BIG), id="png"),
        pytest.param(part("JPEG", BIG, quality=90), id="jpeg"),
        pytest.param(part("WEBP", BIG, quality=90, method=0), id="webp"),
        pytest.param(raw(corners(960, 540), padding=4), id="raw-rgb"),
        pytest.param(raw(corners(960, 540, mode="RGBA"), padding=256), id="raw-rgba"),
    ],
)
async def test_a_screenshot_of_each_form_arrives_small_and_right(
    client: RawClient, engine: ScriptedEngine, screenshot: ImagePart
) -> None:
    assert isinstance(await show(client, screenshot), wire.Finished)
    (seen,) = engine.requests[0].messages[-1].images
    assert seen.media_type == "image/x-rgb8"
    picture = decode(seen, max_px=IMAGE_PX)
    assert (picture.width, picture.height) == (448, 252)
    for found, wanted in zip(corner_pixels(picture), CORNERS, strict=True):
        assert is_near(found, wanted), (found, wanted)


async def test_several_pictures_arrive_in_their_order(client: RawClient, engine: ScriptedEngine) -> None:
    plain = [Image.new("RGB", (20, 10), colour) for colour in CORNERS]
    shown = [part("PNG", plain[0]), raw(plain[1]), part("WEBP", plain[2], lossless=True), part("JPEG", plain[3])]
    assert isinstance(await show(client, *shown), wire.Finished)
    seen = [decode(one, max_px=IMAGE_PX) for one in engine.requests[0].messages[-1].images]
    assert len(seen) == 4
    assert all(is_near(corner_pixels(one)[0], wanted) for one, wanted in zip(seen, CORNERS, strict=True))


@pytest.mark.parametrize(
    ("pictures", "told"),
    [
        pytest.param([ImagePart("image/png", b"GIF89a")], "images[0]: sent as image/png but is no PNG", id="gif"),
        pytest.param([ImagePart("image/jpeg", part("PNG").data)], "images[0]: sent as image/jpeg but", id="wrong-type"),
        pytest.param([part("PNG"), ImagePart("image/png", part("PNG").data[:-30])], "images[1]: the file is", id="cut"),
        pytest.param(
            [ImagePart("image/png", png(png_head(60_000, 60_000), png_chunk(b"IDAT", b"x")))],
            "images[0]: 60000 × 60000 pixels",
            id="lying-header",
        ),
        pytest.param([ImagePart("image/x-rgb8", bytes(12))], "images[0]: 0 × 0 pixels", id="empty-raw"),
    ],
)
async def test_a_picture_that_is_none_ends_the_reply_and_nothing_else(
    client: RawClient, engine: ScriptedEngine, pictures: list[ImagePart], told: str
) -> None:
    end = await show(client, *pictures)
    assert isinstance(end, wire.Failed)
    assert end.code == "bad_request"
    assert end.message.startswith(told)
    assert end.hint
    assert not engine.requests
    assert isinstance(await show(client, part("PNG"), request_id="q-2"), wire.Finished)


@pytest.mark.parametrize(
    "pictures",
    [
        pytest.param([part("PNG")] * 5, id="more"),
        pytest.param([ImagePart("image/png", bytes(2**23 + 1))], id="larger"),
    ],
)
async def test_more_or_larger_pictures_than_the_welcome_says_are_too_large(
    client: RawClient, engine: ScriptedEngine, pictures: list[ImagePart]
) -> None:
    session_id = await client.talk()
    types = tuple(one.media_type for one in pictures)
    say = wire.Say(request_id="q-1", session_id=session_id, text="Look.", images=types)  # type: ignore[arg-type]
    answer = await client.ask(say, [one.data for one in pictures])
    assert isinstance(answer, wire.Error | wire.Failed)
    assert answer.code == "too_large"
    assert not engine.requests


async def test_a_say_is_cancelled_while_its_picture_is_decoded(
    client: RawClient, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def never_ready(*_: object, max_px: int, asker: str, **__: object) -> tuple[ImagePart, ...]:
        begun.set()
        assert max_px == IMAGE_PX
        assert asker == "1", "a connection's pictures share its turns"
        await asyncio.Event().wait()
        raise AssertionError("nobody sets the event")

    monkeypatch.setattr(EYE, "look", never_ready)
    session_id = await client.talk()
    say = wire.Say(request_id="q-1", session_id=session_id, text="Look.", images=("image/png",))
    await client.send(say, [part("PNG").data])
    await begun.wait()
    await client.send(wire.Cancel(request_id="q-1"))
    (end,) = await client.until_end("q-1")
    assert isinstance(end, wire.Finished)
    assert end.finish_reason == "cancelled"
    assert not engine.requests


async def test_a_say_whose_picture_takes_too_long_times_out(
    client: RawClient, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_ready(*_: object, **__: object) -> tuple[ImagePart, ...]:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets the event")

    monkeypatch.setattr(EYE, "look", never_ready)
    session_id = await client.talk()
    say = wire.Say(request_id="q-1", session_id=session_id, text="Look.", images=("image/png",), timeout_s=0.05)
    await client.send(say, [part("PNG").data])
    (end,) = await client.until_end("q-1")
    assert isinstance(end, wire.Failed)
    assert end.code == "timeout"
    assert not engine.requests


async def test_pictures_of_all_replies_have_one_bound(client: RawClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EYE, "room", room := Room(1_000_000))
    room.take(other := object(), 999_999)
    end = await show(client, part("PNG"))
    assert isinstance(end, wire.Failed)
    assert (end.code, end.retryable) == ("overloaded", True)
    room.leave(other)
    assert isinstance(await show(client, part("PNG"), request_id="q-2"), wire.Finished)
    assert room.held_bytes == 0


class Blind(FakeSession):
    """Lets go of what it is shown at once."""

    def say(self, text: str, **given: Any) -> AsyncIterator[Event]:
        return self._act(text, given["request_id"], asyncio.Event())


async def test_pictures_are_the_sessions_alone_once_it_was_asked() -> None:
    told: list[Event] = []
    watched = Watched(part("PNG").data)
    order = Order("q", "slow", (watched.take(),), Priority.PLAYER, PATIENCE_S)
    reply = Reply(Blind("s", "mara", ""), order, told.append, grace_s=PATIENCE_S)
    del order
    await eventually(lambda: bool(told))
    assert not reply.is_ended
    assert watched.is_gone
    reply.abort(None)
    assert [type(event) for event in told] == [TextDelta, ReplyFinished]
