"""A picture file that was looked through, and how a reader refuses one. Knows no format."""

from __future__ import annotations

from dataclasses import dataclass, field

from npc_sdk.errors import RequestError


@dataclass(frozen=True, slots=True)
class PlainFile:
    """What is left of a file for the decoder. Units: pixels."""

    width: int
    height: int
    data: bytes = field(repr=False)


def broken(what: str) -> RequestError:
    """For a file that does not follow its format."""
    return RequestError(f"the file is broken: {what}", hint="send it as the encoder wrote it")


def not_taken(what: str, hint: str) -> RequestError:
    """For a file that is sound but of a kind that is not decoded here."""
    return RequestError(f"{what} is not taken", hint=hint)
