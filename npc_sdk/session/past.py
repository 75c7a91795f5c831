"""A conversation as it stands before the player's next words."""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.lore.entry import NO_TIMERS, Timers
from npc_sdk.messages import Message


@dataclass(frozen=True, slots=True)
class Past:
    """messages are at hand, oldest first; earlier counts those before them that are not. timers: what of the lore
    holds on from turns before."""

    messages: tuple[Message, ...] = ()
    earlier: int = 0
    timers: Timers = NO_TIMERS
