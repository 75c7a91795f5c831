"""The server as a process: it says when it is ready, and it ends when it should."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from test_npc_command import ENVIRON, npc

from game_bridge.client import NpcClient
from npc_sdk.errors import AuthenticationFailed

PATIENCE_S = 60.0
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


def start(*arguments: str, environ: Mapping[str, str] = ENVIRON, heeds_hangups: bool = True) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "npc_sdk.cli", "serve", "--engine", "scripted", "--port", "0", *arguments]
    pipe = subprocess.PIPE
    with _inheriting(signal.SIG_DFL if heeds_hangups else signal.SIG_IGN):
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={**ENVIRON, **environ})


@contextlib.contextmanager
def _inheriting(heed: signal.Handlers) -> Iterator[None]:
    """A child ignores the hang-ups that its parent ignores, and so may whatever runs these tests."""
    if sys.platform == "win32":
        yield
        return
    before = signal.signal(signal.SIGHUP, heed)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def token_in(folder: Path) -> str:
    """Of the only server that keeps its token there."""
    (file,) = (folder / "npc-sdk").iterdir()
    return file.read_text(encoding="ascii").strip()


def address_of(server: subprocess.Popen[str], host: str = "127.0.0.1") -> str:
    """Waits for the ready line, behind the one that says where the token lies."""
    assert server.stdout is not None
    assert server.stdout.readline().startswith("token ")
    line = server.stdout.readline()
    assert line.startswith(f"ready tcp://{host}:"), server.communicate(timeout=PATIENCE_S)
    return line.split()[1]


@posix_only
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signal_ends_the_server_in_order(name: str, tmp_path: Path) -> None:
    number = signal.Signals[name]
    cache = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with start(environ=cache) as server:
        address = address_of(server)
        token = token_in(tmp_path)
        with NpcClient.connect(address, token=token, timeout_s=PATIENCE_S) as client:
            assert client.talk("pip").say("Hello.").read() == "I have nothing to say."
            server.send_signal(number)
            _, complaints = server.communicate(timeout=PATIENCE_S)
    assert (server.returncode, complaints) == (0, "")
    assert list((tmp_path / "npc-sdk").iterdir()) == []


@posix_only
def test_a_closed_terminal_ends_no_server_that_was_started_to_outlive_it() -> None:
    server = start("--until-input-closes", heeds_hangups=False)
    with server:
        address = address_of(server)
        server.send_signal(signal.SIGHUP)
        with NpcClient.connect(address, timeout_s=PATIENCE_S) as client:
            client.ping()
        _, complaints = server.communicate(timeout=PATIENCE_S)
    assert (server.returncode, complaints) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere this machine has one address of the kind")
def test_servers_that_share_a_port_number_share_no_token(tmp_path: Path) -> None:
    cache = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with start("--until-input-closes", environ=cache) as first:
        address = address_of(first)
        port, token = address.rpartition(":")[2], token_in(tmp_path)
        with start("--until-input-closes", "--host", "127.0.0.2", "--port", port, environ=cache) as second:
            assert address_of(second, "127.0.0.2") == f"tcp://127.0.0.2:{port}"
            names = sorted(file.name for file in (tmp_path / "npc-sdk").iterdir())
            assert names == [f"{port}.token", f"{port}@127.0.0.2.token"]
            second.communicate(timeout=PATIENCE_S)
        assert token_in(tmp_path) == token
        first.communicate(timeout=PATIENCE_S)
    assert list((tmp_path / "npc-sdk").iterdir()) == []


def test_closed_input_ends_the_server() -> None:
    with start("--until-input-closes") as server:
        address_of(server)
        _, complaints = server.communicate(timeout=PATIENCE_S)
    assert (server.returncode, complaints) == (0, "")


def test_a_token_is_made_for_the_launch_and_lies_where_the_user_wants_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with start("--until-input-closes", "--token-file", str(file)) as server:
        address = address_of(server)
        token = file.read_text(encoding="ascii").strip()
        with pytest.raises(AuthenticationFailed):
            NpcClient.connect(address, token="", timeout_s=PATIENCE_S)
        with NpcClient.connect(address, token=token, timeout_s=PATIENCE_S) as client:
            client.ping()
        said, complaints = server.communicate(timeout=PATIENCE_S)
    assert token not in said + complaints
    assert list(tmp_path.iterdir()) == []


def test_the_environment_hands_a_token_over_and_no_file_is_made(tmp_path: Path) -> None:
    environ = {"NPC_SERVER_TOKEN": "s3cret", "XDG_RUNTIME_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    with start("--until-input-closes", environ=environ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().removeprefix("ready ").strip()
        with NpcClient.connect(address, token="s3cret", timeout_s=PATIENCE_S) as client:
            client.ping()
        said, complaints = server.communicate(timeout=PATIENCE_S)
    assert "s3cret" not in said + complaints
    assert list(tmp_path.iterdir()) == []


def test_anybody_is_let_in_only_with_a_loud_word() -> None:
    with start("--until-input-closes", "--no-auth") as server:
        assert server.stdout is not None
        address = server.stdout.readline().removeprefix("ready ").strip()
        with NpcClient.connect(address, timeout_s=PATIENCE_S) as client:
            client.ping()
        _, complaints = server.communicate(timeout=PATIENCE_S)
    assert "WARNING: --no-auth" in complaints


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("host: 0.0.0.0", "other machines"),
        ("curve_key: server.key_secret", "belong together"),
        ("curve_key: none.key_secret, curve_clients: .", "*.key"),
        ("token: ''", "visible ASCII"),
    ],
    ids=["open to all", "half of the keys", "no keys", "an empty token"],
)
def test_mistakes_about_who_may_connect_are_told(told: str, words: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"server: {{{told}}}\n", encoding="utf-8")
    done = npc("serve", "--engine", "scripted", "--port", "0", "--settings", str(settings), cwd=tmp_path)
    assert done.returncode == 1
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_ready_file_holds_the_address(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with start("--until-input-closes", "--ready-file", str(ready)) as server:
        address = address_of(server)
        assert ready.read_text(encoding="utf-8") == f"{address}\n"
        server.communicate(timeout=PATIENCE_S)
    assert list(tmp_path.iterdir()) == [ready]


def test_warmed_up_characters_are_kept_for_the_next_start(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"session: {{fronts_dir: {tmp_path / 'fronts'}}}\nserver: {{port: 0}}\n", encoding="utf-8")
    for _ in range(2):
        command = [sys.executable, "-m", "npc_sdk.cli", "serve", "--until-input-closes", "--settings", str(settings)]
        done = subprocess.run(
            command, input="", capture_output=True, text=True, env=ENVIRON, check=False, timeout=PATIENCE_S
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "5/5 tobin" in done.stdout
        kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "fronts").iterdir()}
        assert len(kept) == 5
    assert all(name.endswith(".front") for name in kept)


def test_busy_port_is_told() -> None:
    with start("--until-input-closes") as server:
        port = address_of(server).rpartition(":")[2]
        done = npc("serve", "--engine", "scripted", "--port", port)
        server.communicate(timeout=PATIENCE_S)
    assert done.returncode == 1
    assert port in done.stderr
    assert "Traceback" not in done.stderr
