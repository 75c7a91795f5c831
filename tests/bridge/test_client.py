"""The two faces of the client against a real server on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from game_bridge import link
from game_bridge.client import AsyncNpcClient, NpcClient, Refuse
from game_bridge.link_thread import LinkThread
from game_bridge.server import BridgeServer
from npc_sdk.errors import (
    BridgeError,
    ConnectionLost,
    DuplicateRequest,
    EngineCrashed,
    NpcError,
    ProtocolError,
    RequestError,
    TooLarge,
    UnknownNpc,
    UnknownRequest,
    UnknownSession,
    Unsupported,
)
from npc_sdk.events import (
    Event,
    ReplyFailed,
    ReplyFinished,
    Sentence,
    TextDelta,
    Timings,
    ToolCall,
    ToolSettled,
    Usage,
)
from npc_sdk.messages import FunctionCall, ImagePart, JsonValue

from .asking import dead_port, eventually
from .conftest import PATIENCE_S, quick_settings
from .fakes import FakeWorld

PNG = ImagePart("image/png", b"\x89PNG")


@pytest.fixture(autouse=True)
def a_goodbye_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server ends before its goodbye is heard of, however busy the machine is."""
    monkeypatch.setattr(link, "_BYE_S", PATIENCE_S)


async def collect(reply: object) -> list[Event]:
    return [event async for event in reply]  # type: ignore[attr-defined]


async def test_async_client_yields_the_sessions_own_events(server: BridgeServer) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        assert dict(client.npcs) == {"mara": "Mara", "brom": "Brom"}
        mara = await client.talk("mara", player="Robin")
        assert mara.greeting == "Welcome to the Lantern."
        assert await collect(mara.say("Any work?", request_id="q1")) == [
            TextDelta("q1", "Any work?"),
            Sentence("q1", 0, "Any work?"),
            ReplyFinished("q1", "Any work?", "stop", Usage(3, 2, 1), Timings(total_s=0.5)),
        ]


async def test_words_without_talk_open_one_standing_session(server: BridgeServer, world: FakeWorld) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        first, second = await asyncio.gather(client.say("mara", "one"), client.say("brom", "two"))
        assert [await first.read(), await second.read()] == ["one", "two"]
        assert await (await client.say("mara", "three")).read() == "three"
    assert [session.npc_id for session in world.all_sessions] == ["mara", "brom"]


async def say_yes(call: FunctionCall) -> JsonValue:
    return {"given": call.arguments["count"]}


def say_no(call: FunctionCall) -> JsonValue:
    raise Refuse(f"no {call.arguments['item']} left")


@pytest.mark.parametrize(
    ("on_tool", "status", "content"),
    [(say_yes, "accepted", {"given": 2}), (say_no, "refused", "no rope left"), (lambda _: None, "accepted", None)],
    ids=["async-accepts", "refuses", "says-nothing"],
)
async def test_tool_callback_answers_the_call(
    server: BridgeServer, on_tool: Callable[[FunctionCall], JsonValue], status: str, content: JsonValue
) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        events = await collect(await client.say("mara", "tool", on_tool=on_tool))
    settled = [event.result for event in events if isinstance(event, ToolSettled)]
    assert [(result.status, result.content) for result in settled] == [(status, content)]
    assert isinstance(events[-1], ReplyFinished)


async def test_a_callback_that_crashes_reaches_the_caller_and_cancels(server: BridgeServer, world: FakeWorld) -> None:
    def crash(call: FunctionCall) -> JsonValue:
        raise KeyError(call.name)

    async with await AsyncNpcClient.connect(server.address) as client:
        with pytest.raises(KeyError, match="give_item"):
            await collect(await client.say("mara", "tool", on_tool=crash))
        await eventually(lambda: not world.all_sessions[0].running)
        assert await (await client.say("mara", "again")).read() == "again"


async def test_tool_result_by_hand(server: BridgeServer) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        mara = await client.talk("mara")
        async for event in mara.say("tool"):
            if isinstance(event, ToolCall):
                mara.tool_result(event.call.call_id, "accepted", {"gold": 5})
                with pytest.raises(UnknownRequest, match="answered"):
                    mara.tool_result(event.call.call_id)
        assert isinstance(event, ReplyFinished)
        assert event.text == "{'gold': 5}"
        with pytest.raises(UnknownRequest):
            mara.tool_result("never")


