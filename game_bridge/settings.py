"""What a bridge server can be told: where to listen, how much to take from one connection, how long to wait."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, fields
from urllib.parse import urlsplit

from game_bridge.told import Limits
from npc_sdk.errors import SettingsError

DEFAULT_ADDRESS = "tcp://127.0.0.1:5577"


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """Port ``*`` takes any free one. Everything numeric is positive.

    Units: seconds; outbox_messages waiting for one connection; frames of one message.
    Raises: SettingsError for an address beyond this machine without allow_remote, or a number that is not positive.
    """

    address: str = DEFAULT_ADDRESS
    allow_remote: bool = False
    limits: Limits = field(default_factory=Limits)
    max_peers: int = 64
    outbox_messages: int = 2_048
    send_patience_s: float = 2.0
    cancel_grace_s: float = 5.0
    shutdown_grace_s: float = 3.0

    def __post_init__(self) -> None:
        for name in (item.name for item in fields(self)):
            value = getattr(self, name)
            if isinstance(value, int | float) and not isinstance(value, bool) and value <= 0:
                raise SettingsError(f"bridge.{name}: {value!r} is not positive")
        if not self.allow_remote and not is_local(self.address):
            raise SettingsError(
                f"bridge.address: {self.address!r} can be reached from other machines, and the bridge does not "
                "authenticate yet",
                hint="listen on 127.0.0.1, or allow remote clients on purpose with allow_remote",
            )


def is_local(address: str) -> bool:
    """Whether only this machine can connect to a ZeroMQ address."""
    parts = urlsplit(address)
    if parts.scheme in {"ipc", "inproc"}:
        return True
    host = parts.netloc.rpartition(":")[0].strip("[]")
    try:
        return parts.scheme == "tcp" and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
