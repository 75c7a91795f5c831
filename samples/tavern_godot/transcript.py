"""The evening in readable lines: who said and did what, and how it was settled. Made from the game's JSON lines.

Knows the entries that the game prints (tavern.gd, evening.gd). Called by __main__.py and the tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Entry: TypeAlias = Mapping[str, Any]
KINDS = ("entry", "step", "restart", "closing")
_WIDTH = 8


def read_line(line: str) -> tuple[str, dict[str, Any]] | None:
    """Kind and content of one of the game's own lines; None for the engine's."""
    kind, _, rest = line.partition(" ")
    if kind not in KINDS or not rest.startswith("{"):
        return None
    return kind, json.loads(rest)


def told(kind: str, entry: Entry) -> str:
    """A line of the transcript."""
    if kind == "step":
        return f"          -- {entry['about']}: {entry['fault'] or 'ok'}"
    if kind == "restart":
        return _line("server", "is killed and started anew")
    if kind == "closing":
        return f"{entry['asked']} requests, {entry['ended']} ends, {entry['faults']} expectations not met"
    return _TOLD[entry["kind"]](entry)


def _line(who: str, what: str) -> str:
    return f"{who.capitalize():<{_WIDTH}}  {what}"


def _end(entry: Entry) -> str:
    if entry["how"] == "failed":
        return _line(entry["who"], f"{entry['text']}   [failed: {entry['code']}: {entry['why']}]")
    mark = "" if entry["how"] == "stop" else f"   [{entry['how']}]"
    return _line(entry["who"], f"{entry['text']}{mark}")


def _act(entry: Entry) -> str:
    content = entry["content"]
    return _line(entry["who"], f"-> {entry['text']}: {entry['status']}" + (f" ({content})" if content else ""))


_TOLD: Mapping[str, Callable[[Entry], str]] = {
    "status": lambda e: _line("game", f"({e['text']})"),
    "near": lambda e: _line("robin", f"(comes near {e['text'].capitalize()})"),
    "say": lambda e: _line("robin", f"to {e['to'].capitalize()}: {e['text']}"),
    "pick": lambda e: _line("robin", f"(picks up: {e['text']})"),
    "bring": lambda e: _line("robin", f"(hands {e['to'].capitalize()}: {e['text']})"),
    "confirm": lambda e: _line("robin", f"(asked: {e['text']}) {'agrees' if e['agreed'] else 'declines'}"),
    "greeting": lambda e: _line(e["who"], f"{e['text']}   [greeting]"),
    "emote": lambda e: _line(e["who"], f"*{e['text']}*"),
    "feels": lambda e: _line(e["who"], f"({e['text']})"),
    "done": lambda e: _line(e["who"], f"[seen] {e['text']}"),
    "act": _act,
    "end": _end,
}