async def test_cancel_ends_as_cancelled_and_only_once(server: BridgeServer) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        reply = await client.say("mara", "slow")
        reply.cancel()
        reply.cancel()
        events = await collect(reply)
        assert isinstance(events[-1], ReplyFinished)
        assert events[-1].finish_reason == "cancelled"
        reply.cancel()
        with pytest.raises(UnknownRequest):
            client.cancel(reply.request_id)


async def test_leaving_the_loop_cancels(server: BridgeServer, world: FakeWorld) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        async for _ in await client.say("mara", "slow"):
            break
        await eventually(lambda: not world.all_sessions[0].running)


@pytest.mark.parametrize(
    ("text", "images", "error"),
    [
        ("x" * 8_001, (), TooLarge),
        ("hi", (PNG,) * 5, TooLarge),
        ("hi", (ImagePart("image/png", b""),), ProtocolError),
        ("hi", (ImagePart("image/tiff", b"II"),), ProtocolError),
    ],
    ids=["long-text", "many-images", "empty-image", "tiff"],
)
async def test_what_the_protocol_forbids_is_raised_before_it_is_sent(
    server: BridgeServer, world: FakeWorld, text: str, images: tuple[ImagePart, ...], error: type[NpcError]
) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        mara = await client.talk("mara")
        with pytest.raises(error):
            mara.say(text, images=images)
        assert await mara.say("still here").read() == "still here"
    assert [heard[0] for heard in world.all_sessions[0].heard] == ["still here"]


@pytest.mark.parametrize(
    ("text", "error"),
    [("crash", EngineCrashed), ("engine", EngineCrashed), ("huge", TooLarge)],
    ids=["session-crash", "engine-crash", "event-too-large"],
)
async def test_a_failed_reply_carries_its_error(server: BridgeServer, text: str, error: type[NpcError]) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        with pytest.raises(error):
            await (await client.say("mara", text)).read()


async def test_refusals_come_back_as_the_tree_has_them(server: BridgeServer, world: FakeWorld) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        with pytest.raises(UnknownNpc, match="nobody") as caught:
            await client.talk("nobody")
        assert caught.value.hint == "mara, brom"
        with pytest.raises(RequestError, match="forbidden"):
            await client.set_state({"forbidden": 1})
        await client.set_state({"weather": "rain"}, npc_id="mara")
        assert world.state == {"mara": {"weather": "rain"}}
        with pytest.raises(Unsupported):
            await (await client.say("mara", "look", images=[PNG])).read()
        mara = await client.talk("mara")
        await mara.leave()
        with pytest.raises(UnknownSession):
            await mara.leave()
        with pytest.raises(UnknownSession):
            await mara.say("hello?").read()


async def test_request_id_cannot_be_used_again(server: BridgeServer) -> None:
    async with await AsyncNpcClient.connect(server.address) as client:
        mara = await client.talk("mara")
        reply = mara.say("slow", request_id="same")
        with pytest.raises(DuplicateRequest):
            mara.say("hi", request_id="same")
        reply.cancel()
        assert isinstance((await collect(reply))[-1], ReplyFinished)
        with pytest.raises(DuplicateRequest):
            await mara.say("hi", request_id="same").read()


async def test_nobody_listening_is_a_lost_connection() -> None:
    with dead_port() as port, pytest.raises(ConnectionLost, match="did not answer hello"):
        await AsyncNpcClient.connect(f"tcp://127.0.0.1:{port}", timeout_s=0.2)
    with pytest.raises(ConnectionLost, match="no address"):
        NpcClient.connect("nonsense")


async def test_server_shutdown_ends_every_open_reply(world: FakeWorld) -> None:
    server = BridgeServer(world, quick_settings())
    await server.start()
    client = await AsyncNpcClient.connect(server.address)
    replies = [await client.say(npc_id, "slow") for npc_id in client.npcs]
    await eventually(lambda: not any(reply.events.empty() for reply in replies))
    streams = [asyncio.create_task(collect(reply)) for reply in replies]
    await server.stop()
    for events in await asyncio.gather(*streams):
        assert isinstance(events[-1], ReplyFailed)
        assert isinstance(events[-1].error, ConnectionLost)
        assert events[-1].text == "slow"
    await eventually(lambda: not client.is_connected)
    with pytest.raises(ConnectionLost):
        await client.talk("mara")
    await client.close()
    assert world.sessions == {}


