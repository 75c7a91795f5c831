"""What makes replies sooner, over the bridge: hints that cost nothing and break nothing, frames, deadlines, figures."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator

import pytest

from game_bridge import message as wire
from game_bridge.client import AsyncNpcClient, NpcClient
from game_bridge.frame_meter import INTERVAL_S, FrameMeter
from game_bridge.server import BridgeServer
from game_bridge.soak.scene import NPC_ID, TALK, make_world
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.engine.stats import CacheStats, EngineStats, GovernorStats, RequestStats
from npc_sdk.errors import (
    ConnectionLost,
    DeadlineMissed,
    ProtocolError,
    RequestError,
    TooLarge,
    UnknownNpc,
    Unsupported,
)
from npc_sdk.events import Timings
from npc_sdk.session import ahead
from npc_sdk.world import World

from .asking import eventually, open_session
from .conftest import PATIENCE_S, RawClient, quick_settings
from .fakes import FakeWorld
from .test_link import Puppet


@pytest.fixture(autouse=True)
def unrested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every guess at once, however slow the machine is."""
    monkeypatch.setattr(ahead, "RESTS", 0)


@pytest.fixture
async def client(server: BridgeServer) -> AsyncIterator[AsyncNpcClient]:
    async with await AsyncNpcClient.connect(server.address) as connected:
        yield connected


async def test_hints_are_answered_only_where_they_have_a_ref(raw: RawClient, world: FakeWorld) -> None:
    session_id = await open_session(raw)
    hints = (
        wire.Approach(npc_id="brom", player="Robin"),
        wire.Approach(session_id=session_id),
        wire.Typing(session_id=session_id, text="Any wo"),
        wire.Frame(frame_s=0.02),
    )
    for ref, hint in enumerate(hints):
        await raw.send(hint)
        assert await raw.ask(hint.model_copy(update={"ref": ref})) == wire.Noted(ref=ref)
    (session,) = world.all_sessions
    assert world.approached == [("brom", "Robin")] * 2
    assert (session.approaches, session.typed, world.frames_s) == (2, ["Any wo"] * 2, [0.02] * 2)


async def test_each_connection_is_a_guest_of_its_own_until_it_is_gone(server: BridgeServer, world: FakeWorld) -> None:
    for _ in range(2):
        async with await AsyncNpcClient.connect(server.address) as client:
            client.approach("brom")
            await client.talk("mara")
    await eventually(lambda: len(world.departed) == 2)
    first, second = world.departed
    assert first != second
    assert world.guests == [first, first, second, second]


@pytest.mark.parametrize(
    ("hint", "code"),
    [
        (wire.Approach(ref=5, npc_id="nobody"), "unknown_npc"),
        (wire.Approach(ref=5, session_id="elsewhere"), "unknown_session"),
        (wire.Typing(ref=5, session_id="elsewhere", text="x"), "unknown_session"),
    ],
    ids=["npc", "session", "typing"],
)
async def test_a_hint_about_nobody_is_refused(raw: RawClient, hint: wire.Asked, code: str) -> None:
    await raw.hello()
    answer = await raw.ask(hint)
    assert isinstance(answer, wire.Error)
    assert (answer.code, answer.ref) == (code, 5)


async def test_the_async_client_tells_ahead(client: AsyncNpcClient, world: FakeWorld) -> None:
    client.approach("mara", player="Robin")
    await client.say("mara", "Hello")
    client.approach("mara")
    mara = await client.talk("mara")
    mara.approach()
    mara.typing("Any")
    await client.ping()
    assert world.approached == [("mara", "Robin")]
    assert [session.approaches for session in world.all_sessions] == [1, 1], "the standing session goes on"
    assert world.all_sessions[1].typed == ["Any"]
    with pytest.raises(UnknownNpc, match="'maro'"):
        client.approach("maro")
    with pytest.raises(TooLarge):
        mara.typing("x" * 8_001)


