"""A link on a loop of its own thread, for games that have none.

Knows no message; called by client.py from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from game_bridge.credential import Credential
from game_bridge.link import Link, OnEdited
from npc_sdk.errors import ConnectionLost

Result = TypeVar("Result")


class LinkThread:
    """Starts with its thread running; close ends both the link and the thread."""

    def __init__(
        self, address: str, timeout_s: float, on_edited: OnEdited | None = None, credential: Credential = None
    ) -> None:
        self.link = Link(address, timeout_s, on_edited, credential)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="npc-client", daemon=True)
        self._closing = threading.Lock()
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for a coroutine. Raises: what it raises; ConnectionLost after close."""
        if self._loop.is_closed():
            work.close()
            raise ConnectionLost("The client was closed", hint="connect again")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def call(self, function: Callable[..., Result], *args: Any) -> Result:
        """Wait for a function that must run on the loop."""

        async def work() -> Result:
            return function(*args)

        return self.run(work())

    def post(self, function: Callable[..., object], *args: Any) -> None:
        """Have a function run on the loop and do not wait; after close nothing runs. Raises: nothing."""
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(function, *args)

    def close(self) -> None:
        """Close the link, then end the thread. Can be repeated."""
        with self._closing:
            if self._loop.is_closed():
                return
            try:
                self.run(self.link.close())
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()
