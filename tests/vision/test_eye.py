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
    seen = await eye.look([PART, part("JPEG", corners(100, 200))], max_px=50, asker="mara", holder=object())
    assert [one.media_type for one in seen] == ["image/x-rgb8"] * 2
    assert [one.data[:12].hex(" ", 4) for one in seen] == ["00000032 00000019 00000096", "00000019 00000032 0000004b"]
    eye.close()


async def test_a_model_that_does_not_say_gets_the_usual_size() -> None:
    eye = Eye()
    (seen,) = await eye.look([part("PNG", corners(2 * USUAL_PX, 10))], max_px=0, asker="mara", holder=object())
    assert int.from_bytes(seen.data[:4], "big") == USUAL_PX
    eye.close()


async def test_a_refusal_names_the_picture() -> None:
    eye = Eye()
    with pytest.raises(RequestError, match=r"^images\[1\]: sent as image/png but is no PNG"):
        await eye.look([PART, ImagePart("image/png", b"x")], max_px=50, asker="mara", holder=object())
    with pytest.raises(RequestError, match="17 pictures at once"):
        await eye.look([PART] * (MAX_PICTURES + 1), max_px=50, asker="mara", holder=object())
    eye.close()


async def test_the_loop_goes_on_and_one_thread_decodes_them_all(gate: Gate) -> None:
    eye = Eye(timeout_s=60)
    looks = [asyncio.ensure_future(eye.look([PART], max_px=50, asker="mara", holder=object())) for _ in range(3)]
    while not gate.begun.is_set():
        await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.gather(*looks)
    assert len(gate.threads) == 3
    assert len(set(gate.threads)) == 1
    assert threading.get_ident() not in gate.threads
    eye.close()


async def begun(gate: Gate, eye: Eye, asker: str = "first") -> asyncio.Future[tuple[ImagePart, ...]]:
    """One look whose picture is being decoded, so that all others wait."""
    look = asyncio.ensure_future(eye.look([PART], max_px=50, asker=asker, holder=object()))
    while not gate.begun.is_set():
        await asyncio.sleep(0)
    return look


async def test_more_than_may_wait_are_overloaded_and_room_comes_back(gate: Gate) -> None:
    eye = Eye(max_waiting=2, timeout_s=60)
    first = await begun(gate, eye)
    looks = [asyncio.ensure_future(eye.look([PART], max_px=50, asker="mara", holder=object())) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="2 pictures wait already"):
        await eye.look([PART], max_px=50, asker="mara", holder=object())
    gate.opened.set()
    await asyncio.gather(first, *looks)
    assert await eye.look([PART], max_px=50, asker="mara", holder=object())
    eye.close()


async def test_a_picture_that_takes_too_long_is_given_up(gate: Gate) -> None:
    eye = Eye(timeout_s=0.01)
    with pytest.raises(Overloaded, match=r"not decoded within 0\.01 s"):
        await eye.look([PART], max_px=50, asker="mara", holder=object())
    gate.opened.set()
    eye.close()


async def test_who_waits_for_a_turn_too_long_is_given_up_and_leaves_the_line(gate: Gate) -> None:
    eye = Eye(max_waiting=1, turn_timeout_s=60, timeout_s=60)
    first = await begun(gate, eye)
    eye._turn_timeout_s = 0.01
    for _ in range(2):
        with pytest.raises(Overloaded, match=r"turn did not come within 0\.01 s"):
            await eye.look([PART], max_px=50, asker="mara", holder=object())
    gate.opened.set()
    await first
    assert len(gate.threads) == 1, "what was given up was never decoded"
    eye.close()


async def test_the_time_in_the_line_is_none_of_the_decoding(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float | None] = []
    timeout = asyncio.timeout

    def noted(delay: float | None) -> asyncio.Timeout:
        limits.append(delay)
        return timeout(delay)

    monkeypatch.setattr(asyncio, "timeout", noted)
    eye = Eye(turn_timeout_s=60, timeout_s=90)
    first = await begun(gate, eye)
    look = asyncio.ensure_future(eye.look([PART], max_px=50, asker="mara", holder=object()))
    while limits.count(60) < 2:
        await asyncio.sleep(0)
    assert limits.count(90) <= 1, "the second has no limit for its decoding while it waits"
    gate.opened.set()
    await asyncio.gather(first, look)
    assert limits.count(90) == 2
    eye.close()


async def test_each_asker_has_one_picture_in_turn(monkeypatch: pytest.MonkeyPatch, gate: Gate) -> None:
    order: list[int] = []
    eye = Eye(timeout_s=60)
    first = await begun(gate, eye)

    def noted(_part: ImagePart, max_px: int) -> Picture:
        order.append(max_px)
        return Picture(1, 1, b"rgb")

    monkeypatch.setattr(eye_module, "_decoded", noted)
    greedy = [
        asyncio.ensure_future(eye.look([PART], max_px=10 + place, asker="greedy", holder=object()))
        for place in range(4)
    ]
    await asyncio.sleep(0)
    other = [
        asyncio.ensure_future(eye.look([PART], max_px=20 + place, asker="other", holder=object())) for place in range(2)
    ]
    await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.gather(first, *greedy, *other)
    assert order == [10, 20, 11, 21, 12, 13]
    eye.close()


