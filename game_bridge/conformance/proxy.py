"""Stands between a client and the scripted server, and drops all connections when it is told: the server lives on.

Knows bytes, no message. Called by run.py.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

_PIECE_BYTES = 65_536
_START_S = 30.0


class Proxy:
    """Listens on a port of loopback, 0 for any free one, from start to stop. Its loop has a thread of its own."""

    def __init__(self, port: int, server_port: int) -> None:
        self.port = port
        self._server_port = server_port
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="conformance-proxy", daemon=True)

    def start(self) -> None:
        """Raises: OSError where the port is taken."""
        self._thread.start()
        self._listener = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_START_S)
        self.port = self._listener.sockets[0].getsockname()[1]

    def drop(self) -> None:
        """Cut every connection, without a word; new ones are taken."""
        self._loop.call_soon_threadsafe(self._cut)

    def stop(self) -> None:
        """Take no more, cut what is open, end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_START_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_S)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._pass, "127.0.0.1", self.port)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            writer.close()
            return
        pair = {writer, their_writer}
        self._open |= pair
        await asyncio.gather(self._copy(reader, their_writer, pair), self._copy(their_reader, writer, pair))

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: set[asyncio.StreamWriter]
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_PIECE_BYTES):
                writer.write(data)
                await writer.drain()
        for one in pair:
            one.close()
        self._open -= pair

    def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open = set()

    async def _end(self) -> None:
        self._listener.close()
        self._cut()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.wait(tasks, timeout=_START_S) if tasks else None
