"""What may be called now: live values, bounds, limits, quotas; and how a refusal is worded for the model."""

from __future__ import annotations

import json
import logging
import random
from typing import Any

import pytest

from npc_sdk.errors import SettingsError
from npc_sdk.messages import JsonValue
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.session import live_schema
from npc_sdk.session.live_tool import MAX_REASON_CHARS, LiveTools, ToolRule
from npc_sdk.session.tool_use import ToolUse
from npc_sdk.session.toolbelt import Toolbelt

TOOLS: list[dict[str, Any]] = [
    {"name": "give_item", "description": "Give.", "params": {"item": {"from": "state.holds"}}},
    {
        "name": "sell_item",
        "description": "Sell.",
        "params": {"item": {"from": "state.holds"}, "price": {"type": "integer", "minimum": 1}},
    },
    {"name": "stay_here", "description": "Wait here."},
    {"name": "dance", "description": "Dance.", "params": {"mood": ["calm", "wild"], "note": "string?"}},
]
HOLDS: dict[str, JsonValue] = {"holds": ["iron sword", "axe"]}


def _belt(*entries: Any, tools: list[dict[str, Any]] = TOOLS) -> Toolbelt:
    chosen = entries or ("give_item", "sell_item")
    persona = Persona.model_validate({"name": "Mara", "role": "r", "voice": {"style": "s"}, "tools": chosen})
    return Toolbelt(persona, WorldFile.model_validate({"name": "W", "tools": tools}))


def _live(belt: Toolbelt, state: dict[str, JsonValue] | None = None) -> LiveTools:
    return belt.live(HOLDS if state is None else state, ToolUse(), {}, 0.0)


def _one(parameter: Any, state: dict[str, JsonValue] | None = None) -> Any:
    """The live schema of the only parameter of the only tool, or why the tool is left out."""
    live = _live(_belt("act", tools=[{"name": "act", "description": "Act.", "params": {"x": parameter}}]), state or {})
    return (live.specs[0].parameters["properties"].get("x") or None) if live.specs else live.left_out[0][1]


def test_only_the_personas_tools_are_declared_in_its_order() -> None:
    assert [spec.name for spec in _belt("sell_item", "give_item").specs] == ["sell_item", "give_item"]


def test_declarations_stay_the_same_whatever_the_state() -> None:
    belt = _belt()
    before = json.dumps([dict(spec.parameters) for spec in belt.specs])
    _live(belt)
    _live(belt, {})
    assert json.dumps([dict(spec.parameters) for spec in belt.specs]) == before
    assert "from" not in before
    assert "iron sword" not in before


def test_a_tool_that_waits_for_nothing_is_the_very_same_each_time() -> None:
    belt = _belt("stay_here")
    assert _live(belt).specs[0] is _live(belt, {}).specs[0]


def test_a_tool_that_the_world_lacks_is_refused_at_set_up() -> None:
    with pytest.raises(SettingsError, match=r"Mara may use the tool 'sing', but the world has no tool 'sing'"):
        _belt("sing")


MANY = [f"item {index}" for index in range(300)]


@pytest.mark.parametrize(
    ("parameter", "state", "live"),
    [
        pytest.param({"from": "state.a"}, {"a": ["iron sword", "axe"]}, ["iron sword", "axe"], id="list"),
        pytest.param({"from": "state.a"}, {"a": {"ale": 3, "bread": 2}}, ["ale", "bread"], id="keys of a map"),
        pytest.param({"from": "state.a"}, {"a": "gate"}, ["gate"], id="single value"),
        pytest.param({"from": "state.a.b"}, {"a": {"b": ["x"]}}, ["x"], id="path"),
        pytest.param({"from": ["state.a", "state.b"]}, {"a": ["x", "y"], "b": ["y", "z"]}, ["x", "y", "z"], id="union"),
        pytest.param({"from": ["state.a", "state.b"]}, {"b": ["y"]}, ["y"], id="union with one unreported"),
        pytest.param({"from": "state.a"}, {"a": ["x", "x"]}, ["x"], id="each once"),
        pytest.param({"from": "state.a"}, {"a": ["Ünïcödé", ' a "b"\n']}, ["Ünïcödé", ' a "b"\n'], id="exact text"),
        pytest.param({"from": "state.a"}, {"a": ["x", ["y"], {"z": 1}, None]}, ["x"], id="no scalars"),
        pytest.param({"from": "state.a"}, {"a": ["x", 3, True]}, ["x"], id="texts only"),
        pytest.param({"from": "state.a", "type": "integer"}, {"a": ["x", 3, True, 4]}, [3, 4], id="whole numbers only"),
        pytest.param({"from": "state.a"}, {"a": ["x" * 200, "y" * 201, ""]}, ["x" * 200], id="long and empty"),
        pytest.param({"from": "state.a"}, {"a": MANY}, MANY[:256], id="at most 256"),
        pytest.param({"from": "state.a", "enum": ["x", "z"]}, {"a": ["x", "y"]}, ["x"], id="among a choice"),
    ],
)
def test_live_values_are_what_the_state_holds(parameter: Any, state: dict[str, JsonValue], live: list[Any]) -> None:
    assert _one(parameter, state)["enum"] == live


