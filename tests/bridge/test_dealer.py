"""One line to a server: how it begins, what may go out on it, and that nothing is said on any other behind our back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import zmq

from game_bridge.dealer import Dealer
from game_bridge.ledger import KEPT_MESSAGES
from npc_sdk.errors import AuthenticationFailed, BridgeError, ConnectionLost

from .asking import dead_port, eventually
from .bare_server import shake_hands
from .conftest import PATIENCE_S

BEHIND_MS = 500  # libzmq comes back after a tenth of a second, if it is let


class Router:
    """A server that lives without the test's loop."""

    def __init__(self, address: str = "tcp://127.0.0.1:*") -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.bind(address)
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def hear(self) -> list[bytes]:
        assert self.socket.poll(PATIENCE_S * 1_000)
        return self.socket.recv_multipart()

    def die(self) -> None:
        self.context.destroy(linger=0)


@contextlib.contextmanager
def serving(address: str = "tcp://127.0.0.1:*") -> Iterator[Router]:
    router = Router(address)
    try:
        yield router
    finally:
        router.die()


@contextlib.asynccontextmanager
async def dialled(
    address: str, *, has_been_in: bool = False
) -> AsyncIterator[tuple[Dealer, list[list[bytes]], asyncio.Task[BridgeError]]]:
    heard: list[list[bytes]] = []
    dealer = Dealer(address, None, heard.append, has_been_in=has_been_in)
    reading = asyncio.create_task(dealer.read())
    try:
        yield dealer, heard, reading
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        dealer.close()


async def test_nothing_is_said_on_a_new_connection_while_the_loop_stands_still() -> None:
    with serving() as first:
        async with dialled(first.address) as (dealer, _, reading):
            await dealer.come_in(PATIENCE_S)
            first.die()
            with serving(first.address) as second:
                dealer.send([b"said"])
                assert not second.socket.poll(BEHIND_MS)
                assert isinstance(await reading, ConnectionLost)


async def test_what_came_before_the_break_is_handed_on() -> None:
    with serving() as router:
        async with dialled(router.address) as (dealer, heard, reading):
            await dealer.come_in(PATIENCE_S)
            dealer.send([b"hello"])
            peer, _ = router.hear()
            router.socket.send_multipart([peer, b"welcome"])
            poller = zmq.Poller()
            poller.register(dealer._socket, zmq.POLLIN)
            assert poller.poll(PATIENCE_S * 1_000)
            router.die()
            assert isinstance(await reading, ConnectionLost)
            assert heard == [[b"welcome"]]


async def test_what_has_come_can_be_read_without_the_loop() -> None:
    with serving() as router:
        async with dialled(router.address) as (dealer, heard, _):
            await dealer.come_in(PATIENCE_S)
            dealer.send([b"hello"])
            peer, _ = router.hear()
            for word in (b"one", b"two"):
                router.socket.send_multipart([peer, word])
            while len(heard) < 2:
                dealer.read_all()
            assert heard == [[b"one"], [b"two"]]


async def test_a_server_that_is_there_later_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[None] = []
    again = Dealer._try_again

    async def note(dealer: Dealer) -> None:
        tried.append(None)
        await again(dealer)

    monkeypatch.setattr(Dealer, "_try_again", note)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        async with dialled(f"tcp://127.0.0.1:{server.getsockname()[1]}") as (dealer, _, _):
            await eventually(lambda: len(tried) > 1)
            server.listen()
            peer, _ = await asyncio.to_thread(server.accept)
            with peer:
                shake_hands(peer)
                await dealer.come_in(PATIENCE_S)


@pytest.mark.parametrize(
    ("has_been_in", "error", "tries"),
    [(False, AuthenticationFailed, 4), (True, ConnectionLost, 1)],
    ids=["at first", "after it was let in"],
)
async def test_who_is_hung_up_on_shows_a_wrong_token_only_at_first(
    has_been_in: bool, error: type[BridgeError], tries: int
) -> None:
    seen: list[None] = []

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(None)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, dialled(address, has_been_in=has_been_in) as (dealer, _, reading):
        with pytest.raises(error) as caught:
            await dealer.come_in(PATIENCE_S)
        assert type(caught.value) is error
        await reading
        assert len(seen) == tries


async def test_a_line_has_room_for_all_that_a_ledger_keeps_and_for_no_end_of_it() -> None:
    with dead_port() as port:
        async with dialled(f"tcp://127.0.0.1:{port}") as (dealer, _, _):
            taken = sum(dealer.send([b"said"]) for _ in range(10 * KEPT_MESSAGES))
    assert KEPT_MESSAGES + 100 < taken < 10 * KEPT_MESSAGES


async def test_a_line_that_was_given_up_takes_nothing() -> None:
    with serving() as router:
        async with dialled(router.address) as (dealer, _, reading):
            await dealer.come_in(PATIENCE_S)
            dealer.is_open = True
            dealer.give_up(ConnectionLost("enough"))
            assert not dealer.is_open
            assert str(await reading).startswith("enough")