async def test_the_blocking_client_tells_ahead(server: BridgeServer, world: FakeWorld) -> None:
    def play() -> wire.Figures:
        with NpcClient.connect(server.address) as client:
            client.approach("brom")
            mara = client.talk("mara")
            mara.typing("Any")
            mara.approach()
            client.note_frame(0.03)
            assert mara.say("Any work?", start_by_s=2.5).read() == "Any work?"
            client.approach("mara")
            with pytest.raises(UnknownNpc):
                client.approach("maro")
            figures = client.stats()
        client.note_frame(0.03)  # a game need not know that it has hung up
        time.sleep(INTERVAL_S)
        client.note_frame(0.03)
        return figures

    figures = await asyncio.to_thread(play)
    (session,) = world.all_sessions
    assert (session.typed, session.approaches, session.start_by_s) == (["Any"], 1, 2.5)
    assert world.approached == [("brom", "Traveller"), ("mara", "Traveller")]
    assert world.frames_s == [0.03]
    assert figures.bridge.sessions == 1


async def test_figures_bring_the_engines_and_the_servers_own(
    client: AsyncNpcClient, server: BridgeServer, world: FakeWorld
) -> None:
    mara = await client.talk("mara")
    world.fake_engine.ended_ids = [f"{mara.session_id}/1.q/0"]
    async with await AsyncNpcClient.connect(server.address) as other:
        reply = await other.say("brom", "slow")
        await other.ping()  # by now the server has read what came before it
        figures = await client.stats()
        reply.cancel()
        await reply.read()
    assert (figures.name, figures.device) == ("fake", "cpu")
    assert figures.bridge == wire.BridgeFields(peers=2, sessions=2, replies=1)
    assert (figures.engine.running, figures.engine.steps, figures.cache.evictions) == (1, 4, 3)
    assert [(batch.requests, batch.steps) for batch in figures.batches] == [(1, 3), (2, 1)]
    (request,) = figures.requests
    assert (request.request_id, request.end, request.tokens_per_s) == (f"{mara.session_id}/1.q/0", "stop", 2.0)
    assert (request.prompt_tokens, request.reused_tokens, request.new_tokens) == (30, 20, 5)
    assert (request.queued_s, request.prefill_s, request.first_token_s) == (0.25, 0.5, 1.0)


async def test_nobody_is_told_whose_requests_the_others_are(
    client: AsyncNpcClient, server: BridgeServer, world: FakeWorld
) -> None:
    mine, left = await client.talk("mara"), await client.talk("mara")
    await left.leave()
    async with await AsyncNpcClient.connect(server.address) as other:
        theirs = await other.talk("mara", player="Robin")
        own = [f"{mine.session_id}/ahead-3", f"{left.session_id}/1.q-2/0", f"{mine.session_id}/1.q/1"]
        foreign = [
            f"{theirs.session_id}/2.q/0",
            f"{theirs.session_id}/ahead-4",
            f"{mine.session_id}more/1.q/0",
            "mara/approach/ahead-5",
            "mara/warmup-0a1b2c3d",
        ]
        world.fake_engine.ended_ids = [*own, *foreign]
        figures = await client.stats()
        assert [request.request_id for request in figures.requests] == own + [None] * len(foreign)
        fronts = [request.is_front for request in figures.requests]
        assert fronts == [True, False, False, False, True, False, True, True]
        assert {request.prompt_tokens for request in figures.requests} == {30}, "they are counted all the same"
        assert [request.request_id for request in (await other.stats()).requests[3:5]] == foreign[:2]


async def test_the_ids_of_a_real_conversation_are_told_to_its_client_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world: World = make_world()
    engine = world.engine
    assert isinstance(engine, ScriptedEngine)
    async with BridgeServer(world, quick_settings()) as server:
        mine, theirs = [await AsyncNpcClient.connect(server.address) for _ in range(2)]
        sessions = [await one.talk(NPC_ID) for one in (mine, theirs)]
        for session in sessions:
            session.typing(TALK[:-2])
        for one, session in zip((mine, theirs), sessions, strict=True):
            await one.ping()  # by now what was typed was looked at
            await session.say(TALK).read()
        ids = [*(run.request_id for run in engine.requests), *(front.request_id for front in engine.prefills)]
        ended = tuple(RequestStats(one, "stop", 1, 0, 1, Timings(), 0.0, 0.0) for one in ids)
        monkeypatch.setattr(engine, "stats", lambda: EngineStats(requests=ended))
        told = [[request.request_id for request in (await one.stats()).requests] for one in (mine, theirs)]
        for one in (mine, theirs):
            await one.close()
    await world.close()
    for session, named in zip(sessions, told, strict=True):
        own = [one for one in ids if one.startswith(session.session_id)]
        assert len(own) >= 2
        assert [one for one in named if one] == own
        assert len(named) == len(ids)


