"""The conformance script over NpcClient: ``python -m game_bridge.conformance.client HOST PORT TOKEN``.

The model for the other languages' programs; run.py starts it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from game_bridge.client import NpcClient, NpcSession, Refuse
from game_bridge.message import PROTOCOL
from npc_sdk.errors import AuthenticationFailed, ConnectionLost, NpcError, UnknownNpc, Unsupported
from npc_sdk.events import (
    Emote,
    Event,
    ReplyFailed,
    ReplyFinished,
    Sentence,
    Structured,
    TextDelta,
    ToolCall,
    ToolSettled,
)
from npc_sdk.messages import FunctionCall, ImagePart, JsonValue

Kind = TypeVar("Kind", bound=Event)

_PATIENCE_S = 20.0
_REFUSED_S = 20.0
_RECONNECT_S = 120.0
_SILENCE_S = 5.0
_CUT_AFTER = 10
_STORY_WORDS = 400
_PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f00010501012718e366"
    "0000000049454e44ae426082"
)


class StepFailed(AssertionError):
    """What a step found wrong."""


class Script:
    """The steps in their order; each is a method of its name."""

    def __init__(self, host: str, port: str, token: str) -> None:
        self._address = f"tcp://{host}:{port}"
        self._token = token
        self._client: NpcClient
        self._mara: NpcSession
        self._pip: NpcSession

    def run(self) -> bool:
        """Prints what became of each step. Whether all passed."""
        steps: tuple[Callable[[], None], ...] = (
            self.connect, self.wrong_token, self.talk, self.stream, self.tool_accepted, self.tool_refused,
            self.tool_timeout, self.screenshot, self.cancel, self.unknown_npc, self.state, self.learn,
            self.two_at_once, self.sessions, self.structured, self.confirm, self.emote, self.bark, self.happen,
            self.forget, self.stats, self.resume, self.heartbeat, self.restart, self.bye,
        )  # fmt: skip
        for step in steps:
            try:
                step()
            except (StepFailed, NpcError) as exc:
                _say(f"failed {step.__name__}: {type(exc).__name__}: {exc}")
                return False
            _say(f"ok {step.__name__}")
        _say("done")
        return True

    def connect(self) -> None:
        self._client = NpcClient.connect(self._address, token=self._token, client="conformance python")
        _same(dict(self._client.npcs), {"mara": "Mara", "pip": "Pip"})
        _same(PROTOCOL, 1)

    def wrong_token(self) -> None:
        if not self._token:
            return
        started = time.monotonic()
        try:
            NpcClient.connect(self._address, token="wrong").close()
        except AuthenticationFailed:
            _check(time.monotonic() - started < _REFUSED_S, "the refusal took too long")
            return
        raise StepFailed("a wrong token was taken")

    def talk(self) -> None:
        self._mara = self._client.talk("mara", player="Robin")
        _same(self._mara.greeting, "What do you want?")

    def stream(self) -> None:
        events = list(self._mara.say("Hello."))
        pieces = [event.text for event in _of(events, TextDelta)]
        finished = _finished(events)
        _check(len(pieces) >= 2, f"{len(pieces)} pieces of text")
        _same("".join(pieces), finished.text)
        _same([event.text for event in _of(events, Sentence)], ["Good day to you.", "Come in."])
        _same((finished.text, finished.finish_reason), ("Good day to you. Come in.", "stop"))

    def tool_accepted(self) -> None:
        self._use_tool("Give me the sword.", "sword", "accepted", "Here you are.")

    def tool_refused(self) -> None:
        self._use_tool("Give me the sword.", "sword", "refused", "Then not.")

    def tool_timeout(self) -> None:
        self._use_tool("Give me the lamp.", "lamp", "timeout", "Well then.")

    def screenshot(self) -> None:
        events = list(self._mara.say("What is this?", images=[ImagePart("image/png", _PICTURE)]))
        error = _failed(events).error
        _check(isinstance(error, Unsupported), f"{error.code}: {error}")

    def cancel(self) -> None:
        reply = self._mara.say("Tell me a story.")
        events: list[Event] = []
        for event in reply:
            events.append(event)
            if isinstance(event, TextDelta) and len(_of(events, TextDelta)) == 1:
                reply.cancel()
        finished = _finished(events)
        _same(finished.finish_reason, "cancelled")
        said = "".join(event.text for event in _of(events, TextDelta))
        _check(bool(said) and said.startswith(finished.text) and bool(finished.text), f"{finished.text!r} of {said!r}")

    def unknown_npc(self) -> None:
        try:
            self._client.talk("nobody")
        except UnknownNpc as exc:
            _check(bool(exc.hint), "there is no hint")
            return
        raise StepFailed("nobody answered")

    def state(self) -> None:
        self._client.set_state({"weather": "rain"})

    def learn(self) -> None:
        _check(bool(self._client.learn("pip", "It rains.", source="seen")), "no entry_id came")

    def two_at_once(self) -> None:
        self._pip = self._client.talk("pip", player="Robin")
        _same(self._pip.greeting, "Psst!")
        replies = [self._mara.say("Now?"), self._pip.say("Now?")]
        heard: list[list[Event]] = [[], []]
        until = time.monotonic() + _PATIENCE_S
        while not all(reply.is_ended for reply in replies) and time.monotonic() < until:
            for events, reply in zip(heard, replies, strict=True):
                events += reply.poll()
            time.sleep(0.005)
        _same([_finished(events).text for events in heard], ["Mara speaks.", "Pip speaks."])
        for events, reply in zip(heard, replies, strict=True):
            _same({event.request_id for event in events}, {reply.request_id})
            _same(sum(isinstance(event, ReplyFinished | ReplyFailed) for event in events), 1)

    def sessions(self) -> None:
        _same([entry.npc_id for entry in self._client.sessions()], ["mara", "pip"])

    def structured(self) -> None:
        schema = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
        events = list(self._mara.say("Note it down.", json_schema=schema))
        _same([event.value for event in _of(events, Structured)], [{"place": "the forge"}])
        _same(_finished(events).text, "")

    def confirm(self) -> None:
        for is_agreed, status, last_words in ((True, "accepted", "Here you are."), (False, "refused", "Then not.")):
            asked: list[FunctionCall] = []

            def agree(call: FunctionCall, word: bool = is_agreed, asked: list[FunctionCall] = asked) -> bool:
                asked.append(call)
                return word

            events = list(self._mara.say("Take my coin.", on_tool=lambda _: True, on_confirm=agree))
            _same([(call.name, dict(call.arguments)) for call in asked], [("charge", {"coins": 2})])
            _same([event.result.status for event in _of(events, ToolSettled)], [status])
            _check(_finished(events).text.endswith(last_words), _finished(events).text)

    def emote(self) -> None:
        events = list(self._mara.say("Smile!"))
        _same([(event.text, event.kind) for event in _of(events, Emote)], [("smiles", "action")])
        _same(_finished(events).text, "There you go.")

    def bark(self) -> None:
        failed = _failed(list(self._mara.say("Faint.")))
        _same((failed.error.code, failed.bark), ("engine_crashed", "Not now."))

    def happen(self) -> None:
        _same(self._client.happen("praised", "mara", player="Robin").mood, "glad")

    def forget(self) -> None:
        self._client.forget("pip", self._client.learn("pip", "The cellar is wet.", source="seen"))

    def stats(self) -> None:
        figures = self._client.stats()
        _check(bool(figures.name) and figures.bridge.sessions >= 2, f"{figures}")

    def resume(self) -> None:
        events: list[Event] = []
        for event in self._pip.say("Tell me a story."):
            events.append(event)
            if isinstance(event, TextDelta) and len(_of(events, TextDelta)) == _CUT_AFTER:
                _say("CUT")
        text = _finished(events).text
        _same("".join(event.text for event in _of(events, TextDelta)), text)
        _same(len(text.split()), _STORY_WORDS)
        _same(sum(isinstance(event, ReplyFinished | ReplyFailed) for event in events), 1)
        _check(self._client.is_connected, "the connection was lost")

    def heartbeat(self) -> None:
        time.sleep(_SILENCE_S)
        _check(self._client.is_connected, "the connection was lost in silence")
        self._client.ping()

    def restart(self) -> None:
        stream = iter(self._mara.say("Tell me a story."))
        events = [next(stream)]
        _say("RESTART")
        events += stream
        _check(isinstance(_failed(events).error, ConnectionLost), f"{_failed(events).error}")
        _same(sum(isinstance(event, ReplyFinished | ReplyFailed) for event in events), 1)
        self._client.close()
        self._client = self._reconnect()
        _same(self._client.talk("pip").say("Are you back?").read(), "Pip speaks.")

    def bye(self) -> None:
        self._client.ping()
        self._client.close()
        _check(not self._client.is_connected, "still connected")
        left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        _same(left, [])

    def _use_tool(self, words: str, item: str, status: str, last_words: str) -> None:
        """One call, which the game does, refuses or forgets."""

        def act(_call: FunctionCall) -> JsonValue:
            if status == "refused":
                raise Refuse("It is not for sale.")
            return {"given": item}

        events = list(self._mara.say(words, on_tool=None if status == "timeout" else act))
        calls = [(event.call.name, dict(event.call.arguments)) for event in _of(events, ToolCall)]
        _same(calls, [("give_item", {"item": item})])
        _same([event.result.status for event in _of(events, ToolSettled)], [status])
        text = _finished(events).text
        _check(text.endswith(last_words), text)

    def _reconnect(self) -> NpcClient:
        """Tries until the server is back. Raises: ConnectionLost when it does not come."""
        until = time.monotonic() + _RECONNECT_S
        while True:
            try:
                return NpcClient.connect(self._address, token=self._token, timeout_s=_PATIENCE_S)
            except ConnectionLost:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)


def _of(events: list[Event], kind: type[Kind]) -> list[Kind]:
    return [event for event in events if isinstance(event, kind)]


def _finished(events: list[Event]) -> ReplyFinished:
    """The last event. Raises: StepFailed where the reply failed."""
    last = events[-1] if events else None
    if not isinstance(last, ReplyFinished):
        raise StepFailed(f"ended in {last}")
    return last


def _failed(events: list[Event]) -> ReplyFailed:
    """The last event. Raises: StepFailed where the reply did not fail."""
    last = events[-1] if events else None
    if not isinstance(last, ReplyFailed):
        raise StepFailed(f"ended in {last}")
    return last


def _same(found: object, wanted: object) -> None:
    _check(found == wanted, f"{found!r} instead of {wanted!r}")


def _check(is_so: bool, why: str) -> None:
    if not is_so:
        raise StepFailed(why)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(0 if Script(*sys.argv[1:4]).run() else 1)
