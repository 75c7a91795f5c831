"""``python -m game_bridge.attack.malformed HOST PORT SECONDS``: bytes that no client sends.

A process of its own and of low priority, so that it holds nobody up but by what the server does. NPC_SERVER_TOKEN has
the token. Prints ``begin NAME`` before each assault and ``end NAME STEPS`` behind it. Called by handshake.py.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from game_bridge import message as wire
from game_bridge import protocol, zmtp
from game_bridge.credential import TOKEN_VARIABLE
from game_bridge.zmtp import encode_command, encode_frame

DEALER = b"\x0bSocket-Type\x00\x00\x00\x06DEALER"
_PLAIN = zmtp.encode_greeting("PLAIN")
_INITIATE = encode_command(b"INITIATE", DEALER)
_READY_BYTES = 64 + 10 + 2 + 6 + 22 + 13  # greeting, WELCOME, and READY with its two properties
_PATIENCE_S = 60.0
_AT_ONCE = 32
_FLOOD_PIECE = 2**16


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to attack, and until when an assault that could go on for ever does."""

    host: str
    port: int
    token: bytes
    end_s: float

    @property
    def is_over(self) -> bool:
        """Whether time is up."""
        return time.monotonic() >= self.end_s

    @property
    def hello(self) -> bytes:
        """The command that shows the token."""
        return encode_command(b"HELLO", b"\x04game" + bytes((len(self.token),)) + self.token)

    def connect(self) -> socket.socket:
        """Raises: OSError where the server takes nobody any more."""
        line = socket.create_connection((self.host, self.port), timeout=_PATIENCE_S)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    def shake_hands(self) -> socket.socket:
        """As a client does. Raises: OSError, also where the server hangs up."""
        line = self.connect()
        try:
            line.sendall(_PLAIN + self.hello + _INITIATE)
            missing = _READY_BYTES
            while missing:
                came = line.recv(missing)
                if not came:
                    raise ConnectionError("a sound handshake was cut off")
                missing -= len(came)
        except OSError:
            line.close()
            raise
        return line

    def greet(self) -> socket.socket:
        """The same, and hello: the server takes more from those it has welcomed. Raises: as shake_hands."""
        line = self.shake_hands()
        try:
            hello = wire.Hello(ref=1, protocol=wire.PROTOCOL, client="assault")
            line.sendall(zmtp.encode_message(protocol.encode(hello)))
            if not line.recv(4_096):
                raise ConnectionError("a sound hello was cut off")
        except OSError:
            line.close()
            raise
        return line

    @property
    def ways_in(self) -> tuple[Callable[[], socket.socket], ...]:
        """As one who was let in, and as one who was welcomed too."""
        return self.shake_hands, self.greet


Assault = Callable[[Target], Iterator[None]]


def _throw(target: Target, data: bytes, *, does_wait: bool = True) -> None:
    """All of it to a new connection, then nothing more; with does_wait until the server ends it too."""
    with target.connect() as line, contextlib.suppress(ConnectionError):
        line.sendall(data)
        with contextlib.suppress(OSError):  # of a line that the server has ended already
            line.shutdown(socket.SHUT_WR)
        while does_wait and line.recv(4_096):
            pass


def _flood(line: socket.socket, target: Target, piece: bytes, for_s: float = 1.0) -> None:
    """The same for ever, reading nothing, until the server ends it or some time is up."""
    line.settimeout(0.2)
    end_s = min(target.end_s, time.monotonic() + for_s)
    with line, contextlib.suppress(ConnectionError, TimeoutError):
        while time.monotonic() < end_s:
            line.sendall(piece)


def flipped(target: Target) -> Iterator[None]:
    """Every bit of the greeting, the rest of the handshake behind it."""
    for at, bit in itertools.product(range(len(_PLAIN)), range(8)):
        greeting = _PLAIN[:at] + bytes((_PLAIN[at] ^ 1 << bit,)) + _PLAIN[at + 1 :]
        _throw(target, greeting + target.hello + _INITIATE)
        yield


def long_before(target: Target) -> Iterator[None]:
    """Lengths that nobody could store, before the handshake is over."""
    for size, flags in itertools.product((2**63, 2**64 - 1, 2**31, 1_025), (2, 6)):
        _throw(target, _PLAIN + bytes((flags,)) + size.to_bytes(8, "big") + b"x" * 4_096)
        _throw(target, _PLAIN + target.hello + bytes((flags,)) + size.to_bytes(8, "big") + b"x" * 4_096)
        yield


def long_after(target: Target) -> Iterator[None]:
    """The same of one who was let in."""
    sizes, all_flags = (2**63, 2**64 - 1, 2**31, 2**25), (2, 3, 6, 7, 0xFF)
    for size, flags, enter in itertools.product(sizes, all_flags, target.ways_in):
        with enter() as line, contextlib.suppress(ConnectionError):
            line.sendall(bytes((flags,)) + size.to_bytes(8, "big") + b"x" * 4_096)
            while line.recv(4_096):
                pass
        yield


