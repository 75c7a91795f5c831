"""The seam between the server and what carries its bytes, and the choice between the two that do.

gate.py serves this machine, router.py (libzmq) those with keys from beyond it. Called by server.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, TypeAlias

from game_bridge.settings import BridgeSettings

SendOutcome: TypeAlias = Literal["sent", "blocked", "gone"]
OnMessage: TypeAlias = Callable[[bytes, list[bytes]], None]
OnGone: TypeAlias = Callable[[bytes], None]


class Transport(Protocol):
    """Identities are opaque and never used twice. Both callbacks come from the loop that start ran on.

    on_message gets each whole message of a peer that was let in; on_gone each such connection that ended, also one that
    cut ended, but none that close does. libzmq tells of no end, so there only send's "gone" does, and reads as fast as
    messages come: the rate of one connection (messages_per_s) is the gate's alone.
    """

    @property
    def address(self) -> str:
        """Where clients connect, with the real port. Only after start."""

    async def start(self) -> None:
        """Listen. Raises: SettingsError."""

    def send(self, identity: bytes, frames: Sequence[bytes]) -> SendOutcome:
        """Never waits. blocked: too much of this connection is unsent, and nothing of the message was taken."""

    def cut(self, identity: bytes) -> None:
        """End a connection at once, with what was not sent yet. libzmq cannot."""

    def claim(self, identity: bytes) -> None:
        """The connection is somebody's: it may stay, and send all that the limits allow. Can be repeated."""

    def release(self, identity: bytes) -> None:
        """It is nobody's any more, and goes after a while unless it is claimed again. Can be repeated."""

    async def close(self) -> None:
        """Send what was taken, for a moment at most, then end every connection. Can be repeated."""


def open_transport(settings: BridgeSettings, on_message: OnMessage, on_gone: OnGone) -> Transport:
    """What the settings ask for; not started yet. Raises: SettingsError."""
    if settings.curve is not None or settings.address.startswith("inproc:"):
        from game_bridge.router import Router

        return Router(settings, on_message, on_gone)
    from game_bridge.gate import Gate

    return Gate(settings, on_message, on_gone)
