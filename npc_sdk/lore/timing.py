"""The timed rules of lorebook entries, counted in messages: sticky keeps an entry in, cooldown keeps it out.

An effect that begins at a chat of n messages ends when the chat has n + its span; a cooldown begins where the sticky
time ends. Called by lore/activation.py, with timers that the session keeps, and by the session for what a prompt holds.
Source: SillyTavern's World Info, timed effects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from npc_sdk.lore.entry import LoreEntry, Rules, Timers

RulesOf: TypeAlias = Callable[[str], Rules | None]


def advanced(timers: Timers, length: int, rules_of: RulesOf) -> Timers:
    """The timers as they stand at a chat of that length.

    What has ended is gone and, where it was sticky, has become a cooldown; what lies ahead of the chat is gone too, for
    then messages were taken back. An entry that is not there (rules_of gives None) keeps its time until it ends.
    """
    sticky: dict[str, int] = {}
    cooldown: dict[str, int] = {}
    for entry_id, end in timers.cooldown.items():
        rules = rules_of(entry_id)
        if _is_running(end, length, rules.cooldown if rules else None):
            cooldown[entry_id] = end
    for entry_id, end in timers.sticky.items():
        rules = rules_of(entry_id)
        if _is_running(end, length, rules.sticky if rules else None):
            sticky[entry_id] = end
        elif rules and rules.sticky and end <= length < end + rules.cooldown:
            cooldown[entry_id] = end + rules.cooldown
    return Timers(MappingProxyType(sticky), MappingProxyType(cooldown))


def started(timers: Timers, active: Iterable[LoreEntry], length: int) -> Timers:
    """The timers once these entries stand in a prompt of that chat length, whatever found them.

    An effect that runs already is not drawn out. timers are those of the search: see SearchResult.
    """
    sticky, cooldown = dict(timers.sticky), dict(timers.cooldown)
    for entry in active:
        if entry.rules.sticky:
            sticky.setdefault(entry.entry_id, length + entry.rules.sticky)
        elif entry.rules.cooldown:
            cooldown.setdefault(entry.entry_id, length + entry.rules.cooldown)
    return Timers(MappingProxyType(sticky), MappingProxyType(cooldown))


def resting(timers: Timers) -> Mapping[str, int]:
    """The entries that a cooldown keeps out; one that is sticky is not kept out."""
    return {entry_id: end for entry_id, end in timers.cooldown.items() if entry_id not in timers.sticky}


def _is_running(end: int, length: int, span: int | None) -> bool:
    """span is the entry's as it is written now: none at all where an edit took the rule away."""
    return length < end and (span is None or end - span <= length)
