"""Which calls may pass, and how a refusal is worded for the model."""

from __future__ import annotations

import random

import pytest

from npc_sdk.errors import SettingsError
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.session.toolbelt import MAX_REASON_CHARS, Toolbelt

from .stage import MARA, PIP, WORLD


def test_only_the_personas_tools_are_declared_in_its_order() -> None:
    turned = MARA.model_copy(update={"tools": ("sell_item", "give_item")})
    assert [spec.name for spec in Toolbelt(turned, WORLD).specs] == ["sell_item", "give_item"]


def test_a_good_call_passes() -> None:
    assert Toolbelt(MARA, WORLD).refusal("sell_item", {"item": "axe", "price": 9}) is None
    assert Toolbelt(PIP, WORLD).refusal("stay_here", {}) is None


def test_a_refusal_stays_short_whatever_was_written() -> None:
    belt = Toolbelt(MARA, WORLD)
    for name, arguments in (("x" * 5000, {}), ("give_item", {"y" * 5000: 1}), ("sell_item", {"item": ["z"] * 5000})):
        reason = belt.refusal(name, arguments)
        assert reason is not None
        assert len(reason) <= MAX_REASON_CHARS


def test_a_tool_that_allows_further_arguments_gets_them() -> None:
    tool = {"name": "dance", "description": "Dance.", "parameters": {"additionalProperties": {"type": "integer"}}}
    world = WorldFile.model_validate({"name": "W", "tools": [tool]})
    belt = Toolbelt(Persona.model_validate({**PIP.model_dump(), "tools": ["dance"]}), world)
    assert belt.refusal("dance", {"steps": 3}) is None
    assert "'x' is not of type 'integer'" in str(belt.refusal("dance", {"steps": "x"}))


def test_a_tool_that_the_world_lacks_is_refused_at_set_up() -> None:
    with pytest.raises(SettingsError, match=r"Pip may use the tool 'stay_here'.*none"):
        Toolbelt(PIP, WorldFile(name="W"))


def test_no_random_call_passes_outside_the_allow_list_and_ranges() -> None:
    rng = random.Random(7)
    belt = Toolbelt(MARA, WORLD)
    values = ["axe", "", 3, 0, -1, 2.5, True, None, [], {}]
    for _ in range(10_000):
        name = rng.choice(["give_item", "sell_item", "stay_here", "give_Item", "__class__", ""])
        arguments = {key: rng.choice(values) for key in rng.sample(["item", "price", "to", "Item"], rng.randint(0, 3))}
        if belt.refusal(name, arguments) is None:
            assert isinstance(arguments.pop("item"), str)
            price = arguments.pop("price", 1)
            assert name == "sell_item" or price == 1
            assert isinstance(price, int)
            assert not isinstance(price, bool)
            assert price >= 1
            assert not arguments
