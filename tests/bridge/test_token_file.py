"""The token's file has one name for all: what `npc serve` would leave for an address, each client finds there."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import game_bridge
from game_bridge.credential import TOKEN_VARIABLE, token_file, write_token
from game_bridge.plugins.godot.conformance.__main__ import ENGINES
from game_bridge.server import BridgeServer

from .asking import eventually
from .conftest import quick_settings
from .fakes import FakeWorld
from .gate_peer import needs_ipv6

_UNITY = Path(game_bridge.__file__).parent / "plugins" / "unity"
_BUILD_S = 300.0
_DIALS = """\
public static class Dials
{
    public static void Main(string[] told)
    {
        var options = new NpcBridge.NpcClientOptions { Host = told[0], Port = int.Parse(told[1]) };
        using (var client = new NpcBridge.NpcClient(options))
        {
            client.ConnectAsync().GetAwaiter().GetResult();
            System.Console.WriteLine("connected");
        }
    }
}
"""

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere this machine has one address of the kind"),
]


def unity(folder: Path) -> list[str]:
    """The command that dials, less host and port."""
    if not all(map(shutil.which, ("mcs", "mono"))):
        pytest.skip("needs mcs and mono; CI has them")
    (folder / "Dials.cs").write_text(_DIALS, encoding="utf-8")
    core = map(str, sorted(_UNITY.glob("Runtime/Core/*.cs")))
    built = ["mcs", "-langversion:7.2", f"-out:{folder / 'dials.exe'}", str(folder / "Dials.cs"), *core]
    subprocess.run(built, check=True, capture_output=True, timeout=_BUILD_S)
    return ["mono", str(folder / "dials.exe")]


def godot(folder: Path, version: str) -> list[str]:
    if shutil.which(ENGINES[version][0]) is None:  # type: ignore[index]
        pytest.skip(f"{ENGINES[version][0]} is not installed; CI has it")  # type: ignore[index]
    program = "game_bridge.plugins.godot.conformance"
    return [sys.executable, "-m", program, "--godot", version, str(folder), "probe"]


@pytest.mark.parametrize("host", ["127.0.0.2", pytest.param("[::1]", marks=needs_ipv6)])
@pytest.mark.parametrize("client", ["unity", *ENGINES])
async def test_each_client_finds_the_token_of_a_server_at_another_host(
    world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str, host: str
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    command = unity(tmp_path) if client == "unity" else godot(tmp_path / "game", client)
    settings = dataclasses.replace(quick_settings(allow_anonymous=False), address=f"tcp://{host}:*")
    async with BridgeServer(world, settings) as server:
        port = server.address.rpartition(":")[2]
        for address, token in {server.address: server.token, f"tcp://127.0.0.1:{port}": "another server's"}.items():
            file = token_file(address)
            assert file is not None
            write_token(file, token.replace(" ", "-"))
        place = [host.strip("[]"), port] if client == "unity" else [host, port, ""]
        pipe = subprocess.PIPE
        dialling = await asyncio.create_subprocess_exec(*command, *place, stdout=pipe, stderr=pipe)
        said, complaints = await told(dialling, server, world)
    assert b"connected" in said.split(), (said, complaints)


async def told(client: asyncio.subprocess.Process, server: BridgeServer, world: FakeWorld) -> tuple[bytes, bytes]:
    """All that it prints. One that stays until it is sent away is, as soon as it has talked."""
    talking = asyncio.create_task(eventually(lambda: bool(world.all_sessions)))
    hearing = asyncio.create_task(client.communicate())
    await asyncio.wait([talking, hearing], return_when=asyncio.FIRST_COMPLETED)
    talking.cancel()
    await server.stop()
    return await hearing
