"""Emotes, confirmations, choices and structured replies over the wire: each only for a client that asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.client import AsyncNpcClient, NpcClient
from game_bridge.core import ClientCore
from game_bridge.reply import CANNOT_ASK
from game_bridge.server import BridgeServer
from npc_sdk.errors import RequestError, UnknownRequest, Unsupported
from npc_sdk.events import Emote, Event, ReplyFinished, Structured, ToolCall, ToolSettled
from npc_sdk.messages import FunctionCall, JsonValue

from .asking import open_session, say
from .conftest import RawClient
from .fakes import FakeWorld

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"title": {"type": "string"}}}


def kinds(messages: list[wire.ServerMessage]) -> list[str]:
    return [message.type for message in messages]


async def test_a_client_that_wants_nothing_sees_what_it_always_saw(raw: RawClient, world: FakeWorld) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, "emote", "q-1"))
    assert kinds(await raw.until_end("q-1")) == ["text", "finished"]
    await raw.send(say(session_id, "pay", "q-2"))
    _, settled, last = await raw.until_end("q-2")
    assert isinstance(settled, wire.ToolSettled)
    assert (settled.status, settled.content, last.type) == ("refused", CANNOT_ASK, "finished")
    assert world.all_sessions[0].confirmed == [(settled.call_id, False, CANNOT_ASK)]


async def test_a_client_gets_what_it_wants(raw: RawClient) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, "emote", "q-1", wants=("emotes",)))
    _, smile, mood, _ = await raw.until_end("q-1")
    assert isinstance(smile, wire.Emote)
    assert isinstance(mood, wire.Emote)
    assert [(smile.text, smile.kind), (mood.text, mood.kind)] == [("smiles", "action"), ("happy", "emotion")]
    await raw.send(say(session_id, "pay", "q-2", wants=("confirm",)))
    await raw.next()
    call = await raw.next()
    assert isinstance(call, wire.ToolCall)
    assert call.needs_confirmation is True
    await raw.send(wire.Confirm(session_id=session_id, call_id=call.call_id, is_agreed=False, reason="Too dear."))
    settled, last = await raw.until_end("q-2")
    assert isinstance(settled, wire.ToolSettled)
    assert (settled.status, settled.content, last.type) == ("refused", "Too dear.", "finished")


async def test_a_call_that_needs_no_confirmation_looks_as_it_always_did(raw: RawClient) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, "tool", "q", wants=("confirm",)))
    await raw.next()
    call = await raw.next()
    assert isinstance(call, wire.ToolCall)
    (frame,) = protocol.encode(call)
    assert b"needs_confirmation" not in frame


async def test_a_confirmation_of_no_open_call_is_an_error_with_its_ref(raw: RawClient) -> None:
    session_id = await open_session(raw)
    answer = await raw.ask(wire.Confirm(ref=7, session_id=session_id, call_id="call-9", is_agreed=True))
    assert isinstance(answer, wire.Error)
    assert (answer.ref, answer.code) == (7, "unknown_request")


async def test_a_schema_makes_the_reply_one_value(server: BridgeServer) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        mara = await client.talk("mara")
        events = [event async for event in mara.say("Note it down.", request_id="q", json_schema=SCHEMA)]
    assert events == [Structured("q", SCHEMA), ReplyFinished("q", "", "stop")]


@pytest.mark.parametrize(("choice", "heard"), [(None, "auto"), ("required", "required"), ("give_item", "give_item")])
async def test_a_choice_reaches_the_session(
    server: BridgeServer, world: FakeWorld, choice: str | None, heard: str
) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        mara = await client.talk("mara")
        await mara.say("Hello", tool_choice=choice).read()
    assert world.all_sessions[0].tool_choice == heard


async def agree_later(_call: FunctionCall) -> bool:
    await asyncio.sleep(0)
    return True


CONFIRMS: dict[str, tuple[Callable[[FunctionCall], bool | Awaitable[bool]] | None, str, list[bool]]] = {
    "agrees": (lambda _: True, "accepted", [True]),
    "agrees later": (agree_later, "accepted", [True]),
    "declines": (lambda _: False, "refused", [False]),
    "nobody to ask": (None, "refused", [False]),
}


@pytest.mark.parametrize(("on_confirm", "status", "said"), CONFIRMS.values(), ids=CONFIRMS)
async def test_callbacks_ask_the_player_before_the_game(
    server: BridgeServer, world: FakeWorld, on_confirm: Any, status: str, said: list[bool]
) -> None:
    done: list[str] = []

    def on_tool(call: FunctionCall) -> JsonValue:
        done.append(call.name)
        return None

    async with await AsyncNpcClient.connect(server.address) as client:
        events = [event async for event in await client.say("mara", "pay", on_tool=on_tool, on_confirm=on_confirm)]
    assert [event.result.status for event in events if isinstance(event, ToolSettled)] == [status]
    assert [is_agreed for _, is_agreed, _ in world.all_sessions[0].confirmed] == said
    assert done == (["give_item"] if status == "accepted" else [])


async def test_confirmation_by_hand(server: BridgeServer) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        mara = await client.talk("mara")
        events: list[Event] = []
        async for event in mara.say("pay"):
            events.append(event)
            if isinstance(event, ToolCall):
                assert event.needs_confirmation
                with pytest.raises(RequestError, match="waits for the player"):
                    mara.tool_result(event.call.call_id)
                mara.confirm(event.call.call_id, True)
                mara.tool_result(event.call.call_id, "accepted", 7)
        assert [event.result.content for event in events if isinstance(event, ToolSettled)] == [7]
        with pytest.raises(UnknownRequest):
            mara.confirm("never", True)


def play_sync(address: str) -> list[object]:
    seen: list[object] = []
    with NpcClient.connect(address) as client:
        mara = client.talk("mara")
        seen += [event for event in mara.say("emote") if isinstance(event, Emote)]
        for is_agreed in (True, False):
            reply = mara.say("pay", on_tool=lambda _: "done", on_confirm=lambda _, agreed=is_agreed: agreed)  # type: ignore[misc]
            seen += [event.result.status for event in reply if isinstance(event, ToolSettled)]
        for event in mara.say("pay"):
            if isinstance(event, ToolCall):
                mara.confirm(event.call.call_id, False, "No.")
            if isinstance(event, ToolSettled):
                seen.append(event.result.content)
        seen += [event.value for event in mara.say("Note.", json_schema=SCHEMA) if isinstance(event, Structured)]
    return seen


async def test_the_blocking_client_can_do_all_of_it(server: BridgeServer) -> None:
    seen = await asyncio.to_thread(play_sync, server.address)
    assert [(one.text, one.kind) for one in seen[:2] if isinstance(one, Emote)] == [
        ("smiles", "action"),
        ("happy", "emotion"),
    ]
    assert seen[2:] == ["accepted", "refused", "No.", SCHEMA]


def welcomed(*capabilities: str) -> ClientCore:
    core = ClientCore()
    welcome = wire.Welcome(protocol=1, server="old", capabilities=capabilities, limits=wire.Limits(), npcs=())
    core.receive(protocol.encode(welcome))
    return core


@pytest.mark.parametrize("fields", [{"tool_choice": "required"}, {"json_schema": SCHEMA}], ids=["choice", "schema"])
def test_an_older_server_is_not_sent_what_it_does_not_know(fields: dict[str, object]) -> None:
    with pytest.raises(Unsupported):
        welcomed("tools").say("s", "q", "hi", **fields)


def test_an_older_server_is_not_told_of_wants() -> None:
    old = protocol.decode_client(welcomed("tools").say("s", "q", "hi", (), ("emotes", "confirm")).frames)
    new = protocol.decode_client(welcomed("tools", "emotes").say("s", "q", "hi", (), ("emotes", "confirm")).frames)
    assert isinstance(old, wire.Say)
    assert isinstance(new, wire.Say)
    assert (old.wants, new.wants) == (None, ("emotes",))
