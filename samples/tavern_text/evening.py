"""A written evening: what a patient player does and says, read from YAML. play.py performs it.

A line may name the act that it hopes for, and other words to try when that act does not come.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from npc_sdk.errors import ContentError

Words = Annotated[str, Field(min_length=1, max_length=300)]


class Written(BaseModel):
    """Base of a script's parts: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Hope(Written):
    """The act that ends the rephrasing."""

    tool: Words
    status: Literal["accepted", "refused"] = "accepted"


class Do(Written):
    """A command of the game, or bye."""

    do: Words


class Say(Written):
    """Words to whoever the player talks to; otherwise holds other ways to put them."""

    say: Words
    until: Hope | None = None
    otherwise: Annotated[tuple[Words, ...], Field(max_length=3)] = ()

    @model_validator(mode="after")
    def _knows_when_to_stop(self) -> Say:
        if self.otherwise and self.until is None:
            raise ValueError("otherwise needs until, the act that the player waits for")
        return self


def _kind(step: Any) -> str:
    """Which of the two a step was meant to be, so that its mistakes are told for that one alone."""
    return "say" if isinstance(step, Say) or (isinstance(step, dict) and "say" in step) else "do"


Step = Annotated[Annotated[Do, Tag("do")] | Annotated[Say, Tag("say")], Discriminator(_kind)]


class Evening(Written):
    """A whole script. seed makes a seeded server answer alike each time."""

    title: Words
    player: Annotated[str, Field(min_length=1, max_length=60)] = "Robin"
    seed: int = Field(default=0, ge=0, lt=2**31)
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=500)]


EVENINGS = Path(__file__).parent / "evenings"
FIRST = EVENINGS / "first.yaml"


def load_evening(path: Path) -> Evening:
    """Raises: ContentError naming the file and the step."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ContentError(f"cannot be read: {exc}", path=path, hint=f"scripts that ship: {_shipped()}") from exc
    except yaml.YAMLError as exc:
        raise ContentError(f"not YAML: {exc}", path=path, hint=f"begin as {FIRST.name} does") from exc
    try:
        return Evening.model_validate(values)
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        hint = "a step is do: or say:, with until: and otherwise: if need be"
        raise ContentError(f"{first['input']!r}: {first['msg']}", path=path, field=place, hint=hint) from exc


def _shipped() -> str:
    return ", ".join(sorted(script.name for script in EVENINGS.glob("*.yaml")))
