"""How a conversation looks in a terminal: speech as it grows, acts, timings in a quiet corner. Plain where piped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from npc_sdk.cli.assembly import Progress
from npc_sdk.events import Emote, Event, ReplyFailed, ReplyFinished, Sentence, TextDelta, ToolSettled
from npc_sdk.messages import FunctionCall

_SPEECH = "not bold default"


class Terminal:
    """Shows one character's replies on one console."""

    def __init__(self, name: str, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._name = name
        self._said = Text(style=_SPEECH)
        self._live: Live | None = None

    def show(self, event: Event) -> None:
        """Shows one event of a reply; what was said until then stays on the screen."""
        if isinstance(event, TextDelta):
            self._grow(event.text)
        elif isinstance(event, Emote):
            shown = event.text if self.console.is_terminal else f"*{event.text}*"
            self._grow(f" {shown} ", "italic")
        elif not isinstance(event, Sentence):  # a sentence brings no words that were not shown already
            self.settle()
            self._tell(event)

    def say(self, text: str) -> None:
        """A whole stretch of speech at once."""
        self._said.append(text)
        self.settle()

    def call(self, call: FunctionCall) -> None:
        """An act that the character asks for."""
        self.settle()
        arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
        self.console.print(Text(f"  {self._name} asks for {call.name}({arguments})", style="yellow"))

    def settle(self) -> None:
        """Ends the stretch of speech and leaves it on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._said.plain.strip():
            self.console.print(self._speech())
        self._said = Text(style=_SPEECH)

    def _grow(self, piece: str, style: str = "") -> None:
        """Redraws the stretch while it grows; piped output waits for the whole of it."""
        is_set_off = self._said.plain[-1:] in ("", " ")
        self._said.append(piece.lstrip(" ") if is_set_off else piece, style)
        if not self.console.is_terminal:
            return
        if self._live is None:
            self._live = Live(console=self.console, transient=True, auto_refresh=False, vertical_overflow="visible")
            self._live.start()
        self._live.update(self._speech(), refresh=True)

    def _tell(self, event: Event) -> None:
        """What is not speech: how an act ended, how the reply ended."""
        if isinstance(event, ToolSettled):
            result = event.result
            colour = "green" if result.status == "accepted" else "red"
            told = "" if result.content is None else f": {result.content}"
            self.console.print(Text(f"  {result.name} {result.status}{told}", style=colour))
        elif isinstance(event, ReplyFinished):
            self._corner(event)
        elif isinstance(event, ReplyFailed):
            if event.bark:
                self.console.print(Text(f"{self._name}: {event.bark}", style="dim"))
            self.console.print(Text(f"  {event.error}", style="bold red"))

    def _speech(self) -> Text:
        said = self._said.copy()
        said.rstrip()
        return Text.assemble((f"{self._name}: ", "bold bright_cyan"), said)

    def _corner(self, reply: ReplyFinished) -> None:
        tokens, timings = reply.usage.completion_tokens, reply.timings
        speed = f", {(tokens - 1) / timings.decode_s:.0f} tokens/s" if tokens > 1 and timings.decode_s > 0 else ""
        line = f"{timings.first_token_s:.2f} s to the first token{speed}"
        self.console.print(Text(line, style="dim"), justify="right" if self.console.is_terminal else None)


@contextmanager
def loading(console: Console, name: str) -> Iterator[Progress]:
    """Shows how far a model is loaded; the yielded function is told. Piped output stays silent."""
    if not console.is_terminal:
        yield lambda _done, _total, _what: None
        return
    with console.status(Text(f"loading {name}")) as status:
        yield lambda done, total, what: status.update(Text(f"loading {name}  {done}/{total}  {what}"))
