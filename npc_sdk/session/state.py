"""The variables that a game sets for prompts: those of the world, and over them each NPC's own.

Knows no NPCs and no templates. Owned by the world, read by every scene.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from npc_sdk.errors import RequestError
from npc_sdk.messages import JsonValue
from npc_sdk.session.json_value import copied_json

MAX_VARIABLES = 128
MAX_VALUE_CHARS = 8192
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def checked_state(values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A copy of the values. Raises: RequestError naming the variable that cannot be used, or where they are too many.

    They are counted first: to look into each costs more than to send it.
    """
    set_anew = sum(value is not None for value in values.values())
    if set_anew > MAX_VARIABLES:
        raise _too_many(set_anew)
    for name in values:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise RequestError(f"{name!r} is no name for a variable", hint="letters, digits and _, a letter first")
    return {name: copied_json(value, name, max_chars=MAX_VALUE_CHARS) for name, value in values.items()}


class GameState:
    """Mutates: set changes what later replies are told; a reply that has begun keeps what it was told."""

    def __init__(self) -> None:
        self._world: dict[str, JsonValue] = {}
        self._own: dict[str, dict[str, JsonValue]] = {}

    def set(self, values: Mapping[str, JsonValue], npc_id: str | None = None) -> None:
        """Sets all of the values or none; None takes a variable away. Raises: RequestError."""
        before = self._world if npc_id is None else self._own.get(npc_id, {})
        after = {**before, **checked_state(values)}
        merged: dict[str, JsonValue] = {name: value for name, value in after.items() if value is not None}
        if len(merged) > MAX_VARIABLES:
            raise _too_many(len(merged))
        if npc_id is None:
            self._world = merged
        else:
            self._own[npc_id] = merged

    def seen_by(self, npc_id: str) -> dict[str, JsonValue]:
        """The variables in one NPC's prompts."""
        return {**self._world, **self._own.get(npc_id, {})}


def _too_many(count: int) -> RequestError:
    return RequestError(
        f"{count} variables are too many, at most {MAX_VARIABLES} are kept",
        hint="set the ones no longer needed to null",
    )
