"""ZMTP 3 as the server's side speaks it: greeting, NULL and PLAIN handshake, frames in and out, every size bounded.

Bytes in, bytes out: knows no socket, no clock and no message. Called by gate_line.py.
Source: ZMTP 3.1, rfc.zeromq.org/spec/37.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from npc_sdk.errors import BridgeError, ProtocolError, TooLarge

Mechanism: TypeAlias = Literal["NULL", "PLAIN"]

MAX_COMMAND_BYTES = 1_024
GREETING_BYTES = 64
_MORE, _LONG, _COMMAND, _KNOWN_FLAGS = 1, 2, 4, 7
_SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
_MIN_MAJOR = 3
_SHORT_BYTES = 255  # what a one-byte length can say
_MAX_CONTEXT_BYTES = 16
_FRAME_OVERHEAD_BYTES = 64  # of a bytes object, so that many empty frames weigh something
_PART_BYTES = 2**18  # one that grew to many megabytes would be copied again and again on its way
_PEERS = (b"DEALER", b"ROUTER")
_WRONG_TOKEN, _WRONG_PEER = b"400", b"only a DEALER can connect"
# libzmq 4.3.5 misspells ERROR where PLAIN is spoken, in both directions, and takes the right name for a broken server
_ERRORS = {"NULL": b"\x05ERROR", "PLAIN": b"^RROR"}


class Refused(BridgeError):
    """The handshake ends. reply is what the other side still gets, is_stranger whether it lacked what we ask for."""

    def __init__(self, message: str, *, reply: bytes = b"", is_stranger: bool = False) -> None:
        super().__init__(message)
        self.reply = reply
        self.is_stranger = is_stranger


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one connection may send. Frames of a message beyond frames are thrown away, at most surplus of them."""

    frame_bytes: int
    message_bytes: int
    frames: int
    surplus: int


def encode_greeting(mechanism: Mechanism) -> bytes:
    """What the server says first, before it has read anything."""
    return _SIGNATURE + b"\x03\x01" + mechanism.encode().ljust(20, b"\0") + bytes(32)


def encode_frame(body: bytes, flags: int = 0) -> bytes:
    """A frame with the shorter of the two headers."""
    size = len(body)
    if size <= _SHORT_BYTES:
        return bytes((flags, size)) + body
    return bytes((flags | _LONG,)) + size.to_bytes(8, "big") + body


def encode_command(name: bytes, data: bytes = b"") -> bytes:
    """A command as a frame."""
    return encode_frame(bytes((len(name),)) + name + data, _COMMAND)


def encode_message(frames: Sequence[bytes]) -> bytes:
    """All frames of a message."""
    if len(frames) == 1:
        return encode_frame(frames[0])
    return b"".join([*(encode_frame(frame, _MORE) for frame in frames[:-1]), *map(encode_frame, frames[-1:])])


def encode_ping(ttl_s: float) -> bytes:
    """A question whether the other side lives, which may in turn count us dead after ttl_s of silence."""
    return encode_command(b"PING", min(65_535, max(1, round(ttl_s * 10))).to_bytes(2, "big"))


def answer_command(command: bytes) -> bytes:
    """What a command after the handshake is answered with, mostly nothing. Raises: ProtocolError."""
    if command.startswith(b"\x04PING"):
        if len(command) < 7:
            raise ProtocolError("a PING came without its time to live")
        return encode_command(b"PONG", command[7 : 7 + _MAX_CONTEXT_BYTES])
    if command.startswith(b"\x05ERROR"):
        raise ProtocolError("the client gave up with an ERROR")
    return b""


