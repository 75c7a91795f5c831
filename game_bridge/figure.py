"""What `npc top` shows: the engine's figures and the server's own, as they go over the wire.

Their meaning is the engine's (npc_sdk/engine/stats.py); measure.py copies them. Floor 0 only.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from game_bridge.field import Count, Name, Seconds, WireModel
from game_bridge.told import Answer


class BridgeFields(WireModel):
    """The server's own."""

    peers: Count = Field(default=0, description="connections, the one that asks among them")
    sessions: Count = Field(default=0, description="open in all of them")
    replies: Count = Field(default=0, description="not ended yet")


class EngineFields(WireModel):
    """The engine as a whole."""

    running: Count = Field(default=0, description="requests that the model works on")
    waiting: Count = Field(default=0, description="requests in its queue")
    steps: Count = Field(default=0, description="of the model so far")
    preemptions: Count = Field(default=0, description="times a request gave its room to a more urgent one")
    drafted_tokens: Count = Field(default=0, description="guessed, to be checked several at once")
    accepted_tokens: Count = Field(default=0, description="of these, right")


class BatchFields(WireModel):
    """One size of batch."""

    requests: Count = Field(description="requests that shared a step")
    steps: Count = Field(description="steps that so many shared")


class CacheFields(WireModel):
    """Units: bytes."""

    pool_bytes: Count = Field(default=0, description="reserved for prompts and replies")
    used_bytes: Count = Field(default=0, description="of these, held by requests that run")
    kept_bytes: Count = Field(default=0, description="of these, kept for prompts that begin alike")
    evictions: Count = Field(default=0, description="blocks that made room for others")


class GovernorFields(WireModel):
    """How far the model gives way to the game's frames."""

    is_throttling: bool = Field(default=False, description="whether it does now")
    frame_s: Seconds = Field(default=0.0, description="the game's frame time, smoothed")
    budget_s: Seconds = Field(default=0.0, description="what a frame may take")
    share: Seconds = Field(default=1.0, description="part of the time that the model works, 1 at full speed")
    chunk_tokens: Count = Field(default=0, description="the most that a step may hold")
    threads: Count = Field(default=0, description="that it computes with; 0 where nobody governs them")
    frames: Count = Field(default=0, description="told so far")
    late_frames: Count = Field(default=0, description="of these, over the budget")
    slowdowns: Count = Field(default=0, description="times it gave way further")
    recoveries: Count = Field(default=0, description="times it took speed up again")


class RequestFields(WireModel):
    """One request that the engine ended: a run of a reply, or a prompt's front computed in advance."""

    request_id: Annotated[str, Field(max_length=320)] | None = Field(
        default=None, description="the engine's own, which begins with the session's; nil for another client's"
    )
    is_front: bool = Field(description="whether a prompt's front was computed in advance, and no reply")
    end: Literal["stop", "length", "cancelled", "failed"] = Field(description="how it ended")
    prompt_tokens: Count = Field(description="of the prompt")
    reused_tokens: Count = Field(description="of these, found in the cache")
    new_tokens: Count = Field(description="written by the model")
    queued_s: Seconds = Field(description="waiting for the model")
    prefill_s: Seconds = Field(description="reading the prompt")
    first_token_s: Seconds = Field(description="from arrival to the first token; 0 where none came")
    decode_s: Seconds = Field(description="from the first token to the last")
    total_s: Seconds = Field(description="from arrival to the end")
    median_gap_s: Seconds = Field(description="between two tokens")
    longest_gap_s: Seconds = Field(description="between two tokens")
    tokens_per_s: Seconds = Field(description="after the first token; 0 where there was no second")


class Figures(Answer):
    """Answers stats."""

    type: Literal["figures"] = "figures"
    name: Name = Field(description="the model's name")
    device: Name = Field(description="where it runs")
    bridge: BridgeFields = Field(description="see Bridge")
    engine: EngineFields = Field(description="see Engine")
    batches: Annotated[tuple[BatchFields, ...], Field(strict=False, max_length=1024)] = Field(
        description="how many requests shared a step, smallest first"
    )
    cache: CacheFields = Field(description="see Cache")
    governor: GovernorFields = Field(description="see Governor")
    requests: Annotated[tuple[RequestFields, ...], Field(strict=False, max_length=256)] = Field(
        description="the last that ended, the latest last"
    )
