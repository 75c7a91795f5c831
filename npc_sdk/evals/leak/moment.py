"""The states of the game in which a cast is asked: as it stands, and one for each condition that can be made true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from npc_sdk.evals.leak.fact import Fact, State
from npc_sdk.messages import JsonValue
from npc_sdk.persona.condition import compared_texts, holds, looked_up

MAX_MOMENTS = 64
_VALUES: tuple[JsonValue, ...] = (10, -10, 1000, True, False)  # for what is not compared with a text


def moments(facts: Iterable[Fact], state: State) -> list[State]:
    """The given state first; then, for each condition, that state with what the condition compares with set so.

    A condition that this does not make true is left to the state that the caller gives.
    """
    found: list[State] = [state]
    for condition in dict.fromkeys(fact.when for fact in facts if fact.when):
        changed = _made_true(condition, state)
        if changed is not None and changed not in found and len(found) < MAX_MOMENTS:
            found.append(changed)
    return found


def _made_true(condition: str, state: State) -> State | None:
    texts = dict(compared_texts(condition))
    asked = looked_up(condition)
    values = [path for path in sorted(asked - texts.keys()) if not any(other.startswith(f"{path}.") for other in asked)]
    for value in _VALUES:
        changed: dict[str, Any] = dict(state)
        for path, wanted in {**dict.fromkeys(values, value), **texts}.items():
            _put(changed, path.split("."), wanted)
        if holds(condition, changed)[0]:
            return changed
    return None


def _put(state: dict[str, Any], steps: list[str], value: JsonValue) -> None:
    """Mutates: state, whose inner maps are copied first."""
    for step in steps[:-1]:
        inner = state.get(step)
        state[step] = dict(inner) if isinstance(inner, Mapping) else {}
        state = state[step]
    state[steps[-1]] = value
