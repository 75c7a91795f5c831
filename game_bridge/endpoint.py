"""A ZeroMQ address to a bound socket: TCP and Unix sockets of this machine. Called by gate.py."""

from __future__ import annotations

import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from npc_sdk.errors import SettingsError

_ANSWER_S = 1.0
_MAX_PORT = 65_535
_LOCALHOST = "localhost", "127.0.0.1"  # never asked for: whoever answers could name another machine
# Windows has it, and lets another program take the port as well without it, or with SO_REUSEADDR
_ALONE: int | None = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A socket that does not listen yet, and the address that clients connect to. path is a Unix socket's file."""

    socket: socket.socket
    address: str
    path: Path | None = None

    def forget(self) -> None:
        """Take the file of a Unix socket away."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def bind(address: str) -> Endpoint:
    """Raises: SettingsError for an address that is none, or is taken."""
    scheme, _, place = address.partition("://")
    try:
        if scheme == "tcp":
            return _bind_tcp(place)
        if scheme == "ipc":
            return _bind_unix(place)
    except (OSError, ValueError) as exc:
        told = f"bridge.address: cannot listen on {address!r}: {exc}"
        hint = "is another server running? --port names another, 0 takes any free one"
        raise SettingsError(told, hint=hint) from exc
    raise SettingsError(f"bridge.address: {address!r} is no address", hint="for example tcp://127.0.0.1:5577")


def _bind_tcp(place: str) -> Endpoint:
    host, port = _place_of(place)
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # asyncio sets TCP_NODELAY only where a socket names its protocol, and accepted ones take it from the listener
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR if _ALONE is None else _ALONE, 1)
        listener.bind(where)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    name = listener.getsockname()
    shown = f"[{name[0]}]" if family == socket.AF_INET6 else name[0]
    return Endpoint(listener, f"tcp://{shown}:{name[1]}")


def _place_of(place: str) -> tuple[str, int]:
    """Host and port, 0 for any. Raises: ValueError."""
    host, _, port = place.rpartition(":")
    name, meant = _LOCALHOST
    host = meant if host.lower() == name else host.strip("[]")
    if port == "*":
        return host, 0
    number = int(port)
    if not 0 <= number <= _MAX_PORT:
        raise ValueError(f"a port is a number up to {_MAX_PORT}")
    return host, number


def _bind_unix(place: str) -> Endpoint:
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no Unix sockets")
    path = None if place.startswith("@") else Path(place)
    if path is not None:
        _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(place if path else f"\0{place[1:]}")
        if path is not None:
            path.chmod(0o600)  # nobody can connect before it listens, so nobody comes in between
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return Endpoint(listener, f"ipc://{place}", path)


def _clear(path: Path) -> None:
    """Takes away what a crash left. Raises: OSError where a server still answers there."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(_ANSWER_S)
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise OSError("another server answers there")
