"""The tools of one NPC: what its prompts declare, and what of it may be called at this moment.

Knows the persona's offer, no conversation. Made by the world, one an NPC; asked at each round of a reply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from npc_sdk.messages import JsonValue, ToolSpec
from npc_sdk.persona.limit import narrowed
from npc_sdk.persona.offer import Offer, offers
from npc_sdk.persona.parameter import FROM, Source, paths_of
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.session.live_schema import NothingToName, bounded, filled
from npc_sdk.session.live_tool import LiveTools, ToolRule
from npc_sdk.session.tool_use import ToolUse


@dataclass(frozen=True, slots=True)
class _Tool:
    """declared stands in prompts, live is what a call must fit once its sources are filled."""

    declared: ToolSpec
    live: ToolSpec
    sources: tuple[Source, ...]
    rule: ToolRule

    def at(self, state: Mapping[str, JsonValue]) -> ToolSpec:
        """The tool as it is now. Raises: NothingToName."""
        if not self.sources:
            return self.live  # the very same each time: whoever compiles it need not look inside
        return ToolSpec(self.live.name, self.live.description, filled(self.live.parameters, self.sources, state))


class Toolbelt:
    """specs is what the prompt declares, always the same. Raises: SettingsError where persona and world differ."""

    def __init__(self, persona: Persona, world: WorldFile) -> None:
        self._tools = tuple(_tool(offer) for offer in offers(persona, world))
        self.specs: tuple[ToolSpec, ...] = tuple(tool.declared for tool in self._tools)
        self._rules = MappingProxyType({tool.declared.name: tool.rule for tool in self._tools})
        self._others = frozenset(tool.name for tool in world.tools) - self._rules.keys()

    def live(
        self, state: Mapping[str, JsonValue], use: ToolUse, used_in_reply: Mapping[str, int], now_s: float
    ) -> LiveTools:
        """What may be called now, by the state, the quotas and the cooldowns. Units: now_s on the clock of use."""
        specs: list[ToolSpec] = []
        left_out: list[tuple[str, str]] = []
        for tool in self._tools:
            name = tool.declared.name
            why = _spent(tool.rule, name, use, used_in_reply.get(name, 0), now_s)
            try:
                specs += [] if why else [tool.at(state)]
            except NothingToName as exc:
                why = str(exc)
            left_out += [(name, why)] if why else []
        return LiveTools(tuple(specs), tuple(left_out), self._rules, self._others)


def _tool(offer: Offer) -> _Tool:
    declared = offer.tool.spec()
    sources = list(offer.tool.sources())
    schema = dict(declared.parameters)
    schema["properties"] = dict(schema["properties"])
    for name, limit in offer.limits:
        schema["properties"][name] = narrowed(schema["properties"][name], limit)
        if FROM in limit:
            sources.append(Source(("properties", name), paths_of(limit[FROM])))
    live = ToolSpec(declared.name, declared.description, bounded(schema))
    return _Tool(declared, live, tuple(sources), _rule(offer))


def _rule(offer: Offer) -> ToolRule:
    return ToolRule(
        is_parallel=offer.rule("parallel"),
        needs_confirmation=offer.rule("confirm"),
        per_reply=offer.rule("per_reply"),
        per_minute=offer.rule("per_minute"),
        cooldown_s=offer.rule("cooldown_s"),
        timeout_s=offer.rule("timeout_s"),
    )


def _spent(rule: ToolRule, name: str, use: ToolUse, used: int, now_s: float) -> str:
    """Why the tool may not be used once more; empty where it may."""
    if rule.per_reply is not None and used >= rule.per_reply:
        return f"{_times(rule.per_reply)} in one reply is the most"
    idle_s = use.idle_s(name, now_s)
    if idle_s is not None and idle_s < rule.cooldown_s:
        return f"you can again in {math.ceil(rule.cooldown_s - idle_s)} s"
    if rule.per_minute is not None and use.within_minute(name, now_s) >= rule.per_minute:
        return f"{_times(rule.per_minute)} in a minute is the most"
    return ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