def truncated(target: Target) -> Iterator[None]:
    """HELLO and INITIATE cut at each byte, and with lengths that promise more than they hold."""
    for at in range(1, len(target.hello)):
        _throw(target, _PLAIN + target.hello[:at])
        body = target.hello[2 : 2 + at]
        _throw(target, _PLAIN + encode_frame(body, 4))
        yield
    for at in range(1, len(_INITIATE)):
        _throw(target, _PLAIN + target.hello + _INITIATE[:at])
        _throw(target, _PLAIN + target.hello + encode_frame(_INITIATE[2 : 2 + at], 4))
        yield


def other_mechanisms(target: Target) -> Iterator[None]:
    """Those that the server does not speak, with what would follow."""
    for name in (b"NULL", b"CURVE", b"GSSAPI", b"plain", b"PLAIN" * 4, bytes(20), b"\xff" * 20):
        greeting = _PLAIN[:12] + name.ljust(20, b"\0")[:20] + _PLAIN[32:]
        _throw(target, greeting + encode_command(b"READY", DEALER) + target.hello + _INITIATE)
        yield


def wrong_tokens(target: Target) -> Iterator[None]:
    """Guesses, in full speed, and ERROR commands in place of any word."""
    for guess in (b"", b"x", b"x" * 255, target.token[:-1], target.token + b"x"):
        _throw(target, _PLAIN + encode_command(b"HELLO", b"\x04game" + bytes((len(guess),)) + guess) + _INITIATE)
        _throw(target, _PLAIN + encode_command(b"ERROR", b"\xff" + b"x" * 255) * 100)
        yield


def endless_messages(target: Target) -> Iterator[None]:
    """Messages that never end, of nothing and of much, from one who was let in."""
    pieces = (b"\x01\x00" * (_FLOOD_PIECE // 2), encode_frame(b"x" * _FLOOD_PIECE, 1))
    for piece, enter in itertools.product(pieces, target.ways_in):
        _flood(enter(), target, piece)
        yield


def unfinished(target: Target) -> Iterator[None]:
    """Many large messages at once, none of them whole: what all together may take is bounded too."""
    header = b"\x03" + (2**24).to_bytes(8, "big")
    lines = [target.greet() for _ in range(_AT_ONCE)]
    for line in lines:
        with contextlib.suppress(ConnectionError, TimeoutError):
            line.settimeout(2.0)
            line.sendall(header + bytes(2**24 - 1))
        yield
    for line in lines:
        line.close()


def pings(target: Target) -> Iterator[None]:
    """PINGs without end and without reading a PONG, with contexts as long as a command may be, and longer."""
    for context, enter in itertools.product((b"", b"c" * 16, b"c" * 1_000, b"c" * 2_000), target.ways_in):
        _flood(enter(), target, encode_command(b"PING", b"\0\1" + context) * 500)
        yield


def other_commands(target: Target) -> Iterator[None]:
    """ERROR, unknown and empty commands without end."""
    commands = (encode_command(b"ERROR", b"\x03400"), encode_command(b"SUBSCRIBE", b"x" * 900), b"\x04\x00")
    for command, enter in itertools.product(commands, target.ways_in):
        _flood(enter(), target, command * 500)
        yield


def slow(target: Target) -> Iterator[None]:
    """A sound handshake a byte at a time, on many connections at once, until the server's patience ends."""
    lines = [target.connect() for _ in range(_AT_ONCE)]
    for byte in _PLAIN + target.hello + _INITIATE:
        for line in lines:
            with contextlib.suppress(OSError):
                line.sendall(bytes((byte,)))
        if target.is_over:
            break
        time.sleep(0.05)
        yield
    for line in lines:
        line.close()


ASSAULTS: tuple[Assault, ...] = (
    flipped,
    long_before,
    long_after,
    truncated,
    other_mechanisms,
    wrong_tokens,
    endless_messages,
    unfinished,
    pings,
    other_commands,
    slow,
)


def run(assaults: Iterable[Assault], host: str, port: int, token: str, for_s: float) -> None:
    """Each for a while, again and again where it is over sooner. flipped goes through once whatever the time."""
    for assault in assaults:
        print(f"begin {assault.__name__}", flush=True)
        target = Target(host, port, token.encode(), time.monotonic() + for_s)
        steps = 0
        while not steps or not target.is_over:
            for _ in assault(target):
                steps += 1
                if target.is_over and assault is not flipped:
                    break
        print(f"end {assault.__name__} {steps}", flush=True)


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)  # it is not to be the attacker's own work that the honest client waits for
    run(ASSAULTS, sys.argv[1], int(sys.argv[2]), os.environ[TOKEN_VARIABLE], float(sys.argv[3]))
