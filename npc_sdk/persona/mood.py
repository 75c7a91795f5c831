"""How a character feels and whom it likes, as its file says: where both start and what moves them.

Knows neither tools nor events, nor how things stand: see persona/temper.py. Called by persona/schema.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from npc_sdk.persona.authored import Authored, Happening, Line, Short
from npc_sdk.persona.fault import Fault, refuse_faults
from npc_sdk.persona.problem import shown
from npc_sdk.persona.sandbox import LineError, variables_in
from npc_sdk.persona.when import RELATION

WHO = "who"  # what a line about a relationship calls the other
_Level = Annotated[int, Field(ge=RELATION[0], le=RELATION[-1])]


class Mood(Authored):
    """Moods of a character and what brings them about."""

    start: Short | None = Field(default=None, description="The mood it starts with; without it, nothing is told.")
    moves: dict[Happening, Short] = Field(
        default_factory=dict,
        max_length=64,
        description="The mood after a tool of its own was accepted, or after an event of the world: {insulted: angry}.",
    )
    fades_after: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="After how many messages the first mood comes back; without it, never."
    )

    @property
    def names(self) -> frozenset[str]:
        """Every mood that there can be."""
        return frozenset(self.moves.values()) | ({self.start} if self.start else frozenset())


class Relationship(Authored):
    """How a character stands to the player or to another, from -10 to 10."""

    start: _Level = 0
    moves: dict[Happening, Annotated[int, Field(ge=-20, le=20)]] = Field(
        default_factory=dict,
        max_length=64,
        description="What is added after a tool of its own was accepted, or after an event: {insulted: -3}.",
    )
    words: dict[_Level, Line] = Field(
        default_factory=dict,
        max_length=21,
        description="What it is told from a value on: {-3: You do not trust {{ who }}., 4: You like {{ who }}.} Below"
        " zero a line holds at its value and under it; of several the one furthest from zero is told.",
    )

    @model_validator(mode="after")
    def _words_are_lines(self) -> Self:
        refuse_faults(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        for level, line in self.words.items():
            try:
                unknown = sorted(variables_in(line) - {WHO})
            except LineError as exc:
                yield Fault(("words", str(level)), f"{shown(line)}: {str(exc).removesuffix('.')}")
                continue
            if unknown:
                yield Fault(("words", str(level)), f"there is no {unknown[0]!r} here", f"write '{{{{ {WHO} }}}}'")