async def test_closing_the_client_ends_its_replies_and_sessions(server: BridgeServer, world: FakeWorld) -> None:
    client = await AsyncNpcClient.connect(server.address)
    reply = await client.say("mara", "slow")
    await eventually(lambda: not reply.events.empty())
    stream = asyncio.create_task(collect(reply))
    await client.close()
    await client.close()
    last = (await stream)[-1]
    assert isinstance(last, ReplyFinished)
    assert last.finish_reason == "cancelled"
    await eventually(lambda: not world.sessions)
    assert server.peer_count == 0


def play_sync(address: str) -> dict[str, object]:
    seen: dict[str, object] = {}
    with NpcClient.connect(address, timeout_s=PATIENCE_S) as client:
        mara = client.talk("mara", player="Robin")
        seen["greeting"] = mara.greeting
        seen["events"] = [type(event).__name__ for event in mara.say("Any work?")]
        seen["tool"] = mara.say("tool", on_tool=lambda call: call.arguments["count"]).read()
        reply = client.say("brom", "slow")
        seen["first"] = next(iter(reply))
        seen["rest"] = [type(event).__name__ for event in reply]
        client.set_state({"night": True})
        client.ping()
        polled = mara.say("polled")
        names: list[str] = []
        while not polled.is_ended:
            names += [type(event).__name__ for event in polled.poll()]
        seen["polled"] = names
        mara.leave()
        orphan = client.say("brom", "slow", on_tool=None)
    seen["orphan"] = [type(event).__name__ for event in orphan]
    with pytest.raises(ConnectionLost):
        client.ping()
    return seen


async def test_blocking_client_plays_a_scene(server: BridgeServer, world: FakeWorld) -> None:
    seen = await asyncio.to_thread(play_sync, server.address)
    assert seen["greeting"] == "Welcome to the Lantern."
    assert seen["events"] == seen["polled"] == ["TextDelta", "Sentence", "ReplyFinished"]
    assert seen["tool"] == "2"
    assert isinstance(seen["first"], TextDelta)
    assert seen["rest"] == ["ReplyFinished"]
    assert seen["orphan"] in (["TextDelta", "ReplyFinished"], ["ReplyFinished"])
    assert world.state == {None: {"night": True}}


async def test_blocking_client_serves_many_threads_and_leaves_none_behind(server: BridgeServer) -> None:
    def scene() -> list[str]:
        with NpcClient.connect(server.address) as client, ThreadPoolExecutor(4) as pool:
            sessions = [client.talk("mara") for _ in range(4)]
            return list(pool.map(lambda session: session.say(session.session_id).read(), sessions))

    assert len(set(await asyncio.to_thread(scene))) == 4
    assert not [thread for thread in threading.enumerate() if thread.name == "npc-client"]


def ends_as_lost(ask: Callable[[], object]) -> bool:
    """Whether it ends at all, on a thread that may be left behind, and as it must."""
    told: list[BaseException | None] = []

    def work() -> None:
        try:
            ask()
        except BaseException as exc:
            told.append(exc)

    asker = threading.Thread(target=work, daemon=True)
    asker.start()
    asker.join(PATIENCE_S)
    return [type(one) for one in told] == [ConnectionLost]


@pytest.mark.parametrize("is_over", [False, True], ids=["before the thread ends", "after it"])
def test_who_asks_while_the_client_closes_is_refused(is_over: bool) -> None:
    thread = LinkThread("tcp://127.0.0.1:1", 1.0)
    join = thread._thread.join
    seen: list[bool] = []

    def ask_in_between() -> None:
        if is_over:
            join()
        seen.append(ends_as_lost(lambda: thread.call(len, "")))
        join()

    thread._thread.join = ask_in_between  # type: ignore[assignment,method-assign]
    thread.close()
    thread.close()
    assert seen == [True]


def test_who_waits_for_what_nobody_ends_is_told_of_the_close() -> None:
    thread = LinkThread("tcp://127.0.0.1:1", 1.0)
    begun = threading.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ends_as_lost, lambda: thread.run(work()))
        assert begun.wait(PATIENCE_S)
        thread.close()
        assert waiting.result()


def test_the_clients_own_thread_does_not_wait_for_itself() -> None:
    thread = LinkThread("tcp://127.0.0.1:1", 1.0)
    for ask in (lambda: thread.call(len, ""), thread.close):
        with pytest.raises(BridgeError, match="own thread"):
            thread.call(ask)
    thread.close()
