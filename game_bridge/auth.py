"""Who may connect: sets the mechanism of a server's socket and answers libzmq's question (ZAP) for each newcomer.

A token is compared in constant time, a key looked up in the folder of clients. Knows no message. Called by router.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import zmq
import zmq.asyncio
from zmq.utils import z85

from game_bridge.admission import REFUSED, RareWarning, is_token
from game_bridge.credential import ServerCurve, read_key, read_key_pair
from game_bridge.settings import BridgeSettings
from npc_sdk.errors import SettingsError

log = logging.getLogger(__name__)

_ENDPOINT = "inproc://zeromq.zap.01"
_DOMAIN = b"npc"
_VERSION = b"1.0"
_OK, _REFUSED = (b"200", b"OK"), (b"400", b"refused")


class Doorkeeper:
    """Answers for every socket of a context until closed. A context whose socket lets anybody in needs none.

    Raises: SettingsError for keys that cannot be read.
    """

    def __init__(self, context: zmq.asyncio.Context, settings: BridgeSettings) -> None:
        self._token = settings.token.encode()
        self._curve = settings.curve
        self._keys = read_client_keys(settings.curve.clients) if settings.curve else frozenset()
        self._refusals = RareWarning(REFUSED)
        self._socket = context.socket(zmq.REP)
        self._socket.bind(_ENDPOINT)
        self._task = asyncio.get_running_loop().create_task(self._answer())

    def guard(self, socket: zmq.asyncio.Socket) -> None:
        """Sets up a socket before it is bound. Raises: SettingsError for a key that cannot be read."""
        socket.zap_domain = _DOMAIN
        if isinstance(self._curve, ServerCurve):
            socket.curve_publickey, socket.curve_secretkey = read_key_pair(self._curve.own_key)
            socket.curve_server = True
        else:
            socket.plain_server = True

    def close(self) -> None:
        """No newcomer gets in any more. Can be repeated."""
        self._task.cancel()
        self._socket.close(linger=0)

    def admits(self, mechanism: bytes, shown: Sequence[bytes]) -> bool:
        """Whether a newcomer that showed this may come in."""
        if self._curve is not None:
            return mechanism == b"CURVE" and len(shown) == 1 and shown[0] in self._keys
        return mechanism == b"PLAIN" and len(shown) == 2 and is_token(shown[1], self._token)

    async def _answer(self) -> None:
        while True:
            question = await self._socket.recv_multipart()
            await self._socket.send_multipart(self._judge(question))

    def _judge(self, question: Sequence[bytes]) -> list[bytes]:
        """The reply to version, request id, domain, address, identity, mechanism and what was shown."""
        if len(question) < 6 or question[0] != _VERSION:
            log.error("libzmq asked something that is no ZAP question: %d frames", len(question))
            return [_VERSION, question[1] if len(question) > 1 else b"", b"500", b"no ZAP question", b"", b""]
        _, request_id, _, address, _, mechanism, *shown = question
        is_in = self.admits(mechanism, shown)
        if not is_in:
            self._refusals.note(repr(address), repr(mechanism))
        return [_VERSION, request_id, *(_OK if is_in else _REFUSED), b"", b""]


def read_client_keys(folder: Path) -> frozenset[bytes]:
    """The allow-list, as bytes. Raises: SettingsError for a folder without keys, or a file that is none."""
    keys = frozenset(z85.decode(read_key(path)) for path in sorted(folder.glob("*.key")))
    if not keys:
        hint = "put the public .key file of each client there"
        raise SettingsError(f"server.curve_clients: {str(folder)!r} holds no *.key file", hint=hint)
    return keys
