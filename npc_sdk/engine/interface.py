"""The one seam between sessions and models. Every engine, real or scripted, fits it; engine/create.py makes one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from npc_sdk.engine.stats import EngineStats
from npc_sdk.events import Timings, Usage
from npc_sdk.requests import GenerateRequest, PrefillRequest, Segment


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a session must know of the model behind an engine. context_tokens is prompt and reply together.

    Units: image_px is the longer side that pictures are made small to; 0 where the model does not say.
    """

    name: str
    context_tokens: int
    chat_format: str
    tool_format: str
    device: str = "cpu"
    has_vision: bool = False
    image_px: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Text that the model wrote, markers included, whole code points only."""

    text: str


@dataclass(frozen=True, slots=True)
class Generated:
    """The last item of a stream. finish_reason "stop" covers stop tokens and stop strings."""

    finish_reason: Literal["stop", "length", "cancelled"]
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)


EngineItem: TypeAlias = Chunk | Generated


@runtime_checkable
class Engine(Protocol):
    """A model that continues prompts. Safe to use from one asyncio loop; many streams may run at once."""

    @property
    def info(self) -> EngineInfo: ...

    def count_tokens(self, segments: Sequence[Segment]) -> int:
        """The exact number of prompt tokens that these segments become."""
        ...

    def stream(self, request: GenerateRequest) -> AsyncIterator[EngineItem]:
        """Chunks, then exactly one Generated as the last item.

        Raises: NpcError subclasses only; closing the iterator early (``aclose``) cancels the run.
        """
        ...

    async def prefill(self, request: PrefillRequest) -> Usage:
        """Compute the front of a prompt and keep it; what of it was there already counts as cached_tokens.

        Cancelled, it keeps what it has and says how far it came. An engine without a cache returns at once. A snapshot
        that cannot be used is told in the log and made anew.
        Raises: NpcError subclasses only.
        """
        ...

    def forget(self, front: Sequence[Segment], kept: Sequence[Segment] = ()) -> None:
        """Throw away what is kept of prompts that begin with front, past what it has in common with kept.

        For a front that no prompt will have again. Returns at once; a run that goes on keeps what it uses.
        """
        ...

    def cancel(self, request_id: str) -> None:
        """Ask a run to end before its next token, with finish_reason "cancelled". Unknown ids are ignored."""
        ...

    def note_frame(self, frame_s: float) -> None:
        """The game took so long for a frame; an engine on the game's machine gives way where that is too long."""
        ...

    def stats(self) -> EngineStats:
        """What the engine did so far."""
        ...

    async def close(self) -> None:
        """Free the model. Streams still open end with EngineCrashed."""
        ...
