"""A link on a loop of its own thread, for games that have none.

Knows no message; called by client.py from any thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from game_bridge.credential import Credential
from game_bridge.link import Link, OnEdited
from npc_sdk.errors import BridgeError, ConnectionLost

Result = TypeVar("Result")


class LinkThread:
    """Starts with its thread running; close ends both the link and the thread."""

    def __init__(
        self, address: str, timeout_s: float, on_edited: OnEdited | None = None, credential: Credential = None
    ) -> None:
        self.link = Link(address, timeout_s, on_edited, credential)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, name="npc-client", daemon=True)
        self._door = threading.Lock()  # what is begun is begun before close, which ends it, or not at all
        self._is_closed = False
        self._closing = threading.Lock()
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for a coroutine.

        Raises: what it raises; ConnectionLost once close has begun; BridgeError on the thread that would do the work.
        """
        future = self._begin(work)
        try:
            return future.result()
        except concurrent.futures.CancelledError as exc:
            raise self._closed() from exc
        finally:
            future.cancel()  # of an interrupt nobody else would tell it

    def _begin(self, work: Coroutine[Any, Any, Result]) -> concurrent.futures.Future[Result]:
        try:
            self._check_thread()
            with self._door:
                if self._is_closed:
                    raise self._closed()
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        except BridgeError:
            work.close()
            raise

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
        """Close the link, then end the thread. Can be repeated; whoever comes second waits for the first.

        Raises: BridgeError on the thread itself.
        """
        self._check_thread()
        with self._closing:
            with self._door:
                if self._is_closed:
                    return
                self._is_closed = True
            try:
                asyncio.run_coroutine_threadsafe(self.link.close(), self._loop).result()
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()

    def _check_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise BridgeError("The client's own thread cannot wait for itself", hint="call from the game's own thread")

    def _live(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        """Whoever waits for what the link did not end waits no longer."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _closed(self) -> ConnectionLost:
        return ConnectionLost("The client was closed", hint="connect again")