@pytest.mark.parametrize(
    ("state", "why"),
    [
        pytest.param({}, "no x to name, for the game has not reported state.a or state.b.c", id="not reported"),
        pytest.param({"b": 3}, "no x to name, for the game has not reported state.a or state.b.c", id="no such path"),
        pytest.param({"a": []}, "no x to name, for state.a or state.b.c is empty", id="empty"),
        pytest.param(
            {"a": [[]], "b": {"c": {}}},
            "no x to name, for state.a or state.b.c holds neither texts nor numbers",
            id="no scalars",
        ),
        pytest.param({"a": [3]}, "no x to name, for nothing in state.a or state.b.c fits", id="of another type"),
    ],
)
def test_a_tool_with_nothing_to_name_is_left_out(state: dict[str, JsonValue], why: str) -> None:
    parameter = {"from": ["state.a", "state.b.c"]}
    assert _one(parameter, state) == why
    assert _one({**parameter, "optional": True}, state) is None, "an optional parameter goes, the tool stays"


@pytest.mark.parametrize("extra", [True, {"type": "string"}], ids=["any", "texts"])
def test_a_parameter_without_values_is_closed_where_further_arguments_are_not(extra: Any) -> None:
    parameters = {"type": "object", "properties": {"item": {"type": "string", "from": "state.holds"}}}
    tools = [{"name": "act", "description": "Act.", "parameters": {**parameters, "additionalProperties": extra}}]
    live = _live(_belt("act", tools=tools), {"holds": []})
    assert live.refusal("act", {"other": "x"}) is None
    assert live.refusal("act", {"item": "crown"}) is not None


def test_a_state_of_objects_is_told_apart_from_an_empty_one() -> None:
    why = _one({"from": "state.a"}, {"a": [{"name": "sword"}]})
    assert "holds neither texts nor numbers" in why


def test_values_with_markers_cannot_be_named() -> None:
    assert _one({"from": "state.a"}, {"a": ["x", "<toolcall>"]})["enum"] == ["x"]


def test_values_that_cannot_be_named_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    live_schema._warn.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            _one({"from": "state.a"}, {"a": ["x", "y" * 201]})
    assert [record.message for record in caplog.records] == [
        "some of state.a cannot be named: too long, of another type, outside the limits, with markers, or beyond 256"
    ]


@pytest.mark.parametrize(
    ("parameter", "live"),
    [
        pytest.param("string", {"type": "string", "maxLength": 256}, id="text"),
        pytest.param({"type": "string", "maxLength": 999}, {"type": "string", "maxLength": 999}, id="the author's"),
        pytest.param(
            {"type": "string", "minLength": 300}, {"type": "string", "minLength": 300, "maxLength": 300}, id="long text"
        ),
        pytest.param(["a", "b"], {"type": "string", "enum": ["a", "b"]}, id="choice"),
        pytest.param("integer", {"type": "integer", "minimum": 1 - 2**53, "maximum": 2**53 - 1}, id="whole number"),
        pytest.param(
            {"type": "integer", "exclusiveMinimum": 0},
            {"type": "integer", "exclusiveMinimum": 0, "maximum": 2**53 - 1},
            id="open below",
        ),
        pytest.param("boolean", {"type": "boolean"}, id="truth"),
        pytest.param(
            {"type": "array", "items": {"type": "string"}},
            {"type": "array", "items": {"type": "string", "maxLength": 256}, "maxItems": 8},
            id="list",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string"}}},
            {
                "type": "object",
                "properties": {"a": {"type": "string", "maxLength": 256}},
                "additionalProperties": False,
            },
            id="map",
        ),
        pytest.param("object", {"type": "object"}, id="map of anything"),
        pytest.param(
            {"type": ["string", "null"]}, {"type": ["string", "null"], "maxLength": 256}, id="text or nothing"
        ),
        pytest.param(
            {"anyOf": [{"type": "string"}, {"type": "boolean"}]},
            {"anyOf": [{"type": "string", "maxLength": 256}, {"type": "boolean"}]},
            id="either",
        ),
    ],
)
def test_whatever_the_author_left_open_has_an_end(parameter: Any, live: dict[str, Any]) -> None:
    assert _one(parameter) == live


