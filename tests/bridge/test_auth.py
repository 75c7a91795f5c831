"""Who is let in, who is not, and what each of them is told."""

from __future__ import annotations

import asyncio
import logging
import socket
import stat
import time
from pathlib import Path
from typing import Any

import pytest
import zmq.auth

from game_bridge import admission, credential
from game_bridge.auth import read_client_keys
from game_bridge.client import AsyncNpcClient, NpcClient
from game_bridge.credential import ClientCurve, ServerCurve, find_credential, forget_token, token_file, write_token
from game_bridge.server import BridgeServer
from game_bridge.settings import BridgeSettings
from npc_sdk.errors import AuthenticationFailed, ConnectionLost, SettingsError

from .conftest import PATIENCE_S, RawClient, quick_settings
from .fakes import FakeWorld

ADDRESS = "tcp://127.0.0.1:*"


def asking(world: FakeWorld, **changes: object) -> BridgeServer:
    return BridgeServer(world, quick_settings(**{"allow_anonymous": False, **changes}))


async def greeting(address: str, **shown: object) -> str:
    async with await AsyncNpcClient.connect(address, **{"timeout_s": PATIENCE_S, **shown}) as client:  # type: ignore[arg-type]
        return (await client.talk("mara")).greeting


@pytest.fixture(autouse=True)
def no_tokens_of_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(credential.TOKEN_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr("sys.platform", "linux")


async def test_the_token_opens(world: FakeWorld) -> None:
    async with asking(world) as server:
        assert len(server.token) >= 43
        assert await greeting(server.address, token=server.token) == "Welcome to the Lantern."


@pytest.mark.parametrize("token", ["wrong", "", "x" * 255])
async def test_no_other_token_does_and_it_is_said_at_once(world: FakeWorld, token: str) -> None:
    async with asking(world, token="right") as server:
        started = time.monotonic()
        with pytest.raises(AuthenticationFailed, match=r"127\.0\.0\.1"):
            await greeting(server.address, token=token)
        assert time.monotonic() - started < PATIENCE_S / 2, "it need not wait until patience is over"
        assert await greeting(server.address, token="right")


async def test_the_blocking_client_is_told_as_well(world: FakeWorld) -> None:
    async with asking(world) as server:
        with pytest.raises(AuthenticationFailed, match="did not take"):
            await asyncio.to_thread(NpcClient.connect, server.address, token="wrong", timeout_s=PATIENCE_S)


async def test_a_refused_client_sends_nothing(world: FakeWorld) -> None:
    async with asking(world) as server:
        client = RawClient(server.address)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await client.hello()
        client.close()
        assert server.peer_count == 0


async def test_a_token_for_a_server_that_asks_for_none_is_a_clear_error(server: BridgeServer) -> None:
    with pytest.raises(AuthenticationFailed, match="what this client shows"):
        await greeting(server.address, token="unasked")


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4, b""], ids=["another protocol", "hangs up"])
async def test_a_server_of_another_kind_is_told(words: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(words)
        writer.close()
        await writer.wait_closed()

    stranger = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with stranger:
        port = stranger.sockets[0].getsockname()[1]
        with pytest.raises((AuthenticationFailed, ConnectionLost)):
            await asyncio.wait_for(greeting(f"tcp://127.0.0.1:{port}", token="t", timeout_s=3.0), PATIENCE_S)


async def test_tokens_are_new_with_every_launch_and_never_shown(
    world: FakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = BridgeSettings()
    assert settings.token != BridgeSettings().token
    async with asking(world, token=settings.token) as server:
        assert await greeting(server.address, token=settings.token)
    assert settings.token not in repr(settings) + caplog.text


async def test_refusals_are_logged_but_do_not_fill_the_log(
    world: FakeWorld, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_LOG_EVERY_S", 3_600.0)
    async with asking(world) as server:
        for _ in range(5):
            with pytest.raises(AuthenticationFailed):
                await greeting(server.address, token="wrong")
    told = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert len(told) == 1
    assert "127.0.0.1" in told[0]


@pytest.mark.parametrize("token", ["", "x" * 256, "grün", "two\nlines", "two words"])
def test_what_plain_cannot_carry_is_no_token(token: str) -> None:
    with pytest.raises(SettingsError) as caught:
        BridgeSettings(token=token)
    assert not token or token not in str(caught.value)


def test_the_file_is_its_owners_alone_and_found_by_its_port(tmp_path: Path) -> None:
    file = token_file("tcp://127.0.0.1:4711")
    assert file == tmp_path / "run" / "npc-sdk" / "4711.token"
    file.parent.mkdir(parents=True)
    file.with_name("4711.token.partial").write_text("left by a crash", encoding="ascii")
    write_token(file, "s3cret")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert find_credential("tcp://127.0.0.1:4711", None, None) == "s3cret"
    assert find_credential("tcp://localhost:4711", None, None) == "s3cret"
    assert find_credential("tcp://127.0.0.1:4711", "", None) is None
    assert find_credential("tcp://127.0.0.1:4712", None, None) is None
    forget_token(file, "of a later server")
    assert file.exists()
    forget_token(file, "s3cret")
    forget_token(file, "s3cret")
    assert not file.exists()


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("tcp://localhost:4711", "4711"),
        ("tcp://LocalHost:4711", "4711"),
        ("tcp://127.0.0.2:4711", "4711@127.0.0.2"),
        ("tcp://[::1]:4711", "4711@--1"),
        ("tcp://[0:0:0:0:0:0:0:1]:4711", "4711@--1"),
        ("tcp://[::1%LO]:4711", "4711@--1"),
    ],
)
def test_servers_at_other_hosts_of_this_machine_have_files_of_their_own(address: str, name: str) -> None:
    file = token_file(address)
    assert file is not None
    assert file.name == f"{name}.token"
    write_token(file, "s3cret")
    assert find_credential(address, None, None) == "s3cret"


@pytest.mark.parametrize("address", ["ipc:///tmp/npc", "nonsense", "tcp://127.0.0.1:*", "tcp://127.0.0.1"])
def test_an_address_without_a_port_has_no_file(address: str) -> None:
    assert token_file(address) is None
    assert find_credential(address, None, None) is None


def test_the_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = token_file("tcp://127.0.0.1:4711")
    assert file is not None
    write_token(file, "from-the-file")
    monkeypatch.setenv(credential.TOKEN_VARIABLE, "from-the-environment")
    assert find_credential("tcp://127.0.0.1:4711", None, None) == "from-the-environment"
    assert find_credential("tcp://127.0.0.1:4711", "given", None) == "given"


@pytest.mark.parametrize("address", ["tcp://[fe80::1%lo]:5577", "tcp://localhost.example:1", "tcp://[LOCALHOST]:1", ""])
def test_what_only_looks_like_this_machine_is_not_taken_for_it(address: str) -> None:
    assert not credential.is_local(address)


async def test_localhost_in_capitals_is_this_machine_whoever_answers_for_names(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def answer(host: str, *asked: Any, **more: Any) -> Any:
        return resolve("127.0.0.2" if host.lower() == "localhost" else host, *asked, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    async with BridgeServer(world, BridgeSettings(address="tcp://LOCALHOST:*")) as server:
        assert server.address.startswith("tcp://127.0.0.1:")


def test_a_token_does_not_leave_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(credential.TOKEN_VARIABLE, "s3cret")
    assert find_credential("tcp://192.168.0.4:5577", None, None) is None
    with pytest.raises(SettingsError, match="this machine only"):
        find_credential("tcp://192.168.0.4:5577", "s3cret", None)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot write the token file") as caught:
        write_token(tmp_path / "file" / "inside", "s3cret")
    assert "s3cret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told_and_not_taken_for_none() -> None:
    file = token_file("tcp://127.0.0.1:4711")
    assert file is not None
    file.mkdir(parents=True)
    with pytest.raises(SettingsError, match="cannot read the token file") as caught:
        find_credential("tcp://127.0.0.1:4711", None, None)
    assert "NPC_SERVER_TOKEN" in caught.value.hint
    assert find_credential("tcp://127.0.0.1:4711", "given", None) == "given"


@pytest.mark.parametrize("held", ["my notes\n", "x\n", "", "two\nlines\n"])
def test_a_file_that_holds_no_token_is_not_replaced(tmp_path: Path, held: str) -> None:
    file = tmp_path / "notes"
    file.write_text(held, encoding="ascii")
    with pytest.raises(SettingsError, match="is no token file"):
        write_token(file, "s3cret")
    assert file.read_text(encoding="ascii") == held
    file.write_text("an-older-token\n", encoding="ascii")
    write_token(file, "s3cret")


def make_keys(folder: Path, *names: str) -> None:
    folder.mkdir()
    for name in names:
        zmq.auth.create_certificates(folder, name)


async def test_keys_let_in_those_of_the_list_only(world: FakeWorld, tmp_path: Path) -> None:
    make_keys(tmp_path / "keys", "server", "known", "stranger")
    make_keys(tmp_path / "clients")
    (tmp_path / "keys" / "known.key").rename(tmp_path / "clients" / "known.key")
    keys = tmp_path / "keys"
    curve = ServerCurve(keys / "server.key_secret", tmp_path / "clients")
    async with asking(world, curve=curve) as server:
        assert server.token == ""
        known, stranger = [
            ClientCurve(keys / f"{name}.key_secret", keys / "server.key") for name in ("known", "stranger")
        ]
        assert await greeting(server.address, curve=known) == "Welcome to the Lantern."
        with pytest.raises(AuthenticationFailed):
            await greeting(server.address, curve=stranger)
        with pytest.raises(AuthenticationFailed):
            await greeting(server.address, token="s3cret")
        not_the_servers = ClientCurve(keys / "stranger.key_secret", keys / "stranger.key")
        with pytest.raises((AuthenticationFailed, ConnectionLost)):
            await asyncio.wait_for(greeting(server.address, curve=not_the_servers, timeout_s=1.0), PATIENCE_S)


def test_mistakes_in_keys_are_told(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys", "own")
    own = tmp_path / "keys" / "own"
    with pytest.raises(SettingsError, match=r"holds no \*\.key"):
        read_client_keys(tmp_path)
    with pytest.raises(SettingsError, match="no secret key"):
        credential.read_key_pair(own.with_suffix(".key"))
    with pytest.raises(SettingsError, match="cannot read the key file"):
        credential.read_key(tmp_path / "none.key")
    with pytest.raises(SettingsError, match="keys are asked for"):
        BridgeSettings(curve=ServerCurve(own, own), allow_anonymous=True)


async def test_a_server_whose_keys_are_missing_does_not_start(world: FakeWorld, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="curve_clients"):
        await asking(world, curve=ServerCurve(tmp_path / "own", tmp_path)).start()
