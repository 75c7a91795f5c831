"""What tests of the server say to it."""

from __future__ import annotations

import asyncio

from game_bridge import message as wire
from game_bridge.service import Terminal

from .conftest import RawClient

Ended = list[tuple[str, Terminal]]
PICTURE = b"\x89PNG\r\n\x1a\n"


async def open_session(raw: RawClient) -> str:
    await raw.hello()
    return await raw.talk()


def say(session_id: str, text: str, request_id: str = "q", **fields: object) -> wire.Say:
    return wire.Say(ref=9, request_id=request_id, session_id=session_id, text=text, **fields)  # type: ignore[arg-type]


async def eventually(is_so: object, timeout_s: float = 3.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_so():  # type: ignore[operator]
            await asyncio.sleep(0.01)
