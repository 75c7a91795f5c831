"""Who is connected, and who was cut off and may come back for what is theirs. Knows no message and no socket.

Called by server.py from the event loop only.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator

from game_bridge.peer import Peer

_KEY_BYTES = 24


class Lobby:
    """Peers by connection while they have one, and by key once they were given one. on_given_up hears of each who did
    not come back within resume_s.
    """

    def __init__(self, resume_s: float, on_given_up: Callable[[Peer], None]) -> None:
        self._resume_s = resume_s
        self._on_given_up = on_given_up
        self._present: dict[bytes, Peer] = {}
        self._by_key: dict[str, Peer] = {}
        self._away: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._present) + len(self._away)

    def __iter__(self) -> Iterator[Peer]:
        """All, also those who are away."""
        return iter([*self._present.values(), *(self._by_key[key] for key in self._away)])

    @property
    def present(self) -> list[Peer]:
        """Those who are connected."""
        return list(self._present.values())

    def find(self, identity: bytes) -> Peer | None:
        """Who speaks over a connection."""
        return self._present.get(identity)

    def owner(self, key: str) -> Peer | None:
        """Whose key it is, connected or not."""
        return self._by_key.get(key)

    def admit(self, peer: Peer) -> None:
        """Somebody new."""
        self._present[peer.identity] = peer

    def hand_key(self, peer: Peer) -> None:
        """From now on a break is not the end. Mutates: peer.key."""
        self.take_key(peer)
        peer.key = secrets.token_urlsafe(_KEY_BYTES)
        self._by_key[peer.key] = peer

    def take_key(self, peer: Peer) -> None:
        """A key that it has is good for nothing any more. Mutates: peer.key."""
        self._by_key.pop(peer.key, None)
        peer.key = ""

    def part(self, peer: Peer) -> None:
        """The connection of one who has a key broke."""
        del self._present[peer.identity]
        self._away[peer.key] = asyncio.get_running_loop().call_later(self._resume_s, self._give_up, peer)

    def make_room(self) -> bool:
        """Whether somebody is away, who then is given up: the one who has been for the longest."""
        key = next(iter(self._away), None)
        if key is not None:
            self._give_up(self._by_key[key])
        return key is not None

    def welcome_back(self, peer: Peer, identity: bytes) -> None:
        """It speaks over another connection from now on. Mutates: peer.identity."""
        self._leave(peer)
        peer.identity = identity
        self._present[identity] = peer

    def remove(self, peer: Peer) -> None:
        """Gone for good."""
        self._leave(peer)
        self.take_key(peer)

    def _leave(self, peer: Peer) -> None:
        timer = self._away.pop(peer.key, None)
        if timer is not None:
            timer.cancel()
        else:
            self._present.pop(peer.identity, None)

    def _give_up(self, peer: Peer) -> None:
        self.remove(peer)
        self._on_given_up(peer)
