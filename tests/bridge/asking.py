"""What tests of the server say to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

from game_bridge import message as wire
from game_bridge.service import Terminal

from .conftest import PATIENCE_S, RawClient

Ended = list[tuple[str, Terminal]]
PICTURE = b"\x89PNG\r\n\x1a\n"


async def open_session(raw: RawClient) -> str:
    await raw.hello()
    return await raw.talk()


def say(session_id: str, text: str, request_id: str = "q", **fields: object) -> wire.Say:
    return wire.Say(ref=9, request_id=request_id, session_id=session_id, text=text, **fields)  # type: ignore[arg-type]


async def eventually(is_so: object) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # type: ignore[operator]
            await asyncio.sleep(0.01)


@contextlib.contextmanager
def dead_port() -> Iterator[int]:
    """Nobody listens there, and nobody else can."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
