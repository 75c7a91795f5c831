"""The messages and the mistakes that the golden frames are made from. A new message type needs a row here."""

from __future__ import annotations

from typing import TypeAlias

import msgpack

from game_bridge import message as wire

ValidCase: TypeAlias = tuple[str, wire.WireModel, tuple[bytes, ...]]
InvalidCase: TypeAlias = tuple[str, str, tuple[bytes, ...]]

_PICTURE = bytes.fromhex("89504e470d0a1a0a")
_PIXELS = bytes.fromhex("000000020000000100000008 ff0000 00ff00 0000")  # 2 by 1, in rows of 8 bytes
_RESUME = "7f0c2d5e9a4b4c6f8d1e3a5b"
_REQUEST, _SESSION, _CALL = "q-1", "mara-7", "call-1"

CLIENT_CASES: tuple[ValidCase, ...] = (
    ("hello", wire.Hello(ref=1, protocol=1, client="my game"), ()),
    ("talk", wire.Talk(ref=2, npc_id="mara", player="Robin"), ()),
    ("say", wire.Say(request_id=_REQUEST, session_id=_SESSION, text="Any work?"), ()),
    (
        "say with a picture",
        wire.Say(
            ref=4,
            request_id="q-2",
            session_id=_SESSION,
            text="¿Qué es esto?",
            images=("image/png",),
            priority="nearby",
            timeout_s=30.0,
        ),
        (_PICTURE,),
    ),
    (
        "say with what the game sees",
        wire.Say(
            request_id="q-6",
            session_id=_SESSION,
            text="Look!",
            images=("image/x-rgb8",),
            wants=("barks",),
        ),
        (_PIXELS,),
    ),
    (
        "say in time or not at all",
        wire.Say(request_id="q-3", session_id=_SESSION, text="Look out!", priority="ambient", start_by_s=1.5),
        (),
    ),
    (
        "say and act",
        wire.Say(
            request_id="q-4",
            session_id=_SESSION,
            text="Hand it over!",
            tool_choice="give_item",
            wants=("emotes", "confirm"),
        ),
        (),
    ),
    (
        "say for a structured reply",
        wire.Say(
            request_id="q-5",
            session_id=_SESSION,
            text="Note down what we agreed on.",
            json_schema={"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
        ),
        (),
    ),
    ("approach an npc", wire.Approach(npc_id="mara", player="Robin"), ()),
    ("approach in a conversation", wire.Approach(ref=12, session_id=_SESSION), ()),
    ("typing", wire.Typing(session_id=_SESSION, text="Any wor"), ()),
    ("typing nothing any more", wire.Typing(session_id=_SESSION, text=""), ()),
    ("frame", wire.Frame(frame_s=0.017), ()),
    ("stats", wire.Stats(ref=13), ()),
    ("sessions", wire.Sessions(ref=15), ()),
    ("cancel", wire.Cancel(ref=5, request_id=_REQUEST), ()),
    (
        "tool_result accepted",
        wire.ToolResult(session_id=_SESSION, call_id=_CALL, status="accepted", content={"left": 3, "note": None}),
        (),
    ),
    (
        "tool_result refused",
        wire.ToolResult(session_id=_SESSION, call_id=_CALL, status="refused", content="The bag is full."),
        (),
    ),
    ("confirm agreed", wire.Confirm(session_id=_SESSION, call_id=_CALL, is_agreed=True), ()),
    (
        "confirm declined",
        wire.Confirm(ref=14, session_id=_SESSION, call_id=_CALL, is_agreed=False, reason="Not for that price."),
        (),
    ),
    ("state", wire.State(ref=8, values={"weather": "rain", "hour": 21, "open": True, "dim": 0.25}, npc_id="mara"), ()),
    ("hello wants edits", wire.Hello(ref=1, protocol=1, client="Moorland 1.0", wants=("edits",)), ()),
    ("hello wants to resume", wire.Hello(ref=1, protocol=1, client="my game", wants=("resume",)), ()),
    ("hello again", wire.Hello(ref=20, protocol=1, client="my game", wants=("resume",), resume=_RESUME, heard=7), ()),
    (
        "learn",
        wire.Learn(ref=15, npc_id="mara", text="The ferry is back.", source="told by Robin", keys=("ferry",)),
        (),
    ),
    ("learn an entry", wire.Learn(ref=16, npc_id="mara", entry_id="secrets.mill-fire", source="saw the fire"), ()),
    ("forget", wire.Forget(ref=17, npc_id="mara", entry_id="mara.learned.1"), ()),
    ("happen", wire.Happen(ref=18, event="insulted", npc_id="mara", player="Robin"), ()),
    ("leave", wire.Leave(ref=9, session_id=_SESSION), ()),
    ("ping", wire.Ping(ref=10), ()),
    ("bye", wire.Bye(ref=11), ()),
)

SERVER_CASES: tuple[ValidCase, ...] = (
    (
        "welcome",
        wire.Welcome(
            ref=1,
            protocol=1,
            server="npc-sdk",
            capabilities=(
                "tools",
                "state",
                "approach",
                "typing",
                "frame",
                "stats",
                "start_by",
                "tool_choice",
                "structured",
                "emotes",
                "confirm",
                "images",
            ),
            limits=wire.Limits(),
            npcs=(wire.NpcEntry(npc_id="mara", name="Mara"),),
        ),
        (),
    ),
    (
        "welcome back",
        wire.Welcome(
            ref=20,
            protocol=1,
            server="npc-sdk",
            capabilities=("tools", "resume"),
            limits=wire.Limits(),
            npcs=(wire.NpcEntry(npc_id="mara", name="Mara"),),
            resume=_RESUME,
            resume_s=10.0,
            resumed=True,
            heard=4,
        ),
        (),
    ),
    ("talking", wire.Talking(ref=2, session_id=_SESSION, npc_id="mara", greeting="Come in."), ()),
    ("text", wire.Text(request_id=_REQUEST, text="There is, "), ()),
    ("sentence", wire.Sentence(request_id=_REQUEST, index=0, text="There is, if you can row."), ()),
    (
        "tool_call",
        wire.ToolCall(request_id=_REQUEST, call_id=_CALL, name="give_item", arguments={"item": "oar", "count": 2}),
        (),
    ),
    (
        "tool_call that the player must agree to",
        wire.ToolCall(
            request_id=_REQUEST, call_id="call-2", name="take_coins", arguments={"coins": 9}, needs_confirmation=True
        ),
        (),
    ),
    ("emote", wire.Emote(request_id=_REQUEST, text="smiles", kind="action"), ()),
    (
        "notice",
        wire.Notice(
            request_id=_REQUEST,
            code="essential_dropped",
            subject="places.mill",
            message="always in; 60 tokens, 41 left",
        ),
        (),
    ),
    ("structured", wire.Structured(request_id="q-5", value={"title": "An oar for a ride"}), ()),
    (
        "tool_settled",
        wire.ToolSettled(request_id=_REQUEST, call_id=_CALL, name="give_item", status="accepted", content={"left": 3}),
        (),
    ),
    (
        "finished",
        wire.Finished(
            request_id=_REQUEST,
            text="There is, if you can row.",
            finish_reason="stop",
            usage=wire.UsageFields(prompt_tokens=412, cached_tokens=384, completion_tokens=9),
            timings=wire.TimingFields(queued_s=0.0, prefill_s=0.125, first_token_s=0.25, decode_s=0.5, total_s=0.75),
        ),
        (),
    ),
    (
        "failed",
        wire.Failed(
            request_id="q-2",
            code="overloaded",
            message="8 replies are open",
            hint="wait for one",
            retryable=True,
            text="",
        ),
        (),
    ),
    (
        "failed with a bark",
        wire.Failed(
            request_id="q-6",
            code="engine_crashed",
            message="the model's process ended",
            hint="it is started anew",
            retryable=True,
            bark="Not now.",
        ),
        (),
    ),
    ("left", wire.Left(ref=9, session_id=_SESSION), ()),
    ("state_ok", wire.StateOk(ref=8), ()),
    ("noted", wire.Noted(ref=12), ()),
    ("learned", wire.Learned(ref=15, entry_id="mara.learned.1"), ()),
    ("felt", wire.Felt(ref=18, mood="angry", relation={"player": -3}), ()),
    (
        "edited",
        wire.Edited(changed=("mara",), added=("wren",), npcs=(wire.NpcEntry(npc_id="mara", name="Mara"),)),
        (),
    ),
    (
        "edited wrongly",
        wire.Edited(
            mistakes=(
                wire.Mistake(
                    path="personas/mara/persona.yaml",
                    line=4,
                    column=1,
                    message="gaols: unknown key 'gaols'",
                    hint="did you mean 'goals'?",
                ),
            )
        ),
        (),
    ),
    (
        "figures",
        wire.Figures(
            ref=13,
            name="hearth",
            device="cpu",
            bridge=wire.BridgeFields(peers=2, sessions=1, replies=0),
            engine=wire.EngineFields(
                running=1, waiting=0, steps=40, preemptions=1, drafted_tokens=12, accepted_tokens=9
            ),
            batches=(wire.BatchFields(requests=1, steps=30), wire.BatchFields(requests=2, steps=10)),
            cache=wire.CacheFields(pool_bytes=2**28, used_bytes=2**20, kept_bytes=2**24, evictions=3),
            governor=wire.GovernorFields(
                is_throttling=True,
                frame_s=0.0175,
                budget_s=0.0167,
                share=0.5,
                chunk_tokens=16,
                threads=1,
                frames=600,
                late_frames=4,
                slowdowns=2,
                recoveries=1,
            ),
            requests=(
                wire.RequestFields(
                    request_id="mara-7/1.q-1/0",
                    is_front=False,
                    end="stop",
                    prompt_tokens=412,
                    reused_tokens=384,
                    new_tokens=9,
                    queued_s=0.0,
                    prefill_s=0.125,
                    first_token_s=0.25,
                    decode_s=0.5,
                    total_s=0.75,
                    median_gap_s=0.0625,
                    longest_gap_s=0.125,
                    tokens_per_s=16.0,
                ),
            ),
        ),
        (),
    ),
    (
        "session_list",
        wire.SessionList(
            ref=15,
            sessions=(
                wire.SessionEntry(session_id=_SESSION, npc_id="mara", player="Robin", request_id=_REQUEST),
                wire.SessionEntry(session_id="pip-2", npc_id="pip", player="Robin"),
            ),
        ),
        (),
    ),
    ("pong", wire.Pong(ref=10), ()),
    ("pong unasked", wire.Pong(), ()),
    (
        "error",
        wire.Error(ref=5, code="unknown_request", message="request_id 'q-1' is not open", hint="", retryable=False),
        (),
    ),
    ("goodbye", wire.Goodbye(ref=11, reason="bye"), ()),
)


def _pack(value: object) -> bytes:
    data: bytes = msgpack.packb(value)
    return data


def _say(**changes: object) -> bytes:
    body = {"type": "say", "request_id": _REQUEST, "session_id": _SESSION, "text": "hi"}
    return _pack({**body, **changes})


_HELLO = {"type": "hello", "protocol": 1, "client": "my game"}
_CONFIRM = {"type": "confirm", "session_id": _SESSION, "call_id": _CALL}


def _nested(depth: int) -> object:
    return [_nested(depth - 1)] if depth else []


INVALID_CASES: tuple[InvalidCase, ...] = (
    ("empty frame", "protocol", (b"",)),
    ("no msgpack", "protocol", (b"\xc1",)),
    ("cut short", "protocol", (_pack({"type": "ping"})[:-1],)),
    ("bytes after the map", "protocol", (_pack({"type": "ping"}) + b"\x00",)),
    ("an array", "protocol", (_pack(["ping"]),)),
    ("no type", "protocol", (_pack({"ref": 1}),)),
    ("unknown type", "protocol", (_pack({"type": "shout"}),)),
    ("a server's type", "protocol", (_pack({"type": "pong"}),)),
    ("type is a number", "protocol", (_pack({"type": 7}),)),
    ("unknown field", "protocol", (_pack({"type": "ping", "colour": "red"}),)),
    ("missing field", "protocol", (_pack({"type": "cancel"}),)),
    ("number as text", "protocol", (_say(text=7),)),
    ("text as number", "protocol", (_pack({"type": "ping", "ref": "1"}),)),
    ("boolean as number", "protocol", (_pack({"type": "ping", "ref": True}),)),
    ("negative ref", "protocol", (_pack({"type": "ping", "ref": -1}),)),
    ("key twice", "protocol", (b"\x82" + 2 * (_pack("type") + _pack("ping")),)),
    ("key is a number", "protocol", (b"\x82" + _pack("type") + _pack("ping") + _pack(1) + _pack(1),)),
    ("key is binary", "protocol", (b"\x81" + _pack(b"type") + _pack("ping"),)),
    ("binary value", "protocol", (_say(text=b"hi"),)),
    ("extension type", "protocol", (_pack({"type": "state", "values": {"x": msgpack.ExtType(5, b"\x01")}}),)),
    ("timestamp", "protocol", (_pack({"type": "state", "values": {"x": msgpack.Timestamp(1)}}),)),
    ("nan", "protocol", (_pack({"type": "state", "values": {"x": float("nan")}}),)),
    ("infinity", "protocol", (_say(timeout_s=float("inf")),)),
    ("65-bit integer", "protocol", (_pack({"type": "state", "values": {"x": 2**64 - 1}}),)),
    ("text that is not UTF-8", "protocol", (b"\x81" + _pack("type") + b"\xa2\xff\xfe",)),
    ("a request_id with a space", "protocol", (_say(request_id="q 1"),)),
    ("a resumption without a count", "protocol", (_pack({**_HELLO, "resume": "x" * 24}),)),
    ("a count of messages without a key", "protocol", (_pack({**_HELLO, "heard": 3}),)),
    ("a key that is too short", "protocol", (_pack({**_HELLO, "resume": "x", "heard": 3}),)),
    ("a picture that is not announced", "protocol", (_say(), _PICTURE)),
    ("a picture that does not come", "protocol", (_say(images=["image/png"]),)),
    ("an empty picture", "protocol", (_say(images=["image/png"]), b"")),
    ("a picture format that is not accepted", "protocol", (_say(images=["image/gif"]), b"GIF89a")),
    ("a time-out of zero", "protocol", (_say(timeout_s=0.0),)),
    ("a start at once", "protocol", (_say(start_by_s=0.0),)),
    ("a choice of no tool", "protocol", (_say(tool_choice=""),)),
    ("a schema that is no map", "protocol", (_say(json_schema="object"),)),
    ("a want that nobody knows", "protocol", (_say(wants=["riches"]),)),
    ("a confirmation of nothing", "protocol", (_pack({"type": "confirm", "session_id": _SESSION, "is_agreed": True}),)),
    ("an agreement that is a word", "protocol", (_pack({**_CONFIRM, "is_agreed": "yes"}),)),
    ("an approach to nobody", "protocol", (_pack({"type": "approach"}),)),
    ("an approach to two", "protocol", (_pack({"type": "approach", "npc_id": "mara", "session_id": _SESSION}),)),
    ("typing in no conversation", "protocol", (_pack({"type": "typing", "text": "hi"}),)),
    ("a frame of less than no time", "protocol", (_pack({"type": "frame", "frame_s": -0.1}),)),
    ("a frame that is not a number", "protocol", (_pack({"type": "frame", "frame_s": float("nan")}),)),
    ("too many pictures", "too_large", (_say(images=["image/png"] * 5), *[_PICTURE] * 5)),
    ("text too long", "too_large", (_say(text="x" * 8_001),)),
    ("typing too much", "too_large", (_pack({"type": "typing", "session_id": _SESSION, "text": "x" * 8_001}),)),
    ("nested too deeply", "too_large", (_pack({"type": "state", "values": {"x": _nested(20)}}),)),
    ("another version", "version", (_pack({"type": "hello", "protocol": 2, "client": "x", "extra": []}),)),
)
