"""State that a game sets is checked, copied, layered and bounded."""

from __future__ import annotations

from typing import Any

import pytest

from game_bridge import message as wire
from game_bridge import protocol
from npc_sdk.errors import RequestError
from npc_sdk.session.json_value import copied_json
from npc_sdk.session.state import MAX_VALUE_CHARS, MAX_VARIABLES, GameState
from tests.effort import effort_below


def nested(levels: int) -> list[Any]:
    out: list[Any] = []
    for _ in range(levels - 1):
        out = [out]
    return out


WRONG: dict[str, tuple[dict[Any, Any], str]] = {
    "name with a blank": ({"a b": 1}, "'a b' is no name"),
    "name not text": ({3: 1}, "3 is no name"),
    "empty name": ({"": 1}, "'' is no name"),
    "long name": ({"a" * 65: 1}, "is no name"),
    "nan": ({"a": float("nan")}, "a is nan"),
    "infinity inside": ({"a": {"b": [float("inf")]}}, r"a.b\[0\] is inf"),
    "set": ({"a": {1}}, "a is a set"),
    "bytes": ({"a": b"x"}, "a is a bytes"),
    "tuple": ({"a": (1,)}, "a is a tuple"),
    "key not text": ({"a": {1: 2}}, "a has the key 1"),
    "huge number": ({"a": 2**64}, "too large a number"),
    "half a character": ({"a": "\ud800"}, "half a character"),
    "too deep": ({"a": nested(9)}, "nested too deeply"),
    "too large": ({"a": "x" * MAX_VALUE_CHARS}, "at most 8192"),
}


@pytest.mark.parametrize(("values", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_refused_by_name_and_nothing_is_set(values: dict[Any, Any], message: str) -> None:
    state = GameState()
    with pytest.raises(RequestError, match=message):
        state.set({"good": 1, **values})
    assert state.seen_by("mara") == {}


def test_an_npcs_own_variables_lie_over_the_worlds() -> None:
    state = GameState()
    state.set({"weather": "rain", "quest": "none"})
    state.set({"quest": "hammer"}, "mara")
    assert state.seen_by("mara") == {"weather": "rain", "quest": "hammer"}
    assert state.seen_by("pip") == {"weather": "rain", "quest": "none"}


def test_null_takes_a_variable_away() -> None:
    state = GameState()
    state.set({"quest": "hammer", "place": "forge"}, "mara")
    state.set({"quest": None}, "mara")
    assert state.seen_by("mara") == {"place": "forge"}


def test_values_are_copied() -> None:
    holds = ["sword"]
    state = GameState()
    state.set({"holds": holds})
    holds.append("axe")
    assert state.seen_by("mara") == {"holds": ["sword"]}


def test_the_number_of_variables_is_bounded() -> None:
    state = GameState()
    state.set({f"v{number}": number for number in range(MAX_VARIABLES)})
    with pytest.raises(RequestError, match="too many"):
        state.set({"one_more": 1})
    state.set({"v0": None, "one_more": 1})
    assert len(state.seen_by("mara")) == MAX_VARIABLES


def test_too_many_variables_are_refused_before_one_is_looked_into() -> None:
    with pytest.raises(RequestError, match="129 variables are too many"):
        GameState().set({f"v{number}": {"no": {"JSON"}} for number in range(MAX_VARIABLES + 1)})  # type: ignore[dict-item]


def test_as_many_may_be_taken_away_as_are_set_at_once() -> None:
    state = GameState()
    state.set({f"old{number}": 1 for number in range(MAX_VARIABLES)})
    gone = {f"old{number}": None for number in range(MAX_VARIABLES)}
    state.set({**gone, **{f"new{number}": 2 for number in range(MAX_VARIABLES)}})
    assert set(state.seen_by("mara").values()) == {2}


def test_as_many_values_as_a_message_may_hold_take_no_time() -> None:
    values = {f"v{number}": [list(range(140))] for number in range(120)}
    frames = protocol.encode(wire.State(values=values))
    with effort_below(0.02):  # a fifth of it
        message = protocol.decode_client(frames)
        assert isinstance(message, wire.State)
        GameState().set(message.values)


def test_good_json_comes_back_equal() -> None:
    value = {"a": [1, 2.5, True, None, "Öl"], "b": {"c": {}}, "d": nested(7)}
    assert copied_json(value, "value", max_chars=1000) == value
