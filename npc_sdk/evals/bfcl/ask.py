"""Asks an engine one row: the question in the model's chat format, its answer as calls under the row's own names.

Knows no rules of right and wrong. Called by run.py.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from npc_sdk.decoding.stream_parser import Item, StreamParser
from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall
from npc_sdk.engine.interface import Chunk, Engine, EngineInfo, Generated
from npc_sdk.errors import PromptTooLong, RequestError
from npc_sdk.evals.bfcl.offer import Offer
from npc_sdk.evals.bfcl.row import Row
from npc_sdk.evals.bfcl.verdict import Reason, Verdict
from npc_sdk.messages import Message
from npc_sdk.prompt.formats import chat_format
from npc_sdk.requests import Constraint, GenerateRequest, Sampling

# The rows say nothing of when to call; without a word of it a chat model answers in prose.
INSTRUCTIONS = (
    "You answer requests by calling functions. Call every function that the request needs, once for each thing it asks "
    "for, with arguments taken from the request. Leave optional arguments out unless the request gives them. If no "
    "function fits the request, or it lacks what a function requires, call none and say so in one sentence."
)
MAX_CALLS = 16


@dataclass(frozen=True, slots=True)
class Asking:
    """How every row is asked. is_constrained: an engine that can keeps the calls valid for their schema."""

    is_constrained: bool = True
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.0, max_new_tokens=512))


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: text is all that the model wrote, of which calls could be read. not_asked says why nothing did.

    Units: took_s is seconds with the wait for a place in the batch.
    """

    calls: tuple[ParsedCall, ...] = ()
    malformed: tuple[MalformedCall, ...] = ()
    text: str = ""
    end: Generated | None = None
    not_asked: Verdict | None = None
    took_s: float = 0.0


async def ask(engine: Engine, row: Row, asking: Asking) -> Reply:
    """One run of the model. Raises: NpcError, but not for a prompt that is too long or a request that is refused."""
    offer = Offer.of(row.functions)
    started = time.perf_counter()
    try:
        text, items, end = await _collect(engine, request_for(row, offer, engine.info, asking))
    except PromptTooLong as exc:
        return Reply(not_asked=Verdict(Reason.TOO_LONG, exc.message))
    except RequestError as exc:
        return Reply(not_asked=Verdict(Reason.REFUSED, exc.message))
    return Reply(
        calls=tuple(offer.original(item) for item in items if isinstance(item, ParsedCall)),
        malformed=tuple(item for item in items if isinstance(item, MalformedCall)),
        text=text,
        end=end,
        took_s=time.perf_counter() - started,
    )


def request_for(row: Row, offer: Offer, info: EngineInfo, asking: Asking) -> GenerateRequest:
    """The row as a request to this engine. Raises: SettingsError for a format that nobody wrote."""
    layout = chat_format(info.chat_format)
    system = Message("system", "\n\n".join([INSTRUCTIONS, *_texts(row.messages, "system")]))
    turns = tuple(message for message in row.messages if message.role != "system")
    front = layout.system(system, offer.specs)
    said = [segment for turn in turns for segment in layout.turn(turn)]
    return GenerateRequest(
        request_id=f"bfcl-{row.row_id}",
        segments=(*front, *said, *layout.opening()),
        messages=(system, *turns),
        tools=offer.specs,
        sampling=_stopping(asking.sampling, layout.stop),
        bulk_segments=len(front),
        constraint=_constraint(offer) if asking.is_constrained else None,
    )


def _texts(messages: Sequence[Message], role: str) -> list[str]:
    return [message.text for message in messages if message.role == role]


def _stopping(sampling: Sampling, stop: tuple[str, ...]) -> Sampling:
    return replace(sampling, stop=(*sampling.stop, *stop))


def _constraint(offer: Offer) -> Constraint:
    """Whether and what to call is the model's choice; any call may be followed by another."""
    names = frozenset(spec.name for spec in offer.specs)
    return Constraint(tools=offer.specs, mode="auto", chained=names, max_calls=MAX_CALLS)


async def _collect(engine: Engine, request: GenerateRequest) -> tuple[str, list[Item], Generated]:
    """Everything that the model wrote, the same as speech and calls, and its end. Raises: NpcError."""
    parser = StreamParser(tool_format(engine.info.tool_format))
    pieces: list[str] = []
    items: list[Item] = []
    end = Generated("stop")
    async for item in engine.stream(request):
        if isinstance(item, Chunk):
            pieces.append(item.text)
            items += parser.feed(item.text)
        else:
            end = item
    return "".join(pieces), [*items, *parser.finish()], end
