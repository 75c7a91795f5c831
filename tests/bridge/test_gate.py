"""The gate before real sockets: libzmq's and bare ones, well-behaved and not."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.asyncio

from game_bridge import admission, endpoint, zmtp
from game_bridge import gate as gate_module
from game_bridge.credential import ServerCurve
from game_bridge.gate import Gate
from game_bridge.gate_line import HIGH_WATER_BYTES
from game_bridge.router import Router
from game_bridge.settings import BridgeSettings
from game_bridge.told import Limits
from game_bridge.transport import Transport, open_transport
from npc_sdk.errors import ConnectionLost, SettingsError

from .asking import eventually
from .conftest import PATIENCE_S
from .gate_peer import SLOW_BEAT, TOKEN, BarePeer, gate_settings, needs_ipv6, open_hall


async def echo(address: str, *messages: list[bytes], **options: Any) -> list[list[bytes]]:
    """What comes back to a libzmq DEALER."""
    with zmq.asyncio.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        for name, value in options.items():
            setattr(dealer, name, value)
        dealer.connect(address)
        async with asyncio.timeout(30):
            for message in messages:
                await dealer.send_multipart(message)
            return [await dealer.recv_multipart() for _ in messages]


@pytest.fixture
def near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder by a short name: that of a Unix socket has some hundred bytes at most, wherever /tmp is."""
    monkeypatch.chdir(tmp_path)
    return Path()


resolve, _ELSEWHERE = socket.getaddrinfo, {"localhost": "127.0.0.2"}
MESSAGES = [[b"a"], [b"b" * 255, b"", b"c" * 256], [b"d" * 6_000_000, b"e"]]


@pytest.mark.parametrize("token", ["", TOKEN])
async def test_libzmq_clients_are_served(token: str) -> None:
    settings = gate_settings(Limits(heartbeat_s=2.0), token=TOKEN, allow_anonymous=not token)
    shown = {"plain_username": b"game", "plain_password": token.encode()} if token else {}
    async with open_hall(settings) as hall:
        beats = {"heartbeat_ivl": 100, "heartbeat_timeout": 10_000, "heartbeat_ttl": 10_000}
        assert await echo(hall.gate.address, *MESSAGES, **shown, **beats) == MESSAGES
        await eventually(lambda: bool(hall.gone))
        assert len({identity for identity, _ in hall.came}) == 1


@pytest.mark.parametrize("place", ["file", "@npc-test-{}"])
async def test_a_unix_socket_is_its_owners_alone(near: Path, place: str) -> None:
    path = near / place
    address = f"ipc://{path}" if place == "file" else "ipc://" + place.format(os.getpid())
    async with open_hall(gate_settings(address=address)) as hall:
        assert hall.gate.address == address
        assert await echo(address, [b"hi"]) == [[b"hi"]]
        assert place != "file" or stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(SettingsError, match="cannot listen"):
            await Gate(gate_settings(address=address), print, print).start()
    assert not path.exists()


async def test_the_unix_socket_that_a_crash_left_is_taken_over(near: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(near / "npc"))
    async with open_hall(gate_settings(address=f"ipc://{near / 'npc'}")) as hall:
        await BarePeer.shake_hands(hall)


@pytest.mark.parametrize("place", ["file", "none/npc", "x" * 200])
async def test_what_cannot_be_a_unix_socket_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot listen"):
        await Gate(gate_settings(address=f"ipc://{tmp_path / place}"), print, print).start()
    assert (tmp_path / "file").exists()


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, Gate),
        ({"address": "ipc:///tmp/npc"}, Gate),
        ({"address": "inproc://npc"}, Router),
        ({"curve": ServerCurve(Path("own"), Path("clients")), "allow_anonymous": False}, Router),
    ],
    ids=["tcp", "ipc", "inproc", "curve"],
)
def test_libzmq_serves_only_where_it_must(changes: dict[str, object], kind: type) -> None:
    transport: Transport = open_transport(gate_settings(**changes), print, print)  # type: ignore[arg-type]
    assert type(transport) is kind
    with pytest.raises(ConnectionLost, match="not open"):
        _ = transport.address


async def test_a_router_stands_behind_the_same_seam() -> None:
    came: list[tuple[bytes, list[bytes]]] = []
    router = Router(gate_settings(), lambda *message: came.append(message), print)
    await router.start()
    asking = asyncio.create_task(echo(router.address, [b"hi", b"there"]))
    await eventually(lambda: bool(came))
    for act in (router.cut, router.claim, router.release):
        act(came[0][0])
    assert router.send(*came[0]) == "sent"
    assert await asking == [[b"hi", b"there"]]
    assert router.send(b"nobody", [b"x"]) == "gone"
    await router.close()
    await router.close()


