"""How the evening looks: speech as it comes, acts, refusals, and the timings in a quiet corner.

The same lines go to a transcript where one is kept. Knows no game and no socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from npc_sdk.errors import NpcError
from npc_sdk.events import ReplyFinished

TRANSCRIPT_WIDTH = 100
_COLOURS = ("bright_yellow", "bright_cyan", "bright_magenta", "bright_green", "bright_blue")


class Speech:
    """A character's speech; shown while it grows on a terminal, and once whole everywhere. Ended, it can begin anew."""

    def __init__(self, screen: Screen, name: str) -> None:
        self._screen = screen
        self._name = name
        self._said = ""
        self._live: Live | None = None

    def write(self, piece: str) -> None:
        """Adds a piece."""
        self._said += piece
        console = self._screen.console
        if not console.is_terminal:
            return
        if self._live is None:
            self._live = Live(console=console, transient=True, auto_refresh=False, vertical_overflow="visible")
            self._live.start()
        self._live.update(self._text(), refresh=True)

    def end(self) -> None:
        """Leaves the whole of it on the screen; silence leaves nothing."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._said.strip():
            self._screen.show(self._text())
        self._said = ""

    def _text(self) -> Text:
        name = Text(f"{self._name}: ", style=f"bold {self._screen.colour_of(self._name)}")
        return name.append(self._said.strip(), style="not bold default")


class Screen:
    """Prints for people. transcript, where given, takes the same lines without colour."""

    def __init__(self, console: Console | None = None, transcript: TextIO | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=False)
        self._consoles = [self.console]
        if transcript is not None:
            self._consoles.append(Console(file=transcript, no_color=True, width=TRANSCRIPT_WIDTH, highlight=False))
        self._colours: dict[str, str] = {}

    def show(self, renderable: RenderableType) -> None:
        """On the screen and in the transcript."""
        for console in self._consoles:
            console.print(renderable)

    def title(self, text: str, subtitle: str) -> None:
        """The head of the evening."""
        for console in self._consoles:
            if console.is_terminal:
                console.print(Panel(Text(subtitle, style="italic"), title=text, border_style="yellow"))
            else:
                console.print(Text(f"{text} - {subtitle}"))

    def narrate(self, text: str) -> None:
        """What the game tells."""
        self.show(Text(text, style="italic"))

    def gap(self) -> None:
        """An empty line, before something new."""
        self.show(Text())

    def command(self, text: str) -> None:
        """What a written player does."""
        self.gap()
        self.show(Text(f"> {text}", style="dim"))

    def player(self, name: str, text: str) -> None:
        """What the player says."""
        self.show(Text(f"{name}: ", style="bold").append(text, style="not bold"))

    def speech(self, name: str) -> Speech:
        """Begins a stretch of speech."""
        return Speech(self, name)

    def act(self, notice: str) -> None:
        """Something that a character did."""
        self.show(Text(f"  {self._mark('⚒', '*')} {notice}", style="green"))

    def refusal(self, what: str, reason: str) -> None:
        """Something that a character wanted to do and could not."""
        self.show(Text(f"  {self._mark('✗', 'x')} {what}: {reason}", style="red"))

    def corner(self, reply: ReplyFinished) -> None:
        """The timings of a reply, out of the way."""
        tokens, decode_s = reply.usage.completion_tokens, reply.timings.decode_s
        speed = f"{self._mark('·', '-')} {(tokens - 1) / decode_s:.0f} tokens/s" if tokens > 1 and decode_s > 0 else ""
        line = f"{reply.timings.first_token_s:.2f} s to the first token {speed}".rstrip()
        for console in self._consoles:
            console.print(Text(line, style="dim"), justify="right" if console.is_terminal else None)

    def error(self, error: NpcError) -> None:
        """What went wrong, and what can be done."""
        self.show(Text(f"{self._mark('✗', 'x')} {str(error).removesuffix(f' ({error.hint})')}", style="bold red"))
        if error.hint:
            self.show(Text(f"  {error.hint}", style="dim"))

    def summary(self, rows: Sequence[tuple[str, str]]) -> None:
        """The table at the end."""
        table = Table.grid(padding=(0, 2))
        for name, value in rows:
            table.add_row(Text(name, style="bold"), Text(value))
        self.show(Text("\nThe evening in figures", style="bold yellow"))
        self.show(table)

    @contextmanager
    def waiting(self, text: str) -> Iterator[Callable[[str], None]]:
        """Shows that something takes its time; the yielded function says how far it is. Plain output says it once."""
        if not self.console.is_terminal:
            self.console.print(Text(text))
            yield lambda _: None
            return
        with self.console.status(Text(text)) as status:
            yield lambda news: status.update(Text(f"{text} {news}"))

    def colour_of(self, name: str) -> str:
        """Each character keeps the colour it first got."""
        return self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])

    def _mark(self, sign: str, plain: str) -> str:
        """The sign where the output can carry it."""
        return sign if "utf" in self.console.encoding.lower() else plain