class Handshake:
    """From the first byte to READY. admits judges PLAIN's name and password; rest is what came after the end."""

    __slots__ = ("_admits", "_data", "_expected", "_mechanism", "is_done")

    def __init__(self, mechanism: Mechanism, admits: Callable[[bytes, bytes], bool]) -> None:
        self._mechanism = mechanism
        self._admits = admits
        self._data = bytearray()
        self._expected = b""  # the command that comes next, none while the greeting is not whole
        self.is_done = False

    @property
    def rest(self) -> bytes:
        """Bytes behind the handshake, for the frame reader."""
        return bytes(self._data)

    def feed(self, data: bytes) -> bytes:
        """What the bytes are answered with. Raises: Refused, ProtocolError, TooLarge."""
        self._data += data
        if not self._expected and not self._greet():
            return b""
        answers = []
        while not self.is_done and (command := self._take_command()) is not None:
            answers.append(self._answer(command))
        return b"".join(answers)

    def _greet(self) -> bool:
        """Whether the greeting is whole; what is wrong is seen as soon as it is there."""
        data = self._data
        if data[:1] not in (b"", _SIGNATURE[:1]) or data[9:10] not in (b"", _SIGNATURE[9:]):
            raise Refused("the first bytes are not ZMTP's")
        if len(data) > 10 and data[10] < _MIN_MAJOR:
            raise Refused(f"the client speaks ZMTP {data[10]}, not {_MIN_MAJOR}")
        if len(data) < GREETING_BYTES:
            return False
        shown = bytes(data[12:32])
        if shown != self._mechanism.encode().ljust(20, b"\0"):
            raise Refused(f"the mechanism is {shown.rstrip(bytes(1))!r}, not {self._mechanism}", is_stranger=True)
        del data[:GREETING_BYTES]
        self._expected = b"HELLO" if self._mechanism == "PLAIN" else b"READY"
        return True

    def _take_command(self) -> bytes | None:
        data = self._data
        head = 9 if data and data[0] & _LONG else 2
        if data and data[0] & ~_LONG != _COMMAND:
            raise ProtocolError(f"a frame with flags {data[0]:#04x} came before the handshake was over")
        if len(data) < head:
            return None
        size = int.from_bytes(data[1:head], "big")
        _check_command(size)
        if len(data) < head + size:
            return None
        command = bytes(data[head : head + size])
        del data[: head + size]
        return command

    def _answer(self, command: bytes) -> bytes:
        name = self._expected
        if not command.startswith(bytes((len(name),)) + name):
            raise ProtocolError(f"{command[1:13]!r} came in place of {name.decode()}")
        body = command[1 + len(name) :]
        return self._welcome(body) if name == b"HELLO" else self._ready(body)

    def _welcome(self, body: bytes) -> bytes:
        if not self._admits(*_name_and_password(body)):
            raise Refused("the name or the token is wrong", reply=self._error(_WRONG_TOKEN), is_stranger=True)
        self._expected = b"INITIATE"
        return encode_command(b"WELCOME")

    def _ready(self, body: bytes) -> bytes:
        kind = _properties(body).get(b"socket-type", b"")
        if kind not in _PEERS:
            raise Refused(f"a {kind[:16]!r} socket came", reply=self._error(_WRONG_PEER))
        self.is_done = True
        return encode_command(b"READY", _property(b"Socket-Type", b"ROUTER") + _property(b"Identity", b""))

    def _error(self, reason: bytes) -> bytes:
        return encode_frame(_ERRORS[self._mechanism] + bytes((len(reason),)) + reason, _COMMAND)