async def test_a_wrong_token_is_told_cut_off_and_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_LOG_EVERY_S", 3_600.0)
    async with open_hall(gate_settings(token=TOKEN, allow_anonymous=False)) as hall:
        for _ in range(3):
            peer = await BarePeer.connect(hall)
            peer.write(zmtp.encode_greeting("PLAIN") + zmtp.encode_command(b"HELLO", b"\x04game\x05guess"))
            assert (await peer.end())[64:] == b"\x04\x09^RROR\x03400"
        await BarePeer.shake_hands(hall, TOKEN)
    assert caplog.text.count("refused") == 1
    assert "127.0.0.1" in caplog.text
    assert "guess" not in caplog.text
    assert hall.gone == []


async def test_the_token_counts_only_with_its_name() -> None:
    async with open_hall(gate_settings(token=TOKEN, allow_anonymous=False)) as hall:
        for user in (b"", b"gam", b"gamer", b"root"):
            peer = await BarePeer.connect(hall)
            shown = bytes((len(user),)) + user + bytes((len(TOKEN),)) + TOKEN.encode()
            peer.write(zmtp.encode_greeting("PLAIN") + zmtp.encode_command(b"HELLO", shown))
            assert (await peer.end())[64:] == b"\x04\x09^RROR\x03400"
        await BarePeer.shake_hands(hall, TOKEN)


@pytest.mark.parametrize("place", ["127.0.0.1:70000", "127.0.0.1:-1", "127.0.0.1:no", "[::1]:70000"])
async def test_a_port_that_is_none_is_told(place: str) -> None:
    with pytest.raises(SettingsError, match="cannot listen"):
        await Gate(gate_settings(address=f"tcp://{place}"), print, print).start()


async def test_localhost_is_this_machine_whoever_answers_for_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *given, **more: resolve(_ELSEWHERE.get(host, host), *given, **more)
    )
    async with open_hall(gate_settings(address="tcp://localhost:*")) as hall:
        assert hall.gate.address.startswith("tcp://127.0.0.1:")


def test_where_the_system_can_a_port_is_taken_for_one_program_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_ALONE", socket.SO_KEEPALIVE)  # any option that this system has
    with endpoint.bind("tcp://127.0.0.1:*").socket as bound:
        assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert not bound.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


@pytest.mark.parametrize("host", ["localhost", pytest.param("[::1]", marks=needs_ipv6)])
async def test_other_names_of_this_machine_can_be_listened_on(host: str) -> None:
    async with open_hall(gate_settings(address=f"tcp://{host}:*")) as hall:
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.linger, dealer.ipv6, dealer.rcvtimeo = 0, True, 30_000
            dealer.connect(hall.gate.address)
            dealer.send(b"hi")
            assert await asyncio.to_thread(dealer.recv) == b"hi"


@pytest.mark.parametrize(
    "bytes_",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="http"),
        pytest.param(zmtp.encode_greeting("PLAIN"), id="mechanism"),
        pytest.param(
            zmtp.encode_greeting("NULL") + zmtp.encode_command(b"READY", b"\x0bSocket-Type\0\0\0\3REQ"), id="req"
        ),
    ],
)
async def test_who_speaks_otherwise_is_cut_off(bytes_: bytes) -> None:
    async with open_hall() as hall:
        peer = await BarePeer.connect(hall)
        peer.write(bytes_)
        await peer.end()
        assert await echo(hall.gate.address, [b"hi"]) == [[b"hi"]]


async def test_a_handshake_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "HANDSHAKE_S", PATIENCE_S)
    async with open_hall() as hall:
        idle = await BarePeer.connect(hall)
        halfway = await BarePeer.connect(hall)
        halfway.write(zmtp.encode_greeting("NULL"))
        in_time = await BarePeer.shake_hands(hall)
        monkeypatch.setattr(gate_module, "HANDSHAKE_S", 0.5)
        hall.gate._expire()  # looks again when the time of the rest is over
        assert len(await idle.end()) == len(await halfway.end()) == 64
        in_time.send([b"still here"])
        assert await in_time.message() == [b"still here"]


async def test_newcomers_too_many_make_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_room_for_newcomers", lambda _peers: 3)
    monkeypatch.setattr(gate_module, "HANDSHAKE_S", PATIENCE_S)
    async with open_hall() as hall:
        peers = []
        for _ in range(4):
            peers.append(await BarePeer.connect(hall))
            await peers[-1].read(64)
        assert await peers[0].end() == b""
        peers[1].write(zmtp.encode_greeting("NULL") + zmtp.encode_command(b"READY", b"\x0bSocket-Type\0\0\0\6DEALER"))
        assert (await peers[1].frame())[1].startswith(b"\x05READY")