async def test_sixteen_looks_of_one_asker_keep_nobody_else_out(gate: Gate) -> None:
    eye = Eye(timeout_s=60)
    first = await begun(gate, eye)
    greedy = [
        asyncio.ensure_future(eye.look([PART] * 4, max_px=50, asker="greedy", holder=object())) for _ in range(16)
    ]
    await asyncio.sleep(0)
    other = asyncio.ensure_future(eye.look([PART], max_px=50, asker="other", holder=object()))
    await asyncio.sleep(0)
    gate.opened.set()
    assert await other
    assert not all(look.done() for look in greedy)
    for look in greedy:
        look.cancel()
    await asyncio.gather(first, *greedy, return_exceptions=True)
    eye.close()


async def test_a_cancelled_look_ends_at_once_and_gives_its_place_back(gate: Gate) -> None:
    eye = Eye(max_waiting=1, timeout_s=60)
    first = await begun(gate, eye)
    for _ in range(3):
        look = asyncio.ensure_future(eye.look([PART], max_px=50, asker="mara", holder=object()))
        await asyncio.sleep(0)
        look.cancel()
        await asyncio.wait([look])
        assert look.cancelled(), "and not overloaded by those before"
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    gate.opened.set()
    assert await eye.look([PART], max_px=50, asker="mara", holder=object())
    assert len(gate.threads) == 2, "those that waited were never begun"
    eye.close()


async def test_a_closed_eye_lets_nobody_wait(gate: Gate) -> None:
    eye = Eye()
    first = await begun(gate, eye)
    look = asyncio.ensure_future(eye.look([PART], max_px=50, asker="mara", holder=object()))
    await asyncio.sleep(0)
    eye.close()
    await asyncio.wait([look])
    assert look.cancelled()
    gate.opened.set()
    await first


async def test_pictures_that_would_take_too_much_together_are_overloaded_until_others_leave(gate: Gate) -> None:
    eye = Eye(max_bytes=2 * len(PART.data), timeout_s=60)
    first, holder = await begun(gate, eye), object()
    second = asyncio.ensure_future(eye.look([PART], max_px=50, asker="mara", holder=holder))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="pictures of other replies take"):
        await eye.look([PART], max_px=50, asker="mara", holder=object())
    gate.opened.set()
    await asyncio.gather(first, second)
    assert await eye.look([PART], max_px=50, asker="mara", holder=object())
    eye.close()


async def test_small_pictures_of_many_replies_have_room_together_where_large_ones_would_have_none() -> None:
    small = part("PNG", corners(64, 64))
    eye, holders = Eye(turn_timeout_s=600, timeout_s=60), [object() for _ in range(32)]
    looks = [eye.look([small] * 4, max_px=3_584, asker=str(at), holder=one) for at, one in enumerate(holders)]
    seen = await asyncio.gather(*looks)
    assert eye.room.held_bytes == sum(len(one.data) for pictures in seen for one in pictures)
    eye.close()


async def test_a_look_holds_each_picture_as_soon_as_it_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    eye, held = Eye(), list[int]()

    def noted(_part: ImagePart, _max_px: int) -> Picture:
        held.append(eye.room.held_bytes)
        return Picture(1, 1, b"rgb")

    monkeypatch.setattr(eye_module, "_decoded", noted)
    came_bytes, small_bytes = 3 * len(PART.data), 12 + 3
    await eye.look([PART] * 3, max_px=50, asker="mara", holder=object())
    assert held == [came_bytes, came_bytes + small_bytes, came_bytes + 2 * small_bytes]
    assert eye.room.held_bytes == 3 * small_bytes
    eye.close()


async def test_a_look_that_has_no_room_for_what_it_became_holds_nothing() -> None:
    eye = Eye(max_bytes=2 * (12 + 3 * 50 * 25))
    eye.room.take(other := object(), 1)
    for _ in range(2):
        with pytest.raises(Overloaded, match="pictures of other replies take"):
            await eye.look([PART] * 2, max_px=50, asker="mara", holder=object())
        assert eye.room.held_bytes == 1
    eye.room.leave(other)
    assert await eye.look([PART] * 2, max_px=50, asker="mara", holder=object())
    eye.close()


async def test_a_holder_has_room_for_what_it_was_given_until_it_leaves() -> None:
    eye, holder = Eye(max_bytes=1), object()
    seen = await eye.look([PART] * 2, max_px=50, asker="mara", holder=holder)
    assert eye.room.held_bytes == sum(len(one.data) for one in seen)
    with pytest.raises(Overloaded):
        await eye.look([PART], max_px=50, asker="mara", holder=object())
    eye.room.leave(holder)
    assert await eye.look([PART], max_px=50, asker="mara", holder=holder), "one alone has room whatever it brings"
    eye.close()


async def test_who_was_given_nothing_holds_nothing(gate: Gate) -> None:
    eye = Eye(timeout_s=60)
    with pytest.raises(RequestError, match="17 pictures"):
        await eye.look([PART] * 17, max_px=50, asker="mara", holder=object())
    look = await begun(gate, eye)
    assert eye.room.held_bytes > 0
    look.cancel()
    await asyncio.wait([look])
    assert eye.room.held_bytes == 0
    gate.opened.set()
    eye.close()
