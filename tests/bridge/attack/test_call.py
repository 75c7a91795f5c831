"""T1 in short: some hundred broken calls, a judge that knows a wrong one, and a gate without which many get through."""

from __future__ import annotations

from typing import Any

import pytest

from game_bridge.attack.call import attack, fault_of
from game_bridge.attack.call_seed import CallMaker
from npc_sdk.session.gate import Gate


def nobody(_told: str) -> None:
    """Progress is of no interest here."""


async def test_no_broken_call_reaches_the_game_and_sound_ones_do() -> None:
    maker = CallMaker()
    tally = await attack(200, 3, nobody, maker)
    assert tally.outside == []
    assert tally.ends == []
    assert tally.crashes == []
    assert tally.replies == 200
    assert tally.calls >= maker.sound / 2
    assert tally.settled_invalid > 0


async def test_it_is_the_gate_that_holds_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "refusal", lambda *_: None)
    tally = await attack(100, 3, nobody, CallMaker())
    assert len(tally.outside) > 5


@pytest.mark.parametrize(
    ("name", "arguments", "is_right"),
    [
        pytest.param("give_item", {"item": "rope"}, True, id="held"),
        pytest.param("give_item", {"item": "sword"}, False, id="not-held"),
        pytest.param("give_item", {}, False, id="nothing"),
        pytest.param("take_coins", {"coins": 50}, True, id="most"),
        pytest.param("take_coins", {"coins": 51}, False, id="too-many"),
        pytest.param("take_coins", {"coins": 1, "force": True}, False, id="unknown-argument"),
        pytest.param("set_price", {"item": "rope", "price": 99.5}, True, id="dearest"),
        pytest.param("set_price", {"item": "rope", "price": 0}, False, id="free"),
        pytest.param("wave", {"to": "Robin"}, True, id="without-the-optional"),
        pytest.param("wave", {"to": "R" * 21}, False, id="long"),
        pytest.param("arrest", {"who": "Robin"}, False, id="another's"),
        pytest.param("give_item ", {"item": "rope"}, False, id="blank-behind"),
    ],
)
def test_the_judge_knows_right_from_wrong(name: str, arguments: dict[str, Any], is_right: bool) -> None:
    assert (fault_of(name, arguments, ("rope", "lamp")) == "") is is_right