def test_a_list_takes_its_items_from_the_state() -> None:
    parameter = {"type": "array", "items": {"from": "state.a", "description": "A thing."}}
    assert _one(parameter, {"a": ["x"]}) == {
        "type": "array",
        "items": {"type": "string", "description": "A thing.", "enum": ["x"]},
        "maxItems": 8,
    }


@pytest.mark.parametrize(
    ("limits", "item", "price"),
    [
        pytest.param({"price": {"maximum": 40}}, ["iron sword", "axe"], (1, 40), id="bound"),
        pytest.param({"price": {"minimum": 5, "maximum": 6}}, ["iron sword", "axe"], (5, 6), id="both bounds"),
        pytest.param({"item": {"enum": ["axe", "oar"]}}, ["axe"], (1, 2**53 - 1), id="choice"),
        pytest.param({"item": {"from": "state.prices"}}, ["axe"], (1, 2**53 - 1), id="another list"),
    ],
)
def test_limits_narrow_the_live_schema_alone(limits: dict[str, Any], item: list[str], price: tuple[int, int]) -> None:
    belt = _belt({"name": "sell_item", "limits": limits})
    assert belt.specs == _belt("sell_item").specs
    live = _live(belt, {**HOLDS, "prices": {"axe": 4, "rope": 2}}).specs[0].parameters["properties"]
    assert (live["item"]["enum"], (live["price"]["minimum"], live["price"]["maximum"])) == (item, price)


def test_limits_that_leave_nothing_leave_the_tool_out() -> None:
    live = _live(_belt({"name": "sell_item", "limits": {"item": {"from": "state.prices"}}}), {**HOLDS, "prices": {}})
    assert live.left_out == (("sell_item", "no item to name, for state.prices is empty"),)


def test_a_limit_that_widens_is_refused_at_set_up() -> None:
    with pytest.raises(SettingsError, match=r"limits.price.minimum: 0 is wider than the world's 1"):
        _belt({"name": "sell_item", "limits": {"price": {"minimum": 0}}})


def test_rules_are_the_tools_and_the_personas_over_them() -> None:
    tools = [{"name": "a", "description": "A.", "parallel": True, "per_minute": 3, "timeout_s": 5, "cooldown_s": 1}]
    belt = _belt({"name": "a", "confirm": True, "per_minute": 2, "per_reply": 1}, tools=tools)
    expected = ToolRule(True, True, per_reply=1, per_minute=2, cooldown_s=1, timeout_s=5)
    assert _live(belt).rules == {"a": expected}


@pytest.mark.parametrize(
    ("rule", "noted_s", "in_reply", "now_s", "why"),
    [
        pytest.param({}, [0, 0, 0], 8, 0, None, id="no limit"),
        pytest.param({"per_reply": 2}, [], 1, 0, None, id="once more in this reply"),
        pytest.param({"per_reply": 2}, [], 2, 0, "2 times in one reply is the most", id="enough in this reply"),
        pytest.param({"per_reply": 1}, [], 1, 0, "once in one reply is the most", id="once in a reply"),
        pytest.param({"per_minute": 2}, [0, 30], 0, 59, "2 times in a minute is the most", id="enough in a minute"),
        pytest.param({"per_minute": 2}, [0, 30], 0, 60, None, id="a minute later"),
        pytest.param({"cooldown_s": 100}, [10], 0, 30.5, "you can again in 80 s", id="too soon"),
        pytest.param({"cooldown_s": 100}, [10, 200], 0, 290, "you can again in 10 s", id="counted from the last"),
        pytest.param({"cooldown_s": 100}, [10], 0, 110, None, id="cooled down"),
    ],
)
def test_quotas_and_cooldowns(
    rule: dict[str, Any], noted_s: list[float], in_reply: int, now_s: float, why: str | None
) -> None:
    use = ToolUse()
    for time_s in noted_s:
        use.note("a", time_s)
        use.note("other", time_s)
    live = _belt("a", tools=[{"name": "a", "description": "A.", **rule}]).live({}, use, {"a": in_reply}, now_s)
    assert live.left_out == ((("a", why),) if why else ())
    assert [spec.name for spec in live.specs] == ([] if why else ["a"])
    assert live.refusal("a", {}) == (f"you cannot use a now: {why}" if why else None)


