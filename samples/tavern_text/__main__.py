"""Starts the sample game: ``python -m samples.tavern_text``; `npc play` calls main as well."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from game_bridge.client import NpcClient
from npc_sdk.errors import NpcError, SettingsError
from samples.tavern_text.evening import FIRST, Evening, load_evening
from samples.tavern_text.game import Game
from samples.tavern_text.play import Play, converse, perform
from samples.tavern_text.screen import Screen
from samples.tavern_text.server import running_server

TITLE = "An evening in Alderwick"
INTERRUPTED = 130
_FOR_THE_SERVER = ("engine", "personas", "settings")


def main(argv: Sequence[str] | None = None) -> int:
    """Plays one evening; the exit code."""
    options = _parser().parse_args(argv)
    screen = Screen()
    with ExitStack() as stack:
        stack.enter_context(_ended_by_signal())
        try:
            if options.transcript:
                screen = Screen(transcript=stack.enter_context(_opened(options.transcript)))
            _play(options, screen)
        except NpcError as error:
            screen.error(error)
            return 1
        except KeyboardInterrupt:
            screen.narrate("The evening was broken off.")
            return INTERRUPTED
    return 0


def _opened(path: Path) -> TextIO:
    """The transcript's file. Raises: SettingsError."""
    try:
        return path.open("w", encoding="utf-8")
    except OSError as exc:
        told = f"cannot write the transcript {str(path)!r}: {exc.strerror}"
        raise SettingsError(told, hint="name a file in a folder that exists") from exc


def _play(options: argparse.Namespace, screen: Screen) -> None:
    evening = _evening(options)
    player = evening.player if evening else options.player
    with _server(options, evening, screen) as (address, token), NpcClient.connect(address, token=token) as client:
        play = Play(Game(), client, screen, player)
        screen.title(evening.title if evening else TITLE, f"{player} arrives as the lamps are lit.")
        if evening:
            perform(play, evening, screen)
        else:
            converse(play, screen)
        screen.summary(play.tally.summary(dict(play.game.state.quests)))


def _evening(options: argparse.Namespace) -> Evening | None:
    """The script to perform; without one, and with nobody at the keyboard, the first."""
    if options.script:
        return load_evening(options.script)
    return None if sys.stdin.isatty() else load_evening(FIRST)


@contextmanager
def _server(options: argparse.Namespace, evening: Evening | None, screen: Screen) -> Iterator[tuple[str, str | None]]:
    """Address and token of the given server, whose token the client finds, or of one started for this evening."""
    if options.address:
        yield options.address, None
        return
    seed = options.seed if options.seed is not None else evening.seed if evening else None
    arguments = [f"--{name}={value}" for name in _FOR_THE_SERVER if (value := getattr(options, name))]
    arguments += [f"--seed={seed}"] if seed is not None else []
    with ExitStack() as stack:
        with screen.waiting("The village wakes up ...") as on_progress:
            reached = stack.enter_context(running_server(arguments, on_progress))
        yield reached


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """A polite kill ends the evening as Ctrl-C does, so that the server is stopped too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m samples.tavern_text", description=TITLE, allow_abbrev=False)
    parser.add_argument("--script", type=Path, help="a written evening; without a terminal, the first one is played")
    parser.add_argument("--seed", type=int, help="draw the characters' words alike each time (default: the script's)")
    parser.add_argument("--engine", help="the server's engine: hearth, scripted or a model's folder")
    parser.add_argument("--personas", type=Path, help="the server's folder of personas")
    parser.add_argument("--settings", type=Path, help="the server's settings file")
    parser.add_argument("--address", help="join a server that runs already, such as tcp://127.0.0.1:5577")
    parser.add_argument("--transcript", type=Path, help="also write the evening to this file")
    parser.add_argument("--player", default="Robin", help="your name")
    return parser


if __name__ == "__main__":
    sys.exit(main())