async def test_what_is_small_is_not_held_back_for_more_to_come() -> None:
    async with open_hall() as hall:
        await BarePeer.greet(hall)
        (line,) = hall.gate._lines.values()
        accepted = line._transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_what_is_blocked_was_not_taken_and_the_rest_arrives_whole() -> None:
    async with open_hall(does_echo=False) as hall:
        peer = await BarePeer.shake_hands(hall)
        peer.send([b"hi"])
        await eventually(lambda: bool(hall.came))
        ((identity, _),) = hall.came
        sent = 0
        while hall.gate.send(identity, [sent.to_bytes(4, "big"), b"x" * 10_000]) == "sent":
            sent += 1
            if not sent % 50:
                await asyncio.sleep(0)  # writing happens in between
        assert sent * 10_000 > HIGH_WATER_BYTES
        assert hall.gate.send(identity, [b"more"]) == "blocked"
        for number in range(sent):
            assert (await peer.message())[0] == number.to_bytes(4, "big")
        assert hall.gate.send(identity, [b"again"]) == "sent"
        assert await peer.message() == [b"again"]


async def test_a_cut_connection_is_gone_at_once() -> None:
    async with open_hall() as hall:
        peer = await BarePeer.shake_hands(hall)
        peer.send([b"hi"])
        await peer.message()
        ((identity, _),) = hall.came
        hall.gate.cut(identity)
        assert hall.gate.send(identity, [b"x"]) == "gone"
        assert await peer.end() == b""
        assert hall.gone == [identity]
        hall.gate.cut(identity)


async def test_a_fault_behind_the_gate_ends_that_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with open_hall() as hall:
        peer, other = await BarePeer.shake_hands(hall), await BarePeer.shake_hands(hall)
        peer.send([b"break"])
        assert await peer.end() == b""
        other.send([b"hi"])
        assert await other.message() == [b"hi"]
    assert "of the server's own" in caplog.text


async def test_a_flood_is_slowed_and_nothing_of_it_lost() -> None:
    async with open_hall(gate_settings(messages_per_s=200.0), does_echo=False) as hall:
        flooder, other = await BarePeer.shake_hands(hall), await BarePeer.shake_hands(hall)
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        for number in range(400):
            flooder.send([number.to_bytes(2, "big")])
        other.send([b"me too"])
        await eventually(lambda: any(frames == [b"me too"] for _, frames in hall.came))
        await eventually(lambda: len(hall.came) == 401)
        assert loop.time() - started_s > 0.9  # a second's worth at once, another in its second
        assert hall.came[-1][1] != [b"me too"]
        numbers = [frames[0] for _, frames in hall.came if frames != [b"me too"]]
        assert numbers == [number.to_bytes(2, "big") for number in range(400)]


async def test_the_largest_unfinished_message_goes_when_all_are_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_MAX_HELD_BYTES", 1_000_000)
    async with open_hall() as hall:
        small, large = await BarePeer.greet(hall), await BarePeer.greet(hall)
        small.write(zmtp.encode_frame(b"s" * 300_000, 1))
        large.write(zmtp.encode_frame(b"l" * 900_000, 1))
        assert await large.end() == b""
        small.write(zmtp.encode_frame(b"end"))
        assert await small.message() == [b"s" * 300_000, b"end"]
        for _ in range(3):  # what was held is no longer counted
            small.send([b"t" * 900_000])
            assert await small.message() == [b"t" * 900_000]


async def test_frames_without_end_are_cut() -> None:
    async with open_hall() as hall:
        peer = await BarePeer.shake_hands(hall)
        peer.write(b"\x01\x00" * 5_000)
        await peer.end()
        assert hall.came == []


async def test_what_was_taken_is_sent_before_the_gate_closes() -> None:
    async with open_hall() as hall:
        peer = await BarePeer.shake_hands(hall)
        peer.send([b"hi"])
        await peer.message()
        ((identity, _),) = hall.came
        assert hall.gate.send(identity, [b"goodbye" * 10_000]) == "sent"
        closing = asyncio.create_task(hall.gate.close())
        assert await peer.message() == [b"goodbye" * 10_000]
        assert await peer.end() == b""
        await closing
        assert hall.gate.send(identity, [b"x"]) == "gone"
        assert hall.gone == []


async def test_who_was_accepted_just_before_the_gate_closed_is_not_awaited() -> None:
    async with open_hall() as hall:
        late = hall.gate._new_line()
        await hall.gate.close()
        await asyncio.get_running_loop().create_connection(lambda: late, sock=(ends := socket.socketpair())[0])
        assert late._transport.is_closing()
        assert hall.gate._expiry is None
        ends[1].close()


def test_a_gate_leaves_room_for_files() -> None:
    assert 64 <= Gate(gate_settings(SLOW_BEAT), print, print)._max_newcomers <= 2_048


def test_a_gate_takes_any_settings_that_are_sound() -> None:
    assert isinstance(open_transport(BridgeSettings(), print, print), Gate)
