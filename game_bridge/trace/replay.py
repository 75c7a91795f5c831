"""Plays the clients' side of a trace against a server, and tells how what came differs from what came then.

Each message is sent once the server has answered all that it had answered when the message was recorded. Ids that the
server gives (sessions, calls, facts) are put in the place of those that it gave then. Called by cli.py.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgpack

from game_bridge.dealer import is_listening
from game_bridge.soak.raw_line import RawLine
from game_bridge.trace.file import Record, read_trace
from game_bridge.trace.outcome import Outcome, differences
from game_bridge.trace.show import body_of
from npc_sdk.errors import AuthenticationFailed, ConnectionLost, ContentError

PATIENCE_S = 90.0  # longer than a tool or a player is waited for
_GIVEN = ("session_id", "call_id", "entry_id")


@dataclass(frozen=True, slots=True)
class Playing:
    """Where and how a trace is played. speed is of the recorded pauses: 2 halves them. Units: seconds."""

    address: str
    token: str = ""
    speed: float = 1.0
    is_exact: bool = False
    patience_s: float = PATIENCE_S


async def replay(path: Path, playing: Playing) -> list[str]:
    """A line for each difference, none where all went as it had.

    Raises: ContentError for a trace that cannot be played; ConnectionLost, AuthenticationFailed where nobody answers.
    """
    by_connection: dict[int, list[Record]] = {}
    has_replies = False
    for record in read_trace(path):
        by_connection.setdefault(record.connection, []).append(record)
        has_replies = has_replies or _ends_reply(record)
    if not has_replies:
        hint = "record until a reply has ended; what passes under a CURVE key is hidden"
        raise ContentError("holds no replies", path=path, hint=hint)
    parts = [_Part(path, number, records, playing) for number, records in by_connection.items()]
    found = await asyncio.gather(*(part.play() for part in parts))
    return [line for lines in found for line in lines]


class _Part:
    """One connection of a trace."""

    def __init__(self, path: Path, number: int, records: list[Record], playing: Playing) -> None:
        self._path = path
        self._number = number
        self._records = records
        self._playing = playing
        self._before, self._after = Outcome(), Outcome()
        self._then, self._now = _Heard(), _Heard()
        self._line: RawLine | None = None
        self._news = asyncio.Event()

    async def play(self) -> list[str]:
        """Raises: ContentError, ConnectionLost, AuthenticationFailed."""
        messages = list(self._messages())
        await asyncio.sleep(self._records[0].at_s / self._playing.speed)
        self._line = await self._open()
        late: list[str] = []
        last_s = self._records[0].at_s
        try:
            for record, body in messages:
                if record.kind == "server":
                    self._before.hear(body)
                    self._then.hear(body)
                else:
                    late += await self._wait(f"before {body.get('type')}")
                    await asyncio.sleep((record.at_s - last_s) / self._playing.speed)
                    self._send(body, record)
                last_s = record.at_s
            late += await self._wait("at the end")
        finally:
            self._line.cut()
        lines = [*late, *differences(self._before, self._after, is_exact=self._playing.is_exact)]
        return [f"#{self._number} {line}" for line in lines]

    async def _open(self) -> RawLine:
        """Raises: ConnectionLost, AuthenticationFailed."""
        address, token = self._playing.address, self._playing.token
        try:
            return await RawLine.open(address, token, self._hear, self._news.set)
        except ConnectionLost as exc:
            if token or not await is_listening(address):
                raise
            hint = "show its token; a server with --no-auth takes none"
            raise AuthenticationFailed(f"{address} hung up on a client without a token", hint=hint) from exc

    def _messages(self) -> Iterator[tuple[Record, dict[str, Any]]]:
        """Raises: ContentError for what cannot be sent again as it was."""
        for record in self._records:
            if record.kind not in ("client", "server"):
                continue
            body = body_of(record)
            if record.kind == "client":
                self._check(record, body)
            yield record, body or {}

    def _check(self, record: Record, body: dict[str, Any] | None) -> None:
        place = f"connection {record.connection}, {record.at_s:.3f} s"
        if any(isinstance(frame, int) for frame in record.frames):
            hint = "record it without --without-pictures"
            raise ContentError("a picture was left out", path=self._path, field=place, hint=hint)
        if body and body.get("type") == "hello" and body.get("resume") is not None:
            hint = "record a conversation whose connection does not break"
            raise ContentError("a broken connection goes on here", path=self._path, field=place, hint=hint)

    def _send(self, body: dict[str, Any], record: Record) -> None:
        """The recorded message; what the server gave then is given as it gave it now."""
        assert self._line is not None
        frames = cast("list[bytes]", list(record.frames))
        renamed = {name: self._now.name_of(name, body[name], self._then) for name in _GIVEN if name in body}
        if renamed:
            frames[0] = msgpack.packb(body | renamed)
        self._line.send_frames(frames)

    def _hear(self, frame: bytes) -> None:
        body = body_of(Record(0.0, self._number, "server", (frame,))) or {}
        self._after.hear(body)
        self._now.hear(body)
        self._news.set()

    async def _wait(self, when: str) -> list[str]:
        """Until all has come that had come by then; a line of what has not."""
        assert self._line is not None
        try:
            async with asyncio.timeout(self._playing.patience_s):
                while (missing := self._now.missing(self._then)) and not self._line.is_lost:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        if not missing:
            return []
        self._now.forgive(missing)
        told = ", ".join(sorted(" ".join(map(str, cast("tuple[object, ...]", key))) for key in missing))
        why = "the server hung up" if self._line.is_lost else "nothing more came"
        return [f"{when}: missing {told}: {why}"]


class _Heard:
    """What a client may have waited for: answers, first words, calls, ends; and the ids that came with them."""

    def __init__(self) -> None:
        self._keys: dict[Hashable, dict[str, Any]] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._ended: set[str] = set()

    def hear(self, body: dict[str, Any]) -> None:
        """One of the server's messages."""
        kind, request_id, ref = str(body.get("type")), body.get("request_id"), body.get("ref")
        if kind in ("finished", "failed"):
            self._ended.add(str(request_id))
            self._keys["end of", str(request_id)] = body
        elif kind == "text":
            self._keys.setdefault(("text of", str(request_id)), body)
        elif kind in ("tool_call", "tool_settled"):
            self._counts[kind, str(request_id)] += 1
            self._keys[kind, str(request_id), self._counts[kind, str(request_id)]] = body
        elif ref is not None:
            self._keys["answer to ref", ref] = body
        elif kind in ("welcome", "talking", "left", "learned", "goodbye"):
            self._counts[kind, ""] += 1
            self._keys[kind, self._counts[kind, ""]] = body

    def missing(self, then: _Heard) -> set[Hashable]:
        """What had come then and has not yet; of a request that has ended, nothing more will."""
        return {key for key in then._keys if key not in self._keys and not self._is_over(key)}

    def forgive(self, keys: Iterable[Hashable]) -> None:
        """These are not waited for any more."""
        self._keys |= {key: {} for key in keys}

    def name_of(self, field: str, old: object, then: _Heard) -> object:
        """The id that came now where the old one came then; one that never came stays."""
        for key, body in then._keys.items():
            if body.get(field) == old and field in (now := self._keys.get(key, {})):
                return now[field]
        return old

    def _is_over(self, key: Hashable) -> bool:
        return isinstance(key, tuple) and len(key) > 1 and key[1] in self._ended


def _ends_reply(record: Record) -> bool:
    body = body_of(record) if record.kind == "server" else None
    return body is not None and body.get("type") in ("finished", "failed")


def play(path: Path, playing: Playing, say: Callable[[str], None]) -> bool:
    """Replays and tells the differences; whether there are none."""
    lines = asyncio.run(replay(path, playing))
    for line in lines:
        say(line)
    return not lines
