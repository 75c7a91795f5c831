"""What an NPC knows and feels, and edits of its files, over the bridge."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from game_bridge import message as wire
from game_bridge.async_client import AsyncNpcClient
from game_bridge.client import NpcClient
from game_bridge.edit import edited_message
from game_bridge.server import BridgeServer
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import RequestError, UnknownNpc
from npc_sdk.events import Notice, ReplyFinished
from npc_sdk.watch import reload
from npc_sdk.world import World
from tests.world.test_reload import FILES, write

from .conftest import quick_settings


@pytest.fixture
def world(tmp_path: Path) -> World:
    write(tmp_path, FILES)
    write(
        tmp_path,
        {
            "world/world.yaml": "name: Alderwick\nevents: [insulted]\nnames: {Mara: {say: MAH-rah}}\n",
            "world/lore/secret.md": "## The map\nkeys: map\nnpcs: mara\nThe map lies under the anvil.\n",
            "pip/persona.yaml": FILES["pip/persona.yaml"]
            + "mood: {start: calm, moves: {insulted: angry}}\nrelationships: {player: {moves: {insulted: -2}}}\n",
        },
    )
    return World.load(tmp_path, ScriptedEngine(lambda request: request.segments[-2].text.strip() or "Hm."))


def _heard(world: World) -> str:
    return "".join(segment.text for segment in world.engine.requests[-1].segments)  # type: ignore[attr-defined]


async def test_facts_are_learned_and_forgotten(world: World) -> None:
    async with BridgeServer(world, quick_settings()) as server, await AsyncNpcClient.connect(server.address) as client:
        entry_id = await client.learn("pip", "The ferry is back.", source="told by Robin", keys=["ferry"])
        await client.learn("pip", entry_id="secret.the-map", source="saw it")
        await (await client.say("pip", "The ferry, or the map?")).read()
        assert "The ferry is back." in _heard(world)
        assert "under the anvil" in _heard(world)
        await client.forget("pip", entry_id)
        await (await client.say("pip", "The ferry?")).read()
        assert "ferry is back" not in _heard(world)
        with pytest.raises(RequestError, match=r"secret\.the-map"):
            await client.learn("pip", entry_id="secret.the-mop", source="x")
        with pytest.raises(UnknownNpc):
            await client.forget("nobody", entry_id)


async def test_events_move_feelings(world: World) -> None:
    async with BridgeServer(world, quick_settings()) as server, await AsyncNpcClient.connect(server.address) as client:
        felt = await client.happen("insulted", "pip", player="Robin")
        assert (felt.mood, dict(felt.relation)) == ("angry", {"player": -2})
        with pytest.raises(RequestError, match="did you mean 'insulted'"):
            await client.happen("insultd", "pip")


async def test_names_come_with_the_welcome(world: World) -> None:
    async with BridgeServer(world, quick_settings()) as server, await AsyncNpcClient.connect(server.address) as client:
        assert client.pronunciations == {"Mara": "MAH-rah"}


async def test_edits_are_told_to_those_who_want_to_know(world: World, tmp_path: Path) -> None:
    told: list[wire.Edited] = []
    async with (
        BridgeServer(world, quick_settings()) as server,
        await AsyncNpcClient.connect(server.address, on_edited=told.append) as client,
        await AsyncNpcClient.connect(server.address) as other,
    ):
        for name, style in (("wren", "calm"), ("wren", "[calm")):
            write(tmp_path, {f"{name}/persona.yaml": f"name: Wren\nrole: a child\nvoice: {{style: {style}}}\n"})
            done = await reload(world)
            server.announce(edited_message(done.change, done.problems, world.cast))
        await asyncio.gather(client.ping(), other.ping())
        assert client.npcs == {"mara": "Mara", "pip": "Pip", "wren": "Wren"}
        assert other.npcs == {"mara": "Mara", "pip": "Pip"}
        assert await (await client.say("wren", "Hello.")).read()
    good, bad = told
    assert (good.added, good.mistakes) == (("wren",), ())
    (mistake,) = bad.mistakes
    assert (Path(mistake.path), mistake.line) == (tmp_path / "wren/persona.yaml", 3)
    assert (bad.changed, bad.npcs) == ((), ())


async def test_a_callback_that_fails_costs_no_connection(world: World) -> None:
    def fail(_edited: wire.Edited) -> None:
        raise ZeroDivisionError

    async with (
        BridgeServer(world, quick_settings()) as server,
        await AsyncNpcClient.connect(server.address, on_edited=fail) as client,
    ):
        server.announce(edited_message(None, [], {}))
        await client.ping()
        assert client.is_connected


async def test_notices_come_among_the_events(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "world/lore/oath.md": "## Oath\nconstant: true\nessential: true\n" + "word " * 200})
    world = World.load(tmp_path, ScriptedEngine("Aye.", context_tokens=300))
    async with BridgeServer(world, quick_settings()) as server, await AsyncNpcClient.connect(server.address) as client:
        events = [event async for event in await client.say("pip", "Hello.")]
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert (notice.code, notice.subject) == ("essential_dropped", "oath.oath")
    assert isinstance(events[-1], ReplyFinished)


async def test_the_blocking_client_has_the_same(world: World) -> None:
    def use(address: str) -> tuple[str, str]:
        with NpcClient.connect(address, on_edited=lambda _edited: None) as client:
            entry_id = client.learn("mara", "It rains.", source="saw it")
            mood = client.happen("insulted", "pip").mood
            client.forget("mara", entry_id)
            return entry_id, mood

    async with BridgeServer(world, quick_settings()) as server:
        assert await asyncio.to_thread(use, server.address) == ("mara.learned.1", "angry")