class FrameReader:
    """Bytes to messages and commands. frames counts all that have begun; held is what a partly read message takes.

    bounds may change between messages.
    """

    __slots__ = (
        "_at",
        "_count",
        "_data",
        "_flags",
        "_frames",
        "_is_open",
        "_left",
        "_parts",
        "_size",
        "bounds",
        "frames",
    )

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._data = b""
        self._at = 0
        self._is_open = False  # a frame whose header is read and whose body is not
        self._flags = self._left = 0
        self._parts: list[bytearray] = []
        self._frames: list[bytes] = []
        self._count = self._size = 0  # of the message, thrown away frames too
        self.frames = 0

    @property
    def held(self) -> int:
        """Bytes. What waits unread in feed's last piece does not count."""
        return sum(map(len, self._frames)) + sum(map(len, self._parts)) + _FRAME_OVERHEAD_BYTES * len(self._frames)

    def take_parts(self) -> list[bytearray]:
        """What of a frame was read, whose rest will not come any more."""
        parts, self._parts = self._parts, []
        return parts

    def feed(self, data: bytes) -> None:
        """More bytes. Call next until it returns None, or the rest waits."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def next(self) -> list[bytes] | bytes | None:
        """The frames of a message, the body of a command, or None until there is more.

        Raises: ProtocolError, TooLarge, after which nothing can be read any more.
        """
        while self._is_open or self._open():
            body = self._read_body()
            if body is None:
                break
            self._is_open = False
            if self._flags & _COMMAND:
                return body
            if self._count <= self.bounds.frames:
                self._frames.append(body)
            if not self._flags & _MORE:
                frames, self._frames = self._frames, []
                self._count = self._size = 0
                return frames
        # a large piece must not stay for the few bytes at its end
        self._data, self._at = self._data[self._at :], 0
        return None

    def _open(self) -> bool:
        """Read a header, if it is whole. All sizes are judged here, before anything is stored."""
        data, at = self._data, self._at
        left = len(data) - at
        if left < 2:
            return False
        flags = data[at]
        if flags & _LONG:
            if left < 9:
                return False
            size = int.from_bytes(data[at + 1 : at + 9], "big")
            self._at = at + 9
        else:
            size = data[at + 1]
            self._at = at + 2
        self._judge(flags, size)
        self._flags, self._left, self._is_open = flags, size, True
        self.frames += 1
        return True

    def _judge(self, flags: int, size: int) -> None:
        if flags & ~_KNOWN_FLAGS or (flags & _COMMAND and flags & _MORE):
            raise ProtocolError(f"a frame with flags {flags:#04x} came")
        if flags & _COMMAND:
            _check_command(size)
            return
        bounds = self.bounds
        self._count += 1
        self._size += size
        if size > bounds.frame_bytes:
            raise TooLarge(f"a frame of {size} bytes came, {bounds.frame_bytes} are the most")
        if self._size > bounds.message_bytes or self._count > bounds.frames + bounds.surplus:
            raise TooLarge(f"a message of more than {self._count - 1} frames, {self._size} bytes came")

    def _read_body(self) -> bytes | None:
        """The body of the open frame once it is whole, b"" for one that is thrown away."""
        piece = self._data[self._at : self._at + self._left]
        self._at += len(piece)
        self._left -= len(piece)
        if self._count > self.bounds.frames and not self._flags & _COMMAND:
            return None if self._left else b""
        if not self._left and not self._parts:
            return piece
        if self._parts and len(self._parts[-1]) < _PART_BYTES:
            self._parts[-1] += piece
        else:
            self._parts.append(bytearray(piece))
        if self._left:
            return None
        body = b"".join(self._parts)
        self._parts.clear()
        return body


def _check_command(size: int) -> None:
    if size > MAX_COMMAND_BYTES:
        raise TooLarge(f"a command of {size} bytes came, {MAX_COMMAND_BYTES} are the most")


def _name_and_password(body: bytes) -> tuple[bytes, bytes]:
    """Of a HELLO, each with a length of one byte. Raises: ProtocolError."""
    user_end = 1 + body[0] if body else 0
    if len(body) <= user_end or len(body) != user_end + 1 + body[user_end]:
        raise ProtocolError("a HELLO came whose lengths do not add up")
    return body[1:user_end], body[user_end + 1 :]


def _property(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + len(value).to_bytes(4, "big") + value


def _properties(body: bytes) -> dict[bytes, bytes]:
    """Names in lower case, as they count the same in any. Raises: ProtocolError."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(body):
        value_at = at + 1 + body[at] + 4
        end = value_at + int.from_bytes(body[value_at - 4 : value_at], "big")
        if value_at > len(body) or end > len(body):
            raise ProtocolError("a property came whose lengths do not add up")
        found[body[at + 1 : value_at - 4].lower()] = body[value_at:end]
        at = end
    return found
