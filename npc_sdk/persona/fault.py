"""Mistakes that a model finds in itself, each with its place inside, the value and a hint.

They travel through pydantic as one error; validate.py tells each of them with its line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from npc_sdk.persona.yaml_reader import FieldPath, field_name

FAULTS = "faults"  # the kind of error that pydantic is told


@dataclass(frozen=True, slots=True)
class Fault:
    """where is relative to the model that tells of it."""

    where: FieldPath
    message: str
    hint: str = ""

    def under(self, *steps: str | int) -> Fault:
        """The same as seen from further out."""
        return Fault((*steps, *self.where), self.message, self.hint)

    def __str__(self) -> str:
        place = f"{field_name(self.where)}: " if self.where else ""
        return f"{place}{self.message}{f' ({self.hint})' if self.hint else ''}"


def refuse_faults(faults: Iterable[Fault]) -> None:
    """Raises: what pydantic makes a ValidationError of, where there is a fault."""
    if found := tuple(faults):
        told = "; ".join(map(str, found))
        raise PydanticCustomError(FAULTS, "{told}", {"told": told, FAULTS: found})
