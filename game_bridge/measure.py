"""The engine's figures as the wire carries them. Knows no socket; called by service.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from game_bridge import message as wire
from game_bridge.protocol import make
from npc_sdk.engine.interface import Engine
from npc_sdk.engine.stats import RequestStats

_MAX_ID_CHARS, _MAX_NAME_CHARS = 320, 128

Fields = TypeVar("Fields", bound=wire.WireModel)


def figures(engine: Engine, bridge: wire.BridgeFields, ref: int | None, is_own: Callable[[str], bool]) -> wire.Figures:
    """What the engine and the server did so far, for one client: is_own says which request ids it may know.

    Raises: ProtocolError for a figure that is none.
    """
    stats, info = engine.stats(), engine.info
    return make(
        wire.Figures,
        ref=ref,
        name=info.name[:_MAX_NAME_CHARS],
        device=info.device[:_MAX_NAME_CHARS],
        bridge=bridge,
        engine=_copied(wire.EngineFields, stats),
        batches=tuple(
            make(wire.BatchFields, requests=size, steps=steps) for size, steps in sorted(stats.batch_sizes.items())
        ),
        cache=_copied(wire.CacheFields, stats.cache),
        governor=_copied(wire.GovernorFields, stats.governor),
        requests=tuple(_request(request, is_named=is_own(request.request_id)) for request in stats.requests),
    )


def _copied(model: type[Fields], figures: object) -> Fields:
    """The fields that a message has, from an object that has more."""
    return make(model, **{name: getattr(figures, name) for name in model.model_fields})


def _request(stats: RequestStats, *, is_named: bool) -> wire.RequestFields:
    """One request; a run of a reply is known by the number that ends its id."""
    timings = stats.timings
    return make(
        wire.RequestFields,
        request_id=stats.request_id[:_MAX_ID_CHARS] if is_named else None,
        is_front=not stats.request_id.rpartition("/")[2].isdecimal(),
        end=stats.end,
        prompt_tokens=stats.prompt_tokens,
        reused_tokens=stats.reused_tokens,
        new_tokens=stats.new_tokens,
        queued_s=timings.queued_s,
        prefill_s=timings.prefill_s,
        first_token_s=timings.first_token_s,
        decode_s=timings.decode_s,
        total_s=timings.total_s,
        median_gap_s=stats.median_gap_s,
        longest_gap_s=stats.longest_gap_s,
        tokens_per_s=stats.tokens_per_s,
    )
