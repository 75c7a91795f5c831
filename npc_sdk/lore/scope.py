"""Whether a character can know an entry at this moment, and why not. Settled before anything is ranked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from npc_sdk.lore.entry import Scope
from npc_sdk.lore.scan import Viewer
from npc_sdk.messages import JsonValue
from npc_sdk.persona.condition import holds as condition_holds

Holds: TypeAlias = Callable[[str, Mapping[str, JsonValue]], tuple[bool, str]]


def barred(scope: Scope, viewer: Viewer, holds: Holds = condition_holds) -> str:
    """Why the viewer cannot know what has this scope; empty where it can. Learned entries are not asked about here.

    holds answers for the scope's condition: a book has its conditions compiled.
    """
    if scope.npc_ids and viewer.npc_id not in scope.npc_ids:
        return f"known only to {', '.join(sorted(scope.npc_ids))}"
    if scope.factions and not scope.factions & viewer.factions:
        return f"known only to the {', '.join(sorted(scope.factions))}"
    if scope.places and viewer.place not in scope.places:
        return f"known only at {', '.join(sorted(scope.places))}"
    if late := _out_of_time(scope, viewer.today):
        return late
    if scope.when:
        is_so, why = holds(scope.when, viewer.variables)
        return "" if is_so else why
    return ""


def _out_of_time(scope: Scope, today: int | None) -> str:
    if today is None:
        return "the world has no date" if scope.since is not None or scope.until is not None else ""
    if scope.since is not None and today < scope.since:
        return "has not happened yet"
    return "is no longer so" if scope.until is not None and today > scope.until else ""
