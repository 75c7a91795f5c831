"""One reply of llama-server over HTTP: a thread reads it, the loop may break it off. Called by server.py."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from typing import Any

from npc_sdk.bench.tavern.replay import End, Heard
from npc_sdk.bench.tavern.trace import REPLY_TOKENS, Line
from npc_sdk.errors import EngineError

REPLY_TIMEOUT_S = 300.0
LOG_HINT = "its log is in the work folder"
EVENT = b"data: "


class Completion:
    """A reply that the server is asked for. Time counts from when it is made."""

    def __init__(self, port: int, line: Line) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REPLY_TIMEOUT_S)
        self._line = line
        self._started = time.perf_counter()
        self._first_s: float | None = None
        self._end: End = "whole"
        # The connection forgets its socket once a response owns it; breaking off needs it still.
        self._socket: socket.socket | None = None

    def read(self) -> Heard:
        """The reply, as far as it goes. Raises: EngineError where nobody broke it off and it is not whole."""
        try:
            with contextlib.closing(self._connection):
                return self._read()
        except (OSError, ValueError, http.client.HTTPException) as exc:
            if self._end != "whole":
                return self._heard()
            raise EngineError(f"llama-server broke off: {exc!r}", hint=LOG_HINT) from exc

    def cut(self) -> None:
        """Breaks it off: nobody listens any more."""
        self._break_off("cut")

    def drop(self) -> None:
        """Breaks it off where no token has come: it is too late for one."""
        if self._first_s is None:
            self._break_off("late")

    def _break_off(self, end: End) -> None:
        """The server stops a slot whose connection is closed; the reading thread wakes up."""
        if self._end == "whole":
            self._end = end
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the reading thread has closed it: there is nothing left to stop
                self._socket.shutdown(socket.SHUT_RDWR)

    def _read(self) -> Heard:
        self._connection.connect()
        self._socket = self._connection.sock
        if self._end != "whole":  # broken off before there was a socket to shut
            return self._heard()
        self._connection.request(
            "POST", "/completion", json.dumps(_body(self._line)), {"Content-Type": "application/json"}
        )
        with self._connection.getresponse() as response:
            if response.status != http.HTTPStatus.OK:
                raise EngineError(f"llama-server answered {response.status}: {response.read(400)!r}")
            for raw in response:
                if raw.startswith(EVENT):
                    self._first_s = self._first_s or self._age_s()
                    event = json.loads(raw[len(EVENT) :])
                    if event.get("stop"):
                        return self._whole(event)
        if self._end != "whole":
            return self._heard()
        raise EngineError("llama-server ended a stream without its last event", hint=LOG_HINT)

    def _whole(self, event: dict[str, Any]) -> Heard:
        """With the last event's figures. Raises: EngineError for a reply of another length."""
        if event["tokens_predicted"] != REPLY_TOKENS:
            raise EngineError(f"a reply ended after {event['tokens_predicted']} tokens", hint="ignore_eos did not work")
        return Heard(self._first_s, self._age_s(), int(event.get("timings", {}).get("cache_n", 0)))

    def _heard(self) -> Heard:
        """What there was when it was broken off."""
        return Heard(self._first_s, self._age_s(), 0, self._end)

    def _age_s(self) -> float:
        return time.perf_counter() - self._started


def _body(line: Line) -> dict[str, Any]:
    """What the server is asked: greedy tokens from the character's slot."""
    return {
        "prompt": list(line.prompt.ids),
        "n_predict": REPLY_TOKENS,
        "id_slot": line.npc,
        "cache_prompt": True,
        "stream": True,
        "ignore_eos": True,
        "temperature": 0,
        "samplers": ["temperature"],  # nothing that would cost it time
    }
