"""The result of one row, as it is kept in a file and counted. Made by run.py, kept by store.py, shown by report.py."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from npc_sdk.evals.bfcl.category import Category
from npc_sdk.evals.bfcl.verdict import Reason


class CallMade(BaseModel):
    """A call as it was read, under the row's own name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    arguments: dict[str, Any]


class Result(BaseModel):
    """Right where reason is None. text is all that the model wrote, digest the row's: a changed row is asked again.

    Units: took_s in seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    row_id: str
    category: Category
    digest: str
    reason: Reason | None
    detail: str = ""
    calls: list[CallMade] = []
    text: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    took_s: float = 0.0

    @property
    def is_right(self) -> bool:
        """Whether the row counts."""
        return self.reason is None
