"""``python -m game_bridge.bench.bare --token T [--asyncio]``: a bare ROUTER that knows no message, for comparison.

It sends a ping back as it came. To any other message it streams pieces of text and an end, packed beforehand: as many
as the message's last frame says. Prints ``ready ADDRESS``. The token is not asked for: it costs nothing a message.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import msgpack
import zmq
import zmq.asyncio

from game_bridge.bench.client import ENDED, LETTERS
from game_bridge.soak.counting import word_at

_ENOUGH = 4_000
_WORDS = [
    msgpack.packb({"type": "text", "request_id": "Q00", "text": f" {word_at('Q00', number, LETTERS)}"})
    for number in range(_ENOUGH)
]
_END = msgpack.packb({"type": "finished", "request_id": "Q00", "text": ""})
assert ENDED in _END, "clients know the end of a stream by it"


def answers(frames: list[bytes]) -> Iterator[bytes]:
    """What one message is answered with."""
    if len(frames) == 1:
        yield frames[0]
        return
    yield from _WORDS[: int(frames[1])]
    yield _END


def serve() -> None:
    """On plain blocking sockets."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        _bind(socket)
        while True:
            identity, *frames = socket.recv_multipart()
            for answer in answers(frames):
                socket.send_multipart([identity, answer])


async def serve_async() -> None:
    """On pyzmq's asyncio sockets."""
    with zmq.asyncio.Context() as context, context.socket(zmq.ROUTER) as socket:
        _bind(socket)
        while True:
            identity, *frames = await socket.recv_multipart()
            for answer in answers(frames):
                await socket.send_multipart([identity, answer])


def _bind(socket: zmq.Socket[Any]) -> None:
    socket.linger = 0
    socket.sndhwm = socket.rcvhwm = 0  # nothing may be dropped
    socket.bind("tcp://127.0.0.1:*")
    print(f"ready {socket.getsockopt_string(zmq.LAST_ENDPOINT)}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.bench.bare")
    parser.add_argument("--token", default="")
    parser.add_argument("--asyncio", action="store_true")
    options = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        if options.asyncio:
            asyncio.run(serve_async())
        else:
            serve()


if __name__ == "__main__":
    main()
