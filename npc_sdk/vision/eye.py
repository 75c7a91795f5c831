"""Pictures decoded off the loop: one at a time, so that their memory is that of one, and few may wait.

Knows no session. One for the process, EYE, since its limits are the process's. Called by session/reply.py.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from npc_sdk.errors import Overloaded, RequestError
from npc_sdk.messages import ImagePart
from npc_sdk.vision.picture import Picture

MAX_WAITING = 16
MAX_PICTURES = 16  # with one say; the bridge takes fewer
TIMEOUT_S = 10.0
USUAL_PX = 1_024  # where a model does not say what it needs


class Eye:
    """Safe to use from any loop. Units: timeout_s for one picture, waiting for its turn included."""

    def __init__(self, *, max_waiting: int = MAX_WAITING, timeout_s: float = TIMEOUT_S) -> None:
        self._max_waiting = max_waiting
        self._timeout_s = timeout_s
        self._room = threading.BoundedSemaphore(max_waiting)
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="npc-eye")

    async def look(self, parts: Sequence[ImagePart], *, max_px: int) -> tuple[ImagePart, ...]:
        """The pictures as raw RGB, their longer side at most max_px, or USUAL_PX where that is 0.

        Cancelled, it returns at once; a picture that is being decoded is finished and thrown away.
        Raises: RequestError that names the picture, Overloaded.
        """
        if len(parts) > MAX_PICTURES:
            raise RequestError(f"images: {len(parts)} pictures at once", hint=f"send at most {MAX_PICTURES}")
        seen = []
        for index, part in enumerate(parts):
            try:
                seen.append((await self._decode(part, max_px or USUAL_PX)).part())
            except RequestError as exc:
                raise RequestError(f"images[{index}]: {exc.message}", hint=exc.hint) from exc
        return tuple(seen)

    def close(self) -> None:
        """Lets the thread end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _decode(self, part: ImagePart, max_px: int) -> Picture:
        """Raises: RequestError, Overloaded."""
        if not self._room.acquire(blocking=False):
            raise Overloaded(f"images: {self._max_waiting} pictures wait already", hint="send this one a little later")
        work = self._pool.submit(_decoded, part, max_px)
        work.add_done_callback(self._leave)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.wrap_future(work)
        except TimeoutError:
            raise Overloaded(
                f"images: a picture was not decoded within {self._timeout_s:g} s", hint="send a smaller one"
            ) from None

    def _leave(self, _work: Future[Picture]) -> None:
        self._room.release()


def _decoded(part: ImagePart, max_px: int) -> Picture:
    """On the thread, which loads the decoders when the first picture comes."""
    from npc_sdk.vision.decode import decode

    return decode(part, max_px=max_px)


EYE = Eye()
