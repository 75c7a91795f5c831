"""Pictures decoded off the loop: one at a time, so that their memory is that of one, and few may wait.

Those who ask take turns, a picture each, and all that they hold has one bound. Knows no session. One for the process,
EYE, since its limits are the process's. Called by session/reply.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from npc_sdk.errors import Overloaded, RequestError
from npc_sdk.messages import ImagePart
from npc_sdk.vision.picture import Picture
from npc_sdk.vision.room import Room
from npc_sdk.vision.turns import Turns

MAX_WAITING = 64
MAX_PICTURES = 16  # with one say; the bridge takes fewer
MAX_BYTES = 256 * 2**20  # of all replies
TURN_TIMEOUT_S = 30.0
TIMEOUT_S = 10.0
USUAL_PX = 1_024  # where a model does not say what it needs

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A picture in the line. begun is cancelled where nobody waits for it any more, and done once its turn has come."""

    part: ImagePart = field(repr=False)
    max_px: int
    begun: Future[None] = field(default_factory=Future)
    seen: Future[Picture] = field(default_factory=Future)


class Eye:
    """Safe to use from any loop. Units: turn_timeout_s until a picture's turn comes, timeout_s from then on."""

    def __init__(
        self,
        *,
        max_waiting: int = MAX_WAITING,
        max_bytes: int = MAX_BYTES,
        turn_timeout_s: float = TURN_TIMEOUT_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.room = Room(max_bytes)
        self._max_waiting = max_waiting
        self._turn_timeout_s = turn_timeout_s
        self._timeout_s = timeout_s
        self._turns: Turns[_Waiting] = Turns(max_waiting)
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="npc-eye")

    async def look(
        self, parts: Sequence[ImagePart], *, max_px: int, asker: str, holder: object
    ) -> tuple[ImagePart, ...]:
        """The pictures as raw RGB, their longer side at most max_px, or USUAL_PX where that is 0.

        Where several wait, each asker has one picture decoded in turn. Cancelled, it returns at once and its place is
        free; a picture that is being decoded is finished and thrown away. Until the look ends the holder has room for
        the pictures as they came and for those that are small already, how large nobody knows before; from then on for
        what it was given, until it leaves the room.
        Raises: RequestError that names the picture, Overloaded. The holder has no room then.
        """
        if len(parts) > MAX_PICTURES:
            raise RequestError(f"images: {len(parts)} pictures at once", hint=f"send at most {MAX_PICTURES}")
        max_px = max_px or USUAL_PX
        came_bytes, seen = _bytes_of(parts), list[ImagePart]()
        try:
            for index, part in enumerate(parts):
                self.room.take(holder, came_bytes + _bytes_of(seen))
                seen.append(await self._seen(index, part, max_px, asker))
            self.room.take(holder, _bytes_of(seen))
        except BaseException:
            self.room.leave(holder)
            raise
        return tuple(seen)

    def close(self) -> None:
        """Lets the thread end. Who still waits is cancelled."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        while (waiting := self._turns.take()) is not None:
            waiting.begun.cancel()

    async def _seen(self, index: int, part: ImagePart, max_px: int, asker: str) -> ImagePart:
        """Raises: RequestError that names the picture, Overloaded."""
        try:
            return (await self._decode(_Waiting(part, max_px), asker)).part()
        except RequestError as exc:
            raise RequestError(f"images[{index}]: {exc.message}", hint=exc.hint) from exc

    async def _decode(self, waiting: _Waiting, asker: str) -> Picture:
        """Raises: RequestError, Overloaded."""
        if not self._turns.put(asker, waiting):
            raise Overloaded(f"images: {self._max_waiting} pictures wait already", hint="send this one a little later")
        try:
            self._pool.submit(self._take_turn)
            late = f"images: a picture's turn did not come within {self._turn_timeout_s:g} s"
            await _within(self._turn_timeout_s, waiting.begun, Overloaded(late, hint="send it a little later"))
        finally:
            self._turns.drop(asker, waiting)
        late = f"images: a picture was not decoded within {self._timeout_s:g} s"
        return await _within(self._timeout_s, waiting.seen, Overloaded(late, hint="send a smaller one"))

    def _take_turn(self) -> None:
        """On the thread, as often as there were pictures; those that were given up have left the line."""
        waiting = self._turns.take()
        if waiting is None or not waiting.begun.set_running_or_notify_cancel():
            return
        waiting.seen.set_running_or_notify_cancel()  # from here on nobody can cancel it
        waiting.begun.set_result(None)
        try:
            picture = _decoded(waiting.part, waiting.max_px)
        except BaseException as exc:
            waiting.seen.set_exception(exc)
        else:
            waiting.seen.set_result(picture)


async def _within(timeout_s: float, work: Future[T], late: Overloaded) -> T:
    """What came of it. Too late or cancelled, work that has not begun never will."""
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.wrap_future(work)
    except TimeoutError:
        raise late from None


def _bytes_of(parts: Sequence[ImagePart]) -> int:
    return sum(len(part.data) for part in parts)


def _decoded(part: ImagePart, max_px: int) -> Picture:
    """On the thread, which loads the decoders when the first picture comes."""
    from npc_sdk.vision.decode import decode

    return decode(part, max_px=max_px)


EYE = Eye()
