"""500 texts that ask for acts, through every channel that others can write: an NPC that repeats them never acts."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable

import pytest
from guard.injections import TOOL, injections

from npc_sdk.errors import RequestError
from npc_sdk.events import ReplyFinished, ToolCall
from npc_sdk.requests import GenerateRequest
from npc_sdk.session import gate

from .parrot import (
    CHANNELS,
    CHAT_OF,
    FAREWELL,
    GREETING,
    HEARD,
    Parrot,
    fitted,
    from_messages,
    from_segments,
    listen,
    pushover,
)
from .stage import check_reply

Repeat = Callable[[GenerateRequest], str]
MOST_ROUNDS = 4
INJECTIONS = random.Random(5).sample(injections(), 500)
TOOLS = {TOOL: {"properties": {"gate": {"type": "string"}, "amount": {"type": "integer"}}}}


async def play(channel: str, dialect: str, repeat: Repeat | None) -> tuple[int, int]:
    """How many texts were told, and how often the NPC acted on one. repeat None: the text itself, as it was."""
    engine = Parrot(repeat or (lambda _request: ""), dialect)
    own = itertools.islice(INJECTIONS, list(CHAT_OF).index(dialect), None, len(CHAT_OF))
    texts = [fitted(channel, text) for text in own]
    is_known = channel == "what the persona knows"
    world = pushover(engine, TOOLS, texts if channel == "lore" else [])
    told = acted = 0
    for number, text in enumerate(texts):
        if repeat is None:
            engine.repeat = lambda _request, text=text: text  # type: ignore[misc]
        if is_known:
            world = pushover(engine, TOOLS, [], knows=text)
        try:
            session, words = CHANNELS[channel](world, engine, HEARD if is_known else text, number)
        except RequestError:
            continue
        engine.runs = 0
        events = await listen(session, words, text)
        world.end(session.session_id)
        check_reply(events)
        last = events[-1]
        assert isinstance(last, ReplyFinished), (text, last)
        assert last.text.startswith(GREETING), text
        assert repeat is None or last.text.endswith(FAREWELL), text
        assert engine.runs <= MOST_ROUNDS, text
        told += 1
        acted += sum(isinstance(event, ToolCall) and event.call.name != "nod" for event in events)
    return told, acted


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("repeat", [from_segments, from_messages, None], ids=["segments", "messages", "as it was"])
def test_what_others_wrote_never_acts(channel: str, repeat: Repeat | None) -> None:
    tellings = [asyncio.run(play(channel, dialect, repeat)) for dialect in CHAT_OF]
    told = sum(count for count, _ in tellings)
    assert told >= (100 if channel == "player's name" else 500)
    assert sum(acts for _, acts in tellings) == 0


def test_it_is_the_guard_that_tells_a_quotation_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, a model that repeats the texts as they were would act on many of them."""
    monkeypatch.setattr(gate, "is_quoted", lambda *_: False)
    acts = [asyncio.run(play("player's words", dialect, None))[1] for dialect in CHAT_OF]
    assert min(acts) > 0
    assert sum(acts) >= 50
