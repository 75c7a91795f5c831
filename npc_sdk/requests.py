"""What a session asks of an engine: a reply, or only a prompt's front ahead of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal, TypeAlias

from npc_sdk.messages import Message, ToolSpec


class Priority(IntEnum):
    """Smaller goes first."""

    PLAYER = 0
    NEARBY = 1
    AMBIENT = 2
    BACKGROUND = 3


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of prompt text. Only a trusted one may become control tokens; in others they are split."""

    text: str
    is_trusted: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn. temperature 0 is greedy; top_k 0, top_p 1 and min_p 0 switch a filter off.

    Units: max_new_tokens in tokens. seed None draws a fresh one.
    """

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_new_tokens: int = 256
    seed: int | None = None
    stop: tuple[str, ...] = ()


ToolMode: TypeAlias = Literal["auto", "required", "none"]
MAX_CALLS_A_RUN = 8


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a run of the model may write: speech, then calls of these tools, each valid for its schema.

    tools are those that may be called at this moment, with the game's live values as enums. mode "required" wants a
    call (of a named tool: the only one in tools), "none" wants speech only. After a call of a tool in chained another
    may follow; any other ends the calls. Where speaks_after is set, words may follow the calls, else the run ends.
    Where json_schema is set, the run is one JSON value of that schema and nothing of the above holds.
    """

    tools: tuple[ToolSpec, ...] = ()
    mode: ToolMode = "auto"
    chained: frozenset[str] = frozenset()
    max_calls: int = MAX_CALLS_A_RUN
    speaks_after: bool = False
    json_schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One run of the model. segments are the compiled prompt; messages and tools are the same prompt as structure,
    for engines that render it themselves (scripted, remote).

    bulk_segments of them, at the front, are read in bulk: all before the player's own words, which come a few at a
    time; None where nobody knows. Requests of one npc_id share their turn with each other before others wait for them.
    constraint is kept to by engines that can; None lets the model write anything.

    Units: deadline_s is seconds from now for the whole reply, start_by_s for its first token; None waits as long as it
    takes.
    """

    request_id: str
    segments: tuple[Segment, ...]
    messages: tuple[Message, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    priority: Priority = Priority.PLAYER
    deadline_s: float | None = None
    start_by_s: float | None = None
    bulk_segments: int | None = None
    npc_id: str = ""
    constraint: Constraint | None = None


@dataclass(frozen=True, slots=True)
class PrefillRequest:
    """The front of a prompt that will come, to be computed while there is time. Fields as in GenerateRequest.

    snapshot is a file that the front is read from where it holds this very front, and else is written to.
    """

    request_id: str
    segments: tuple[Segment, ...]
    priority: Priority = Priority.BACKGROUND
    bulk_segments: int | None = None
    npc_id: str = ""
    snapshot: Path | None = None
