"""Frames to messages and back: golden vectors both ways, mistakes, fuzz, and the mapping to events and errors."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.vectors import InvalidVector, Vector, load_invalid, load_valid
from game_bridge.vectors.__main__ import main, make_files
from game_bridge.vectors.case import CLIENT_CASES, SERVER_CASES
from npc_sdk import errors, events
from npc_sdk.errors import BridgeError, ContentError, NpcError, ProtocolError, TooLarge, VersionMismatch
from npc_sdk.messages import FunctionCall, ImagePart, ToolResult

DOCUMENT = (Path(protocol.__file__).parent / "PROTOCOL.md").read_text(encoding="utf-8")
VECTORS = load_valid()
CASES = [*CLIENT_CASES, *SERVER_CASES]


def decode(vector: Vector) -> wire.WireModel:
    reader = protocol.decode_client if vector.sender == "client" else protocol.decode_server
    return reader(vector.frames)


@pytest.mark.parametrize(("vector", "case"), list(zip(VECTORS, CASES, strict=True)), ids=[v.name for v in VECTORS])
def test_golden_frames_decode_to_their_message_and_back(
    vector: Vector, case: tuple[str, wire.WireModel, tuple[bytes, ...]]
) -> None:
    _, message, blobs = case
    assert decode(vector) == message
    assert tuple(protocol.encode(message, blobs)) == vector.frames
    assert msgpack.unpackb(vector.frames[0]) == vector.body


def test_every_message_type_has_a_golden_frame() -> None:
    assert {vector.body["type"] for vector in VECTORS} == set(wire.MODELS_BY_TYPE)


def test_generated_files_are_fresh() -> None:
    assert [path.name for path, text in make_files().items() if path.read_text(encoding="utf-8") != text] == []
    assert main(["--check"]) == 0


@pytest.mark.parametrize("vector", load_invalid(), ids=lambda vector: vector.name)
def test_mistakes_get_their_code(vector: InvalidVector) -> None:
    with pytest.raises(BridgeError) as caught:
        protocol.decode_client(vector.frames)
    assert caught.value.code == vector.code


def all_kinds(root: type[NpcError]) -> list[type[NpcError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in all_kinds(child))]


@pytest.mark.parametrize(
    "kind", [kind for kind in all_kinds(NpcError) if kind.__module__ == errors.__name__], ids=lambda kind: kind.code
)
def test_every_error_crosses_the_wire_and_is_documented(kind: type[NpcError]) -> None:
    error = kind("went wrong", hint="do this") if kind is not ContentError else ContentError("wrong", path="a.yaml")
    (frame,) = protocol.encode(protocol.error_message(error, 7))
    message = protocol.decode_server([frame])
    assert isinstance(message, wire.Error)
    back = protocol.to_error(message)
    assert type(back) is kind
    assert (back.code, back.hint, back.retryable) == (error.code, error.hint, error.retryable)
    assert error.message in back.message
    assert f"`{kind.code}`" in DOCUMENT


def test_a_content_error_keeps_its_place() -> None:
    error = ContentError("no such voice", path="mara.yaml", line=3, field="voice", hint="see the list")
    assert protocol.error_message(error, None).message == "mara.yaml:3: voice: no such voice"


def test_an_unknown_code_is_a_bridge_error_that_names_it() -> None:
    back = protocol.to_error(wire.Error(code="teapot", message="short and stout"))
    assert type(back) is BridgeError
    assert "teapot" in str(back)


def test_long_error_texts_are_cut_visibly() -> None:
    message = protocol.error_message(ProtocolError("x" * 5_000, hint="y" * 5_000), None)
    assert len(message.message) == len(message.hint) == 2_000
    assert message.message.endswith("…")


EVENTS: list[events.Event] = [
    events.TextDelta("q", "Hm."),
    events.Sentence("q", 2, "Hm."),
    events.ToolCall("q", FunctionCall("c", "give", {"n": 1, "deep": {"x": [None, 1.5]}})),
    events.ToolCall("q", FunctionCall("c", "pay", {}), needs_confirmation=True),
    events.Emote("q", "smiles", "action"),
    events.Structured("q", {"title": None, "reward": [1, 2.5]}),
    events.Structured("q", None),
    events.ToolSettled("q", ToolResult("c", "give", "timeout", None)),
    events.ReplyFinished("q", "Hm.", "tool_limit", events.Usage(5, 4, 3), events.Timings(1.0, 2.0, 3.0, 4.0, 5.0)),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_cross_the_wire_unchanged(event: events.Event) -> None:
    message = protocol.decode_server(protocol.encode(protocol.to_message(event, "q")))
    assert not isinstance(message, wire.Answer)
    assert protocol.to_event(message) == event
    assert protocol.encode_event(event, "q") == protocol.encode(protocol.to_message(event, "q"))


@pytest.mark.parametrize("text", ["x" * 65_537, "\ud800"], ids=["too long", "no Unicode"])
def test_text_that_cannot_cross_is_refused_without_a_model_too(text: str) -> None:
    with pytest.raises((errors.ProtocolError, errors.TooLarge)):
        protocol.encode_event(events.TextDelta("q", text), "q")


def test_a_failure_crosses_with_its_error_and_its_text() -> None:
    event = events.ReplyFailed("engine-id", errors.Overloaded("full", hint="wait"), "so far")
    message = protocol.to_message(event, "q")
    assert not isinstance(message, wire.Answer)
    back = protocol.to_event(message)
    assert isinstance(back, events.ReplyFailed)
    assert (back.request_id, type(back.error), back.text) == ("q", errors.Overloaded, "so far")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"x": float("nan")}, ProtocolError),
        ({"x": b"raw"}, ProtocolError),
        ({"x": {1: 2}}, ProtocolError),
        ({"x": object()}, ProtocolError),
        ({"x": 2**63}, ProtocolError),
        ({"x": "\ud800"}, ProtocolError),
        ({"x": "y" * 300_000}, TooLarge),
    ],
    ids=["nan", "bytes", "number-key", "object", "wide-int", "surrogate", "size"],
)
def test_our_own_side_cannot_send_what_the_wire_cannot_carry(value: dict[str, object], error: type[NpcError]) -> None:
    with pytest.raises(error):
        protocol.encode(protocol.make(wire.State, values=value))


def test_the_fault_names_place_reason_and_value() -> None:
    with pytest.raises(ProtocolError, match=r"say\.text: .*string, got 7"):
        protocol.decode_client(
            [msgpack.packb({"type": "say", "request_id": "q", "session_id": "s", "text": 7})],
        )


@pytest.mark.parametrize(
    ("body", "address"),
    [
        ({"type": "say", "request_id": "q", "ref": 3, "text": 7}, protocol.Address(3, "q")),
        ({"type": "say", "request_id": "not good"}, protocol.Address(None, None)),
        ({"type": "cancel", "request_id": "q", "ref": "3"}, protocol.Address(None, None)),
    ],
    ids=["sound", "unsound-id", "not-a-say"],
)
def test_a_refusal_finds_its_address(body: dict[str, object], address: protocol.Address) -> None:
    assert protocol.address_of(body) == address


def test_images_are_paired_with_their_frames() -> None:
    say = wire.Say(request_id="q", session_id="s", text="", images=("image/png", "image/webp"))
    assert protocol.images_of(say, (b"a", b"b")) == (ImagePart("image/png", b"a"), ImagePart("image/webp", b"b"))


def test_a_server_message_with_extra_frames_is_refused() -> None:
    with pytest.raises(ProtocolError, match="extra frames"):
        protocol.decode_server([*protocol.encode(wire.Pong()), b"x"])


def decode_or_refuse(frames: list[bytes]) -> None:
    """Anything but these three is a hole in the boundary."""
    for reader in (protocol.decode_client, protocol.decode_server):
        with contextlib.suppress(ProtocolError, TooLarge, VersionMismatch):
            assert isinstance(reader(frames), wire.WireModel)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=7))
def test_random_bytes_are_decoded_or_refused(frames: list[bytes]) -> None:
    decode_or_refuse(frames)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=12,
)
FIELDS = sorted({name for model in wire.MODELS_BY_TYPE.values() for name in model.model_fields} - {"type"})


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(wire.MODELS_BY_TYPE)), st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5))
def test_random_fields_are_decoded_or_refused(kind: str, fields: dict[str, object]) -> None:
    decode_or_refuse([msgpack.packb({"type": kind, **fields})])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(VECTORS), st.integers(0, 2**32))
def test_mutated_golden_frames_are_decoded_or_refused(vector: Vector, seed: int) -> None:
    draw = random.Random(seed)
    data = bytearray(vector.frames[0])
    for _ in range(draw.randint(1, 4)):
        data[draw.randrange(len(data))] = draw.randrange(256)
    decode_or_refuse([bytes(data), *vector.frames[1:]])


def test_deep_nesting_is_refused_and_does_not_exhaust_the_stack() -> None:
    for opener in (b"\x91", b"\x81\xa1x"):
        with pytest.raises((ProtocolError, TooLarge)):
            protocol.decode_client([opener * 100_000 + b"\xc0"])


def test_a_length_that_lies_is_refused() -> None:
    for header in (b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff"):
        with pytest.raises(ProtocolError):
            protocol.decode_client([header])
