"""Messages made to be slow: refused before they hold anybody else up."""

from __future__ import annotations

import time
from typing import Any

import msgpack
import pytest

from game_bridge import protocol
from game_bridge.frame import MAX_VALUES, check_plain
from npc_sdk.errors import NpcError, ProtocolError, RequestError, TooLarge
from npc_sdk.session.json_value import copied_json

LONG = "k" * 120_000


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"type": "ping", **{f"k{i}": 1 for i in range(30_000)}}, id="fields"),
        pytest.param({"type": "state", "values": {LONG: [0] * 120_000}}, id="long name over many values"),
        pytest.param({"type": "tool_result", "content": {LONG: [None] * 120_000}}, id="content"),
        pytest.param({"type": "say", "images": ["x"] * 80_000}, id="images"),
        pytest.param({"type": "state", "values": {"a": [[]] * 120_000}}, id="lists"),
    ],
)
def test_a_message_of_very_many_values_is_too_large(body: dict[str, Any]) -> None:
    data = msgpack.packb(body)
    assert len(data) <= protocol.DEFAULT_LIMITS.max_body_bytes + 80_000
    with pytest.raises(TooLarge, match=f"more than {MAX_VALUES} values|bytes"):
        protocol.decode_client([data])


def test_refusing_faults_in_as_many_values_as_are_allowed_takes_no_time() -> None:
    data = msgpack.packb({"type": "say", "images": ["x"] * (MAX_VALUES - 3)})
    started = time.thread_time()  # its own: what else the machine does is none of its business
    with pytest.raises(NpcError):
        protocol.decode_client([data])
    assert time.thread_time() - started < 2  # a tenth of a second


def test_a_place_is_spelled_with_its_steps_and_long_names_are_cut() -> None:
    with pytest.raises(ProtocolError, match=r"^values\.holds\[1\]\.x: b'' cannot"):
        check_plain({"values": {"holds": [0, {"x": b""}]}})
    with pytest.raises(ProtocolError) as caught:
        check_plain({LONG: {"y": b""}})
    assert len(str(caught.value)) < 300


def test_a_wrong_value_under_a_long_name_is_told_shortly() -> None:
    with pytest.raises(RequestError) as caught:
        copied_json({LONG: [float("nan")]}, "values", max_chars=10)
    assert len(str(caught.value)) < 300
