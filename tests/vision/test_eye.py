"""Off the loop, one at a time, few waiting, and never longer than allowed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from npc_sdk.errors import Overloaded, RequestError
from npc_sdk.messages import ImagePart
from npc_sdk.vision import eye as eye_module
from npc_sdk.vision.eye import MAX_PICTURES, USUAL_PX, Eye
from npc_sdk.vision.picture import Picture

from .pictures import corners, part

PART = part("PNG")


class Gate:
    """Decoding that waits until it is let on; remembers on which thread it was done."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.begun = threading.Event()
        self.threads: list[int] = []

    def __call__(self, _part: ImagePart, _max_px: int) -> Picture:
        self.threads.append(threading.get_ident())
        self.begun.set()
        assert self.opened.wait(60)
        return Picture(1, 1, b"rgb")


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    held = Gate()
    monkeypatch.setattr(eye_module, "_decoded", held)
    yield held
    held.opened.set()


async def test_pictures_come_back_small_and_raw_in_their_order() -> None:
    eye = Eye()
    seen = await eye.look([PART, part("JPEG", corners(100, 200))], max_px=50)
    assert [one.media_type for one in seen] == ["image/x-rgb8"] * 2
    assert [one.data[:12].hex(" ", 4) for one in seen] == ["00000032 00000019 00000096", "00000019 00000032 0000004b"]
    eye.close()


async def test_a_model_that_does_not_say_gets_the_usual_size() -> None:
    eye = Eye()
    (seen,) = await eye.look([part("PNG", corners(2 * USUAL_PX, 10))], max_px=0)
    assert int.from_bytes(seen.data[:4], "big") == USUAL_PX
    eye.close()


async def test_a_refusal_names_the_picture() -> None:
    eye = Eye()
    with pytest.raises(RequestError, match=r"^images\[1\]: sent as image/png but is no PNG"):
        await eye.look([PART, ImagePart("image/png", b"x")], max_px=50)
    with pytest.raises(RequestError, match="17 pictures at once"):
        await eye.look([PART] * (MAX_PICTURES + 1), max_px=50)
    eye.close()


async def test_the_loop_goes_on_and_one_thread_decodes_them_all(gate: Gate) -> None:
    eye = Eye(timeout_s=60)
    looks = [asyncio.ensure_future(eye.look([PART], max_px=50)) for _ in range(3)]
    while not gate.begun.is_set():
        await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.gather(*looks)
    assert len(gate.threads) == 3
    assert len(set(gate.threads)) == 1
    assert threading.get_ident() not in gate.threads
    eye.close()


async def test_more_than_may_wait_are_overloaded_and_room_comes_back(gate: Gate) -> None:
    eye = Eye(max_waiting=2, timeout_s=60)
    looks = [asyncio.ensure_future(eye.look([PART], max_px=50)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="2 pictures wait already"):
        await eye.look([PART], max_px=50)
    gate.opened.set()
    await asyncio.gather(*looks)
    assert await eye.look([PART], max_px=50)
    eye.close()


async def test_a_picture_that_takes_too_long_is_given_up(gate: Gate) -> None:
    eye = Eye(timeout_s=0.01)
    with pytest.raises(Overloaded, match=r"not decoded within 0\.01 s"):
        await eye.look([PART], max_px=50)
    gate.opened.set()
    eye.close()


async def test_a_cancelled_look_ends_at_once_and_gives_its_room_back(gate: Gate) -> None:
    eye = Eye(max_waiting=2, timeout_s=60)
    looks = [asyncio.ensure_future(eye.look([PART], max_px=50)) for _ in range(2)]
    while not gate.begun.is_set():
        await asyncio.sleep(0)
    for look in looks:
        look.cancel()
    await asyncio.wait(looks)
    assert all(look.cancelled() for look in looks)
    gate.opened.set()
    assert await eye.look([PART], max_px=50)
    assert len(gate.threads) == 2, "the one that waited was never begun"
    eye.close()
