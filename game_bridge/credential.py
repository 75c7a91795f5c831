"""What a client shows to be let in: a token that lives as long as a launch, or a key of its own; and where tokens lie.

Knows files, the environment and socket options. Called by both sides; auth.py checks what is shown. Floor 0 only.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import zmq
import zmq.auth

from npc_sdk.errors import SettingsError

TOKEN_VARIABLE = "NPC_SERVER_TOKEN"
USER = "game"
log = logging.getLogger(__name__)

_TOKEN_BYTES = 32
_MAX_TOKEN_BYTES = 255  # what PLAIN's one-byte length can say
_LIKELY_BYTES = 6  # of a file that was a token and may be replaced
_FOLDER = "npc-sdk"
_LOCALHOST = "localhost"
_USUAL_HOSTS = ("127.0.0.1", _LOCALHOST)


@dataclass(frozen=True, slots=True)
class ServerCurve:
    """own_key is the server's secret key file, clients the folder with the public key file of each who may connect."""

    own_key: Path
    clients: Path


@dataclass(frozen=True, slots=True)
class ClientCurve:
    """own_key is the client's secret key file, server_key the server's public one. zmq.auth.create_certificates makes
    such files.
    """

    own_key: Path
    server_key: Path


Credential: TypeAlias = str | ClientCurve | None


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def check_token(token: str) -> None:
    """Raises: SettingsError, which does not show the token."""
    if not re.fullmatch(rf"[!-~]{{1,{_MAX_TOKEN_BYTES}}}", token):
        hint = "leave it out, and a random one is made"
        raise SettingsError(f"server.token: should be 1 to {_MAX_TOKEN_BYTES} visible ASCII characters", hint=hint)


def is_local(address: str) -> bool:
    """Whether only this machine can connect to a ZeroMQ address."""
    try:
        scheme = urlsplit(address).scheme
        host = _host(address) if scheme == "tcp" else ""
        return scheme in {"ipc", "inproc"} or host == _LOCALHOST or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token_file(address: str) -> Path | None:
    """Where `npc serve` leaves the token of its address, under the user's own folder; None for what has no port.

    The usual host goes without saying; of any other, servers may share a port. PROTOCOL.md, Who may connect.
    """
    try:
        host, port = _host(address), urlsplit(address).port
    except ValueError:
        return None
    if not port:
        return None
    name = f"{port}" if host in _USUAL_HOSTS else f"{port}@{host.replace(':', '-')}"
    return _user_folder() / _FOLDER / f"{name}.token"


def write_token(path: Path, token: str) -> None:
    """The file is its owner's alone from its first byte on, and appears whole.

    Raises: SettingsError, also where the name is that of a file that holds no token.
    """
    _check_replaceable(path)
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{token}\n")
        partial.replace(path)
    except OSError as exc:
        hint = f"name another with --token-file, or hand the token over as {TOKEN_VARIABLE}"
        raise SettingsError(f"cannot write the token file {str(path)!r}: {exc}", hint=hint) from exc


def forget_token(path: Path, token: str | None = None) -> None:
    """Takes a token's file away; where token is given, only if the file holds that one and not a later server's."""
    try:
        if token is not None and _read_token(path) != token:
            return
        path.unlink(missing_ok=True)
    except (OSError, SettingsError) as exc:
        log.warning("the token file of a server that is gone stays: %s", exc)


def find_credential(address: str, token: str | None, curve: ClientCurve | None) -> Credential:
    """What to show: what was given, else NPC_SERVER_TOKEN, else the file of `npc serve`; "" shows nothing.

    Raises: SettingsError for a token that would cross a network in the clear, or is none.
    """
    if curve is not None:
        return curve
    if not is_local(address):
        if token:
            raise SettingsError(f"a token is for this machine only, not for {address!r}", hint="connect with curve=")
        return None
    if token is None:
        file = token_file(address)
        token = os.environ.get(TOKEN_VARIABLE) or (_read_token(file) if file else None)
    if token:
        check_token(token)
    return token or None


def show(socket: zmq.Socket[Any], credential: Credential) -> None:
    """Sets up a client's socket before it connects. Raises: SettingsError for a key file that cannot be read."""
    if isinstance(credential, ClientCurve):
        socket.curve_publickey, socket.curve_secretkey = read_key_pair(credential.own_key)
        socket.curve_serverkey = read_key(credential.server_key)
    elif credential is not None:
        socket.plain_username, socket.plain_password = USER.encode(), credential.encode()


def read_key(path: Path) -> bytes:
    """A public key, as text. Raises: SettingsError."""
    return _read_keys(path)[0]


def read_key_pair(path: Path) -> tuple[bytes, bytes]:
    """A public key and its secret one. Raises: SettingsError."""
    public, secret = _read_keys(path)
    if secret is None:
        raise SettingsError(f"{str(path)!r} holds no secret key", hint="name the file that ends in .key_secret")
    return public, secret


def _host(address: str) -> str:
    """The host of a TCP address in the one way to write it: small letters, no zone. Raises: ValueError."""
    host = urlsplit(address).netloc.rpartition(":")[0].strip("[]").lower()
    try:
        return str(ipaddress.ip_address(host)).partition("%")[0]
    except ValueError:
        return host


def _check_replaceable(path: Path) -> None:
    """Raises: SettingsError for a file that no server wrote."""
    if not path.is_file():
        return
    try:
        held = path.read_bytes()[: _MAX_TOKEN_BYTES + 2]
    except OSError:
        held = b""
    if not re.fullmatch(rb"[!-~]{%d,%d}\n" % (_LIKELY_BYTES, _MAX_TOKEN_BYTES), held):
        raise SettingsError(f"{str(path)!r} is no token file, and would be replaced", hint="name another, or remove it")


def _read_keys(path: Path) -> tuple[bytes, bytes | None]:
    try:
        public, secret = zmq.auth.load_certificate(path)
    except (OSError, ValueError) as exc:
        hint = "zmq.auth.create_certificates makes key files"
        raise SettingsError(f"cannot read the key file {str(path)!r}: {exc}", hint=hint) from exc
    return public, secret


def _read_token(path: Path) -> str | None:
    """None where there is no file. Raises: SettingsError for one that cannot be read."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        hint = f"it is its owner's alone; hand the token over as {TOKEN_VARIABLE}"
        raise SettingsError(f"cannot read the token file {str(path)!r}: {exc}", hint=hint) from exc


def _user_folder() -> Path:
    """Where this user's programs leave what dies with the launch."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
