"""The bridge on the real world and session: only the engine is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from game_bridge.client import AsyncNpcClient, Refuse
from game_bridge.server import BridgeServer, serve
from game_bridge.soak.scene import BREAK, FETCH, NPC_ID, TALK, make_world
from npc_sdk.errors import EngineCrashed, RequestError, UnknownNpc
from npc_sdk.events import ReplyFinished, Sentence, TextDelta, ToolCall, ToolSettled
from npc_sdk.messages import FunctionCall, JsonValue
from npc_sdk.world import World

from .conftest import PATIENCE_S, quick_settings


@pytest.fixture
def osk() -> World:
    return make_world(wait_s=PATIENCE_S)


@pytest.fixture
async def client(osk: World) -> AsyncIterator[AsyncNpcClient]:
    async with BridgeServer(osk, quick_settings()) as server, await AsyncNpcClient.connect(server.address) as connected:
        yield connected
    await osk.close()


async def test_a_conversation_streams_text_and_sentences(client: AsyncNpcClient) -> None:
    osk = await client.talk(NPC_ID, player="Robin")
    assert osk.greeting == "Aye?"
    events = [event async for event in osk.say(TALK)]
    last = events[-1]
    assert isinstance(last, ReplyFinished)
    assert last.text == "".join(event.text for event in events if isinstance(event, TextDelta))
    assert [event.index for event in events if isinstance(event, Sentence)] == [0, 1, 2]
    assert last.usage.completion_tokens > 0


@pytest.mark.parametrize("reason", [None, "The oars are gone."], ids=["accepted", "refused"])
async def test_a_tool_call_goes_to_the_game_and_the_reply_goes_on(client: AsyncNpcClient, reason: str | None) -> None:
    calls: list[FunctionCall] = []

    def fetch(call: FunctionCall) -> JsonValue:
        calls.append(call)
        if reason is not None:
            raise Refuse(reason)
        return {"fetched": 1}

    events = [event async for event in await client.say(NPC_ID, FETCH, on_tool=fetch)]
    assert [(call.name, dict(call.arguments)) for call in calls] == [("fetch", {"item": "oar"})]
    order = [type(event) for event in events]
    assert order.index(ToolCall) < order.index(ToolSettled) < order.index(ReplyFinished)
    (settled,) = [event.result for event in events if isinstance(event, ToolSettled)]
    assert (settled.status, settled.content) == (
        ("accepted", {"fetched": 1}) if reason is None else ("refused", reason)
    )
    assert events[-1].text.endswith("the heron more.")  # type: ignore[union-attr]


async def test_a_cancelled_reply_keeps_what_was_said() -> None:
    osk = make_world(delay_s=0.3)  # so that there are words left, whenever the cancel comes
    async with BridgeServer(osk, quick_settings()) as server, await AsyncNpcClient.connect(server.address) as client:
        reply = await client.say(NPC_ID, TALK)
        async for event in reply:
            if isinstance(event, TextDelta):
                reply.cancel()
            if isinstance(event, ReplyFinished):
                assert event.finish_reason == "cancelled"
                assert 0 < len(event.text) < 70
    await osk.close()


async def test_the_worlds_own_errors_come_through(client: AsyncNpcClient) -> None:
    with pytest.raises(UnknownNpc):
        await client.talk("nobody")
    with pytest.raises(RequestError, match="player name"):
        await client.talk(NPC_ID, player="two\nlines")
    with pytest.raises(EngineCrashed, match="on purpose"):
        await (await client.say(NPC_ID, BREAK)).read()
    with pytest.raises(RequestError, match="said nothing"):
        await (await client.say(NPC_ID, "  ")).read()
    await client.set_state({"weather": "fog"})


async def test_serve_runs_until_it_is_cancelled(osk: World) -> None:
    task = asyncio.create_task(serve(osk, quick_settings()))
    await asyncio.sleep(0.1)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
