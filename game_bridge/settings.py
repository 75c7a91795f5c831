"""What a bridge server can be told: where to listen, whom to let in, how much to take from one, how long to wait."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from game_bridge.credential import ServerCurve, check_token, is_local, new_token
from game_bridge.told import Limits
from npc_sdk.errors import SettingsError

DEFAULT_ADDRESS = "tcp://127.0.0.1:5577"


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """Port ``*`` takes any free one. Everything numeric is positive.

    Clients show token, a random one unless given; with curve, a key instead; with allow_anonymous, nothing at all.
    Units: seconds. outbox_messages, of outbox_bytes, may wait for one connection; one that sends more than
    messages_per_s is read more slowly. resume_s is how long a broken connection's conversations wait for it.
    Raises: SettingsError for an address beyond this machine without curve, a token that is none, or a number that is
    not positive.
    """

    address: str = DEFAULT_ADDRESS
    token: str = field(default_factory=new_token, repr=False)
    allow_anonymous: bool = False
    curve: ServerCurve | None = None
    limits: Limits = field(default_factory=Limits)
    max_peers: int = 64
    messages_per_s: float = 1_000.0
    resume_s: float = 10.0
    outbox_messages: int = 2_048
    outbox_bytes: int = 4 * 2**20
    send_patience_s: float = 2.0
    cancel_grace_s: float = 5.0
    shutdown_grace_s: float = 3.0

    def __post_init__(self) -> None:
        for name in (item.name for item in fields(self)):
            value = getattr(self, name)
            if isinstance(value, int | float) and not isinstance(value, bool) and value <= 0:
                raise SettingsError(f"bridge.{name}: {value!r} is not positive")
        check_token(self.token)
        if self.curve is None and not is_local(self.address):
            raise SettingsError(
                f"bridge.address: {self.address!r} can be reached from other machines, and there a token is no proof",
                hint="listen on 127.0.0.1, or let known keys in with curve",
            )
        if self.curve is not None and self.allow_anonymous:
            raise SettingsError("bridge.allow_anonymous: keys are asked for", hint="leave curve or allow_anonymous out")
