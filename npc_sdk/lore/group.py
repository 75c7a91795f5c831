"""Inclusion groups: of the entries of one group that would come in, one does.

An entry that is in since an earlier turn keeps its group, then the number of keys said, then who goes first, then a
draw by weight decide. Called by lore/activation.py.
Source: SillyTavern's World Info, inclusion groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from npc_sdk.lore.draw import Draw
from npc_sdk.lore.entry import LoreEntry

HitKind: TypeAlias = Literal["constant", "sticky", "key", "always"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that its own rules let in. heard counts its keys that were said."""

    index: int
    entry: LoreEntry
    kind: HitKind
    strength: float
    why: str
    heard: int = 0
    is_sticky: bool = False

    @property
    def precedence(self) -> tuple[int, str]:
        """What sorts those before others that come first where nothing else tells them apart."""
        return -self.entry.rules.order, self.entry.entry_id


@dataclass(slots=True)
class Settled:
    """Who stays, and why the others do not, by index."""

    kept: list[Candidate]
    lost: dict[int, str] = field(default_factory=dict)


def settle_groups(candidates: Sequence[Candidate], holders: Mapping[str, str], draw: Draw) -> Settled:
    """At most one candidate a group; holders are the groups that an entry has already, by that entry's id."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        for name in candidate.entry.rules.groups:
            groups.setdefault(name, []).append(candidate)
    lost: dict[int, str] = {}
    for name in sorted(groups):
        members = [member for member in groups[name] if member.index not in lost]
        lost |= _held(members, name, holders[name]) if name in holders else _lost(members, name, draw)
    return Settled([candidate for candidate in candidates if candidate.index not in lost], lost)


def held_by(name: str, holder: str) -> str:
    """Why an entry stays out of a group that another has."""
    return f"the group {name!r} is held by {holder!r}"


def _held(members: Sequence[Candidate], name: str, holder: str) -> dict[int, str]:
    return {member.index: held_by(name, holder) for member in members}


def _lost(members: Sequence[Candidate], name: str, draw: Draw) -> dict[int, str]:
    """All but one, each with the reason."""
    lost: dict[int, str] = {}
    if len(members) < 2:
        return lost
    if sticky := [member for member in members if member.is_sticky]:
        winner = min(sticky, key=lambda member: member.precedence)
        return _all_but(winner, members, f"the group {name!r} is kept by {winner.entry.entry_id!r} (sticky)")
    most = max(members, key=lambda member: member.heard)
    scored = f"group {name!r}: more keys of {most.entry.entry_id!r} were said"
    lost = {m.index: scored for m in members if m.entry.rules.is_group_scored and m.heard < most.heard}
    rest = [member for member in members if member.index not in lost]
    if first := [member for member in rest if member.entry.rules.is_group_first]:
        winner = min(first, key=lambda member: member.precedence)
        return lost | _all_but(winner, rest, f"in the group {name!r}, {winner.entry.entry_id!r} goes first")
    winner = _drawn(rest, draw(f"group {name}"))
    return lost | _all_but(winner, rest, f"lost the draw of group {name!r} to {winner.entry.entry_id!r}")


def _all_but(winner: Candidate, members: Sequence[Candidate], why: str) -> dict[int, str]:
    return {member.index: why for member in members if member is not winner}


def _drawn(members: Sequence[Candidate], lot: float) -> Candidate:
    """The member that the lot falls on, each having a part of its weight; where nobody has weight, all are alike."""
    ordered = sorted(members, key=lambda member: member.precedence)
    weights = [max(member.entry.rules.group_weight, 0) for member in ordered]
    if not any(weights):
        weights = [1] * len(ordered)
    left = lot * sum(weights)
    for member, weight in zip(ordered, weights, strict=True):
        left -= weight
        if left < 0:
            return member
    return ordered[-1]
