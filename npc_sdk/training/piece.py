"""Stretches of a training text: what is prompt, what is to be learned, both rendered by the game's own prompt code."""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.messages import Message
from npc_sdk.prompt.formats.nemotron import NemotronFormat
from npc_sdk.requests import Segment

FORMAT = NemotronFormat()


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a training text; the loss is taken in full only where is_answer."""

    segments: tuple[Segment, ...]
    is_answer: bool


def turn(message: Message) -> Piece:
    """A whole turn that is only read."""
    return Piece(tuple(FORMAT.turn(message)), False)


def reply(message: Message, *, is_learned: bool = True) -> list[Piece]:
    """The character's turn: its opening is read, the rest is learned."""
    return [Piece(tuple(FORMAT.opening()), False), Piece(tuple(FORMAT.turn(message)[1:]), is_learned)]


def plain_text(pieces: list[Piece]) -> str:
    """The pieces as one string, for training a tokenizer and for reading."""
    return "".join(segment.text for piece in pieces for segment in piece.segments)
