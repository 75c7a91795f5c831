"""A conversation as it stands before the player's next words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from npc_sdk.lore.entry import NO_TIMERS, Timers
from npc_sdk.messages import Message


@dataclass(frozen=True, slots=True)
class Past:
    """messages are at hand, oldest first. timers: what of the lore holds on from turns before.

    Units: earlier in messages as spoken counts them, of those before that are not at hand.
    """

    messages: tuple[Message, ...] = ()
    earlier: int = 0
    timers: Timers = NO_TIMERS


def chat_length(past: Past) -> int:
    """How many messages there have been."""
    return past.earlier + len(spoken(past.messages))


_SHOWN = re.compile(r"\*[^*\n]+\*|\[[^\]\n]+\]")  # emotes, as the history holds them


def spoken(messages: Iterable[Message]) -> list[str]:
    """The conversation as its two sides heard it: an NPC's rounds between two of the player's turns are one message."""
    out: list[str] = []
    is_npc_last = False
    for message in messages:
        if message.role == "user":
            out.append(message.text)
            is_npc_last = False
        elif message.role == "assistant":
            heard = heard_of(message)
            out[-1:] = [" ".join(filter(None, (out[-1], heard)))] if is_npc_last else [*out[-1:], heard]
            is_npc_last = True
    return out


def heard_of(message: Message) -> str:
    """What was heard of an NPC's message: what it only showed is left out."""
    return _SHOWN.sub("", message.text).strip()
