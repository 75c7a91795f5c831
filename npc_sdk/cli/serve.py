"""`npc serve`: a world behind the socket, for a game in another process.

Prints ``loading DONE/TOTAL WHAT`` lines, where a token was made ``token FILE``, and one ``ready ADDRESS`` line; games
that start the server wait for it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npc_sdk.cli import option
from npc_sdk.errors import NpcError, SettingsError

if TYPE_CHECKING:
    from game_bridge.server import BridgeServer
    from game_bridge.settings import BridgeSettings
    from npc_sdk.settings import ServerSettings
    from npc_sdk.watch import Reload
    from npc_sdk.world import World

_CLOSED_TERMINAL = [getattr(signal, name) for name in ("SIGHUP", "SIGBREAK") if hasattr(signal, name)]


def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen; beyond this machine keys are needed.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes any free port.", min=0, max=65535)] = None,
    engine: option.Engine = None,
    personas: option.Personas = None,
    seed: option.Seed = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write the address here once clients can connect.", metavar="FILE")
    ] = None,
    until_input_closes: Annotated[
        bool, typer.Option("--until-input-closes", help="Stop when standard input closes, as it does if the game dies.")
    ] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(help="Leave the token for clients here, not in your cache folder.", metavar="FILE"),
    ] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Let any program of this machine connect, without a token.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Play edits of the characters' files at once, between two turns.")
    ] = False,
    settings: option.SettingsFile = None,
) -> None:
    """Serve the characters to a game. Ctrl-C stops; open replies are ended first.

    Prints "ready ADDRESS" when clients can connect. They show the token of NPC_SERVER_TOKEN, or else one that is
    made for this launch: "token FILE" says where it lies, for this user only.
    """
    from npc_sdk.cli.assembly import open_isolated_world, read_settings

    if no_auth and token_file is not None:
        raise SettingsError(
            "--no-auth asks for no token, and --token-file wants one kept", hint="leave one of them out"
        )
    chosen = read_settings(settings, engine=engine, personas=personas)
    at = (host or chosen.server.host, chosen.server.port if port is None else port)
    bridge = _bridge_settings(*at, chosen.server, no_auth)
    door = _Door(bridge, token_file, is_made=chosen.server.token is None)
    is_kept = chosen.session.fronts_dir is not None

    async def run() -> None:
        world = await open_isolated_world(chosen, _print_progress, seed=seed)
        await _serve(world, bridge, door, ready_file, until_input_closes, warms_up=is_kept, watches=watch)

    asyncio.run(run())


def _bridge_settings(host: str, port: int, server: ServerSettings, allows_all: bool) -> BridgeSettings:
    """Raises: SettingsError for one half of the keys, or an address that needs them."""
    from game_bridge.credential import ServerCurve, new_token
    from game_bridge.settings import BridgeSettings

    key, clients = server.curve_key, server.curve_clients
    if (key is None) != (clients is None):
        raise SettingsError("server.curve_key and server.curve_clients belong together", hint="set both or neither")
    return BridgeSettings(
        address=f"tcp://{host}:{port or '*'}",
        token=new_token() if server.token is None else server.token,
        allow_anonymous=allows_all,
        curve=ServerCurve(key, clients) if key and clients else None,
    )


@dataclass(frozen=True, slots=True)
class _Door:
    """How clients of this launch learn its token: from a file, unless they were told it before."""

    settings: BridgeSettings
    file: Path | None
    is_made: bool

    @contextmanager
    def open(self, address: str) -> Iterator[None]:
        """The token's file lies there for as long as the block runs. Raises: SettingsError."""
        from game_bridge.credential import forget_token, token_file, write_token

        own = token_file(address)
        if own is not None:
            forget_token(own)  # a server that was killed may have left it: nobody but us listens at its address
        file = self.file or (own if self.is_made else None)
        if self.settings.allow_anonymous:
            typer.echo("WARNING: --no-auth lets any program of this machine talk to the characters", err=True)
        if file is None or self.settings.allow_anonymous or self.settings.curve is not None:
            yield
            return
        write_token(file, self.settings.token)
        typer.echo(f"token {file}")
        try:
            yield
        finally:
            forget_token(file, self.settings.token)


def _print_progress(done: int, total: int, what: str) -> None:
    typer.echo(f"loading {done}/{total} {what}")


async def _serve(
    world: World,
    settings: BridgeSettings,
    door: _Door,
    ready_file: Path | None,
    until_input_closes: bool,
    *,
    warms_up: bool,
    watches: bool,
) -> None:
    """Serves until a signal, the end of input, or a fault of the server's own."""
    from game_bridge.server import BridgeServer

    stop = asyncio.Event()
    _stop_on_signals(stop)
    if until_input_closes:
        _stop_on_closed_input(stop)
    try:
        if warms_up:
            await _warm_up(world)
        async with BridgeServer(world, settings) as server:
            with door.open(server.address):
                _announce(server.address, ready_file)
                await _until_stopped(server, stop, _follow_edits(world, server) if watches else None)
    finally:
        await world.close()


async def _warm_up(world: World) -> None:
    """Reads every character's prompt from the folder of fronts, or makes it for the next start."""
    for done, npc_id in enumerate(world.cast, 1):
        _print_progress(done, len(world.cast), npc_id)
        try:
            await world.warmup(npc_id)
        except NpcError as exc:  # its first reply takes longer, or says what is wrong
            typer.echo(f"{npc_id} was not warmed up: {exc}", err=True)


async def _follow_edits(world: World, server: BridgeServer) -> None:
    """Plays edits and tells of them: on the terminal, and to the clients that want to know. Raises: SettingsError."""
    from game_bridge.edit import edited_message
    from npc_sdk.watch import watch

    def tell(reload: Reload) -> None:
        for problem in reload.problems:
            typer.echo(str(problem), err=True)
        if reload.change is not None:
            typer.echo(f"reloaded: {reload.change}")
        server.announce(edited_message(reload.change, reload.problems, world.cast))

    await watch(world, tell)


async def _until_stopped(server: BridgeServer, stop: asyncio.Event, follow: Coroutine[None, None, None] | None) -> None:
    """Raises: whatever broke the server, or keeps its files from being watched."""
    tasks = [asyncio.create_task(server.wait()), asyncio.create_task(_wait(stop))]
    tasks += [asyncio.create_task(follow)] if follow else []
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    for task in done:
        task.result()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _announce(address: str, ready_file: Path | None) -> None:
    """Says that clients can connect; the file appears whole or not at all."""
    if ready_file is not None:
        partial = ready_file.with_name(f"{ready_file.name}.partial")
        try:
            partial.write_text(f"{address}\n", encoding="utf-8")
            partial.replace(ready_file)
        except OSError as exc:
            hint = "name a file in a folder that exists"
            raise SettingsError(f"cannot write the ready file {str(ready_file)!r}: {exc}", hint=hint) from exc
    typer.echo(f"ready {address}")


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Also when its terminal is closed, unless whoever started us had that ignored, as nohup does."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, *_CLOSED_TERMINAL):
        if number not in _CLOSED_TERMINAL or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


def _stop_on_closed_input(stop: asyncio.Event) -> None:
    """A thread of its own, since a read from a pipe cannot be awaited everywhere."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, daemon=True).start()