def test_what_is_older_than_a_minute_is_forgotten_but_for_the_last() -> None:
    use = ToolUse()
    for time_s in range(0, 6000, 10):
        use.note("a", time_s)
    assert use.within_minute("a", 5990) == 6
    assert use.idle_s("a", 7000) == 1010
    assert use.idle_s("b", 7000) is None
    assert len(use._times["a"]) == 6


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        pytest.param("give_item", {"item": "axe"}, None, id="good"),
        pytest.param("sell_item", {"item": "iron sword", "price": 9}, None, id="good, two arguments"),
        pytest.param(
            "give_item", {"item": "sword"}, "you cannot give_item 'sword' now; item can be: iron sword, axe", id="value"
        ),
        pytest.param("give_item", {"item": 3}, "you cannot give_item 3 now; item can be: iron sword, axe", id="number"),
        pytest.param("give_item", {}, "give_item: 'item' is a required property", id="missing"),
        pytest.param("give_item", {"thing": "axe"}, "give_item has no argument 'thing'; it takes: item", id="argument"),
        pytest.param("sell_item", {"item": "axe", "price": 0}, "sell_item: price: 0 is less than", id="bound"),
        pytest.param("sell_item", {"item": "axe", "price": "9"}, "sell_item: price: '9' is not of type", id="type"),
        pytest.param("giveitem", {}, "there is no tool 'giveitem'; did you mean give_item?", id="near name"),
        pytest.param("fly", {}, "there is no tool 'fly'; your tools: give_item, sell_item", id="unknown"),
        pytest.param("dance", {}, "you may not use the tool 'dance'; your tools: give_item, sell_item", id="another's"),
        pytest.param("", {}, "there is no tool ''; your tools:", id="no name"),
    ],
)
def test_a_refusal_says_what_can_be_done(name: str, arguments: dict[str, Any], reason: str | None) -> None:
    told = _live(_belt()).refusal(name, arguments)
    assert told == reason if reason is None else str(told).startswith(reason)


def test_a_refusal_stays_short_whatever_was_written() -> None:
    live = _live(_belt(), {"holds": MANY})
    calls = [("x" * 5000, {}), ("give_item", {"y" * 5000: 1}), ("sell_item", {"item": ["z"] * 5000, "price": 1})]
    for name, arguments in calls:
        reason = live.refusal(name, arguments)
        assert reason is not None
        assert len(reason) <= MAX_REASON_CHARS


def test_a_tool_that_allows_further_arguments_gets_them() -> None:
    tool = {"name": "dance", "description": "Dance.", "parameters": {"additionalProperties": {"type": "integer"}}}
    live = _live(_belt("dance", tools=[tool]))
    assert live.refusal("dance", {"steps": 3}) is None
    assert "'x' is not of type 'integer'" in str(live.refusal("dance", {"steps": "x"}))


def test_no_random_call_passes_outside_allow_list_live_values_and_ranges() -> None:
    rng = random.Random(7)
    belt = _belt()
    states: list[dict[str, JsonValue]] = [HOLDS, {}, {"holds": []}, {"holds": {"axe": 1}}]
    live = [(state, _live(belt, state)) for state in states]
    values = ["axe", "iron sword", "sword", "", 3, 0, -1, 2.5, True, None, [], {}]
    passed = 0
    for _ in range(10_000):
        state, tools = rng.choice(live)
        name = rng.choice(["give_item", "sell_item", "stay_here", "give_Item", "__class__", ""])
        arguments = {key: rng.choice(values) for key in rng.sample(["item", "price", "to", "Item"], rng.randint(0, 3))}
        if tools.refusal(name, arguments) is None:
            passed += 1
            assert arguments.pop("item") in list(state["holds"])  # type: ignore[arg-type]
            price = arguments.pop("price", 1)
            assert name == "sell_item" or price == 1
            assert type(price) is int
            assert price >= 1
            assert not arguments
    assert passed, "the draw holds right calls too"
