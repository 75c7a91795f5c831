"""What crosses between the two processes arrives as it was sent, and nothing else is believed."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npc_sdk import errors
from npc_sdk.engine.interface import EngineInfo, Generated
from npc_sdk.engine.process import message as wire
from npc_sdk.engine.process.message import HEADER, decode, encode, error_of, fault_of
from npc_sdk.engine.stats import CacheStats, EngineStats, GovernorStats, LifeStats, RequestStats
from npc_sdk.errors import EngineCrashed, EngineError, NpcError, RequestError
from npc_sdk.events import Timings, Usage
from npc_sdk.messages import FunctionCall, ImagePart, Message, ToolResult, ToolSpec
from npc_sdk.requests import Constraint, GenerateRequest, PrefillRequest, Priority, Sampling, Segment

TOOL = ToolSpec("give", "Hand over.", {"type": "object", "properties": {"item": {"enum": ["rope", None, 1.5]}}})
REQUEST = GenerateRequest(
    request_id="s/1",
    segments=(Segment("<extra_id_1>User\n", is_trusted=True), Segment("Grüße, 你好 🙂")),
    messages=(
        Message("system", "rules", contexts=("lore",)),
        Message("user", "look", images=(ImagePart("image/png", b"\x89PNG\x00\xff"),)),
        Message("assistant", "", tool_calls=(FunctionCall("c1", "give", {"item": "rope", "n": 2**80}),)),
        Message("tool", "", tool_result=ToolResult("c1", "give", "accepted", {"left": [1, 2.5, True, None]})),
    ),
    tools=(TOOL,),
    sampling=Sampling(temperature=0.3, top_k=5, seed=2**63 - 1, stop=("\n\n", "###")),
    priority=Priority.NEARBY,
    deadline_s=12.5,
    start_by_s=1.0,
    bulk_segments=1,
    npc_id="mara",
    constraint=Constraint((TOOL,), "required", frozenset({"give"}), 3, speaks_after=True, json_schema={"type": "null"}),
)
LIFE = LifeStats(9, has_job=True, is_wide=True, layer_s=0.25)
STATS = EngineStats(
    running=1,
    cache=CacheStats(1, 2, 3, 4),
    governor=GovernorStats(is_throttling=True, share=0.5),
    steps=7,
    batch_sizes={1: 5, 2: 2},
    requests=(RequestStats("r", "stop", 9, 8, 7, Timings(total_s=1.5), 0.1, 0.2),),
    life=LIFE,
)
MESSAGES: list[Any] = [
    wire.Load({"kind_or_path": "hearth", "threads": None, "cores": [0, 1]}),
    wire.Stream(1, REQUEST),
    wire.Prefill(2, PrefillRequest("s/2", REQUEST.segments, Priority.NEARBY, 1, "mara", Path("/a/mara.front"))),
    wire.Cancel(1),
    wire.Drop(1),
    wire.Forget(REQUEST.segments, ()),
    wire.Frame(0.0167),
    wire.Progress(1, 13, "layer 0"),
    wire.Ready(EngineInfo("hearth", 2048, "nemotron", "nemotron")),
    wire.Refused(wire.Fault("SettingsError", "no", "yes")),
    wire.Said(1, "Hello"),
    wire.Ended(1, Generated("stop", Usage(1, 2, 3), Timings(0.1, 0.2, 0.3, 0.4, 0.5))),
    wire.Filled(2, Usage(10, 4, 0)),
    wire.Failed(1, wire.Fault("Overloaded", "full")),
    wire.Beat(1.5, 0.25, LIFE, is_busy=True, has_work=True, stats=STATS),
]


def crossed(message: Any) -> Any:
    raw = encode(message)
    (length,) = HEADER.unpack(raw[: HEADER.size])
    assert length == len(raw) - HEADER.size
    return decode(raw[HEADER.size :])


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_message_arrives_as_it_was_sent(message: Any) -> None:
    assert crossed(message) == message


def test_every_kind_of_message_is_in_the_table() -> None:
    assert {type(message).__name__ for message in MESSAGES} == set(wire._KINDS)


def test_maps_that_nobody_may_change_arrive_too() -> None:
    tool = dataclasses.replace(TOOL, parameters=MappingProxyType(dict(TOOL.parameters)))
    request = dataclasses.replace(REQUEST, tools=(tool,))
    assert crossed(wire.Stream(1, request)) == wire.Stream(1, REQUEST)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_arrives(text: str) -> None:
    assert crossed(wire.Said(1, text)).text == text


@pytest.mark.parametrize(
    ("text", "words"),
    [pytest.param("\ud83d", "half a character", id="surrogate"), pytest.param("x" * 70_000_000, "bytes", id="huge")],
)
def test_what_cannot_be_sent_is_the_callers_mistake(text: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        encode(wire.Stream(1, GenerateRequest("r", (Segment(text),))))


def test_a_value_that_is_none_of_ours_is_refused_by_the_sender() -> None:
    tool = ToolSpec("give", "", {"x": object()})
    with pytest.raises(RequestError, match="object"):
        encode(wire.Stream(1, GenerateRequest("r", (), tools=(tool,))))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"a line that was printed\n", id="print"),
        pytest.param(msgpack.packb(["Nobody", 1]), id="unknown kind"),
        pytest.param(msgpack.packb(["Said", 1]), id="too few fields"),
        pytest.param(msgpack.packb(["Said", "one", "text"]), id="wrong type"),
        pytest.param(msgpack.packb([["Said"], 1]), id="no name"),
        pytest.param(msgpack.packb(["Said", 1, msgpack.ExtType(9, b"x")]), id="extension"),
        pytest.param(encode(wire.Said(1, "text"))[HEADER.size : -1], id="cut short"),
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(EngineCrashed, match="understand"):
        decode(body)


def test_a_length_that_no_message_has_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(EngineCrashed, match="announced"):
        wire.body_length(b"\xff\xff\xff\xff")


def kinds() -> list[type[NpcError]]:
    return [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, NpcError)]


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind is not errors.ContentError])
def test_every_error_arrives_as_itself(kind: type[NpcError]) -> None:
    arrived = error_of(fault_of(kind("went wrong", hint="do so")))
    assert (type(arrived), arrived.message, arrived.hint) == (kind, "went wrong", "do so")


def test_a_foreign_exception_is_a_crash() -> None:
    arrived = error_of(fault_of(MemoryError("no room")))
    assert type(arrived) is EngineCrashed
    assert "MemoryError: no room" in arrived.message


def test_an_error_that_cannot_be_made_again_keeps_its_words() -> None:
    arrived = error_of(fault_of(errors.ContentError("wrong", path="a.yaml", line=3)))
    assert type(arrived) is EngineError
    assert "a.yaml:3" in arrived.message


@pytest.mark.parametrize("value", [math.inf, -0.0, 1e-308])
def test_a_float_of_any_size_arrives(value: float) -> None:
    assert crossed(wire.Frame(value)).frame_s == value