@pytest.mark.parametrize(
    ("fields", "stats"),
    [(wire.CacheFields, CacheStats), (wire.GovernorFields, GovernorStats)],
    ids=["cache", "governor"],
)
def test_no_figure_of_the_engine_is_left_out(fields: type[wire.WireModel], stats: type) -> None:
    assert set(fields.model_fields) == {field.name for field in dataclasses.fields(stats)}


def test_a_meter_tells_the_worst_frame_twenty_times_a_second() -> None:
    now = [100.0]
    meter = FrameMeter(lambda: now[0])
    told = []
    for number in range(120):  # two seconds of a game
        now[0] += 1 / 60
        told.append(meter.note(0.050 if number == 31 else 0.016))
    sent = [frame_s for frame_s in told if frame_s is not None]
    assert 30 <= len(sent) <= 40
    assert sent.count(0.050) == 1
    assert set(sent) == {0.016, 0.050}


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf")])
async def test_a_frame_that_cannot_be_is_refused(client: AsyncNpcClient, wrong: float) -> None:
    with pytest.raises(RequestError):
        client.note_frame(wrong)


async def test_telling_of_every_frame_costs_almost_nothing(client: AsyncNpcClient, world: FakeWorld) -> None:
    started_s, own_s = time.monotonic(), time.thread_time()
    for _ in range(10_000):
        client.note_frame(0.016)
    assert time.thread_time() - own_s < 1.0
    took_s = time.monotonic() - started_s
    await client.ping()
    assert 1 <= len(world.frames_s) <= 1 + took_s / INTERVAL_S


async def test_a_server_that_knows_no_hints_is_sent_none() -> None:
    puppet = Puppet()
    client = await AsyncNpcClient.connect(puppet.address, timeout_s=PATIENCE_S)
    mara = await client.talk("mara")
    client.approach("mara")
    mara.typing("Any")
    mara.approach()
    client.note_frame(0.02)
    with pytest.raises(Unsupported):
        mara.say("Look out!", start_by_s=1.0)
    with pytest.raises(Unsupported):
        await client.stats()
    await eventually(lambda: any(isinstance(message, wire.Ping) for message in puppet.heard))
    assert {type(message) for message in puppet.heard} == {wire.Hello, wire.Talk, wire.Ping}
    puppet.die()
    await client.close()


async def test_a_server_that_is_gone_hears_no_hints(server: BridgeServer) -> None:
    client = await AsyncNpcClient.connect(server.address)
    mara = await client.talk("mara")
    await server.stop()
    await eventually(lambda: not client.is_connected)
    mara.typing("Any")
    mara.approach()
    client.note_frame(0.02)
    with pytest.raises(ConnectionLost):
        await client.stats()
    await client.close()


async def test_a_deadline_goes_to_the_session(raw: RawClient, world: FakeWorld) -> None:
    session_id = await open_session(raw)
    await raw.send(wire.Say(request_id="q", session_id=session_id, text="Look out!", start_by_s=1.5))
    await raw.until_end("q")
    assert world.all_sessions[0].start_by_s == 1.5


async def test_a_real_conversation_goes_on_over_hints(caplog: pytest.LogCaptureFixture) -> None:
    world: World = make_world()
    engine = world.engine
    assert isinstance(engine, ScriptedEngine)
    async with BridgeServer(world, quick_settings()) as server, await AsyncNpcClient.connect(server.address) as client:
        client.approach(NPC_ID)
        osk = await client.talk(NPC_ID)
        osk.approach()
        await client.ping()  # what is typed takes the place of an approach that nobody has looked at yet
        osk.typing(TALK[:-2])
        await client.ping()
        assert (await osk.say(TALK).read()).startswith("The river")
        with pytest.raises(DeadlineMissed):
            await osk.say(TALK, start_by_s=0.000_001).read()
        client.note_frame(0.02)
        figures = await client.stats()
        assert figures.name == "scripted"
        osk.typing("And the other side")
        await osk.leave()
    await world.close()
    assert engine.frames_s == [0.02]
    assert len(engine.prefills) >= 4
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_field_that_cannot_be_is_refused_before_it_is_sent(client: AsyncNpcClient) -> None:
    mara = await client.talk("mara")
    with pytest.raises(ProtocolError):
        mara.say("Look out!", start_by_s=0)
