"""``python -m samples.tavern_godot``: the tavern in a window; with --evening a script plays it and tells of it."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from game_bridge.plugins.godot import Version
from npc_sdk.errors import NpcError
from samples.tavern_godot.picture import make_small
from samples.tavern_godot.process import Server, engine_for, exit_code, running_game, version_for
from samples.tavern_godot.project import make_personas, make_project
from samples.tavern_godot.transcript import read_line, told

SCRIPTED = ("-m", "samples.tavern_godot.server")
SERVE = ("-m", "npc_sdk.cli", "serve", "--until-input-closes")
TIME_LIMIT_S, MODEL_TIME_LIMIT_S = 120.0, 900.0
_PATIENCE_S, _MODEL_PATIENCE_S = 50.0, 180.0  # for one step of the evening
_START_S = 300.0  # a large model on a slow disk
_LAST_LINES = 10  # of the engine, told where it fails
INTERRUPTED = 130
FAULT = "SCRIPT ERROR"  # how the engine begins its words on a mistake in the game's own code


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 where the window was closed, or all that the evening expected came about."""
    options = _parser().parse_args(argv)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a polite kill leaves nothing behind
    try:
        if options.project:
            return _write(options.project, options.godot or version_for(has_window=True))
        return _play(options)
    except NpcError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)


def _write(project: Path, version: Version) -> int:
    """Raises: OSError."""
    make_project(project, version)
    make_personas(project / "personas")
    print(f"{project}: open it in Godot {version}, and run npc serve --personas {project / 'personas'}")
    return 0


def _play(options: argparse.Namespace) -> int:
    """Raises: NpcError where something is not installed, does not start or takes too long."""
    has_window = not options.evening or bool(options.pictures)
    version = options.godot or version_for(has_window=has_window)
    engine = engine_for(version, has_window=has_window, is_pictured=bool(options.pictures))
    limit_s = options.time_limit or (TIME_LIMIT_S if options.scripted else MODEL_TIME_LIMIT_S)
    with tempfile.TemporaryDirectory(prefix="tavern-") as folder:
        project, personas = Path(folder, "game"), Path(folder, "personas")
        make_project(project, version)
        make_personas(personas)
        with Server(_server_arguments(options, personas), min(limit_s, _START_S)) as server:
            deadline = time.monotonic() + limit_s if options.evening else None
            code = _watch(options, server, engine, project, deadline)
    if options.pictures:
        for picture in sorted(options.pictures.glob("*.png")):
            make_small(picture)
    return code


def _watch(
    options: argparse.Namespace, server: Server, engine: Sequence[str], project: Path, deadline: float | None
) -> int:
    """Tells the game's lines, and restarts the server where the script says so; the game's exit code."""
    arguments = _game_arguments(options, server.address)
    with running_game(engine, project, arguments, server.token, deadline) as (process, lines):
        faults = 0
        unread: deque[str] = deque(maxlen=_LAST_LINES)
        for line in lines:
            entry = read_line(line)
            if entry is not None:
                print(told(*entry), flush=True)
                if entry[0] == "restart":
                    server.restart()
            elif line.startswith(FAULT):
                faults += 1
                print(line, file=sys.stderr)
            else:
                unread.append(line)
        code = exit_code(process)
        if code != 0 and unread:
            print("the engine's last words:", *unread, sep="\n", file=sys.stderr)
        return code or int(faults > 0)


def _server_arguments(options: argparse.Namespace, personas: Path) -> list[str]:
    if options.scripted:
        return [*SCRIPTED, "--personas", str(personas)]
    engine = ["--engine", options.engine] if options.engine else []
    return [*SERVE, "--personas", str(personas), "--seed", str(options.seed), *engine]


def _game_arguments(options: argparse.Namespace, address: str) -> list[str]:
    """What tavern.gd and evening.gd read."""
    arguments = [f"--tavern-address={address}"]
    if options.evening:
        patience_s = _PATIENCE_S if options.scripted else _MODEL_PATIENCE_S
        arguments += ["--tavern-evening=1", f"--tavern-patience={patience_s}"]
        arguments += [f"--tavern-speed={1.6 if options.pictures else 5}"]
        arguments += ["--tavern-scripted=1"] if options.scripted else []
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        arguments.append(f"--tavern-pictures={options.pictures.resolve()}")
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m samples.tavern_godot", description=__doc__, allow_abbrev=False)
    parser.add_argument("--godot", choices=("3", "4"), help="its version; else 3 where that is installed, or 4")
    parser.add_argument("--scripted", action="store_true", help="NPCs without a model, who always say the same")
    parser.add_argument("--engine", help="the server's engine; hearth where not given")
    parser.add_argument("--seed", type=int, default=7, help="draw the NPCs' words alike each time")
    parser.add_argument("--evening", action="store_true", help="have a script play, and print what happened")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="with --evening: in a window, and keep pictures")
    parser.add_argument("--time-limit", type=float, help="seconds that an evening may take")
    parser.add_argument("--project", type=Path, metavar="FOLDER", help="only write the project, to open it in Godot")
    return parser


if __name__ == "__main__":
    sys.exit(main())
