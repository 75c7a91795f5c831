"""What every authored model is made of: the base that takes no unknown key, and the kinds of text and name.

Knows no particular model. Called by persona/schema.py, persona/tool.py and the lore readers.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Line = Annotated[str, Field(min_length=1, max_length=2000)]
NpcId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]


class Authored(BaseModel):
    """Base of every authored model: unknown keys are mistakes, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
