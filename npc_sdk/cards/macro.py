"""The macros of foreign texts ({{char}}, {{user}}, {{random:…}}), put in words once; none reaches our templates.

Source: Character Card V3 specification, "Curly Braced Syntaxes", and SillyTavern's most used ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from npc_sdk.cards.passage import clean
from npc_sdk.cards.report import Report

PLAYER = "{{ player }}"  # the one variable that an imported greeting uses
_MARK = "\x00"  # stands for the player until the end; clean() has taken every other one out
_MAX_PASSES = 8  # macros inside macros
_MAX_MACROS = 20_000  # of one file: a tenth of a second

_MACRO = re.compile(r"\{\{([^{}]*)\}\}")
_TAG = re.compile(r"<(user|char|bot)>", re.IGNORECASE)
_OPENS_TEMPLATE = re.compile(rf"\{{(?=[{{%#{_MARK}])")
_PLAYER_FIRST = re.compile(rf"(^|[.!?\n][ \"*]{{0,3}}){_MARK}")
_CALLED = re.compile(rf", ?{_MARK}(?=[.!?…])")
_COMMA = re.compile(r"(?<!\\),")
_NAME = re.compile(r"\s*(//|[A-Za-z_]+)\s*(?:::?)?(.*)", re.DOTALL)

_ALSO_CHAR = ("bot", "charifnotgroup", "group", "notchar")
_SILENT = MappingProxyType({"newline": "\n", "trim": "", "noop": ""})


@dataclass(slots=True)
class Macros:
    """Turns the texts of one file into ours. char is what {{char}} stands for; count is of the macros met so far."""

    char: str
    report: Report
    count: int = 0

    def plain(self, text: str, place: str) -> str:
        """A text in which the player is "the player"."""
        resolved = self._resolved(text, place)
        return _PLAYER_FIRST.sub(r"\1The player", resolved).replace(_MARK, "the player")

    def spoken(self, text: str, place: str) -> str:
        """A line of the character's: "Rest, {{user}}." calls nobody by a name."""
        resolved = _CALLED.sub("", self._resolved(text, place))
        return _PLAYER_FIRST.sub(r"\1The player", resolved).replace(_MARK, "the player")

    def template(self, text: str, place: str) -> str:
        """A text that our own templates fill in with the player's name, and that holds no other template."""
        return self._resolved(text, place).replace(_MARK, PLAYER)

    def is_speaker(self, label: str) -> bool:
        """Whether a line's label (``Mara:``) means the character itself."""
        return label.strip().casefold() in {"{{char}}", "<bot>", "<char>", self.char.casefold()}

    def _resolved(self, text: str, place: str) -> str:
        text = clean(text)
        text = _TAG.sub(lambda found: _MARK if found[1].lower() == "user" else self.char, text)
        for _ in range(_MAX_PASSES):
            if "{{" not in text or self.count > _MAX_MACROS:
                break
            text, count = _MACRO.subn(lambda found: self._value(found[1], place), text)
            self.count += count
            if not count:
                break
        if self.count > _MAX_MACROS:
            self.report.left(place, "macros", f"more than {_MAX_MACROS:,} in one file; the others stand as text")
        return clean_braces(text)

    def _value(self, inside: str, place: str) -> str:
        found = _NAME.fullmatch(inside)
        name, rest = (found[1].lower(), found[2]) if found else (inside.strip(), "")
        if name == "user":
            return _MARK
        if name == "char" or name in _ALSO_CHAR:
            return self.char
        if name in _SILENT:
            return _SILENT[name]
        if reader := _READERS.get(name):
            value, why = reader(rest)
            note = self.report.left if not value else self.report.approximated
            note(place, f"{{{{{name}}}}}", why)
            return value
        self.report.left(place, f"{{{{{name[:40]}}}}}", "no such macro with us; taken out")
        return ""


def clean_braces(text: str) -> str:
    """The text with a blank in every pair of signs that could open one of our templates."""
    return _OPENS_TEMPLATE.sub("{ ", text)


def _first_choice(rest: str) -> tuple[str, str]:
    choices = rest.split("::") if "::" in rest else _COMMA.split(rest)
    chosen = choices[0].replace("\\,", ",").strip()
    return chosen, "our texts do not change by chance; the first choice stands" if chosen else "no choice is given"


def _comment(_rest: str) -> tuple[str, str]:
    return "", "a comment; kept out of the prompt"


def _hidden_key(_rest: str) -> tuple[str, str]:
    return "", "a key hidden in a text; add it to the keys of the entry that it should wake"


_READERS: Mapping[str, Callable[[str], tuple[str, str]]] = MappingProxyType(
    {
        "random": _first_choice,
        "pick": _first_choice,
        "roll": lambda _: ("1", "our texts do not change by chance; the lowest number stands"),
        "reverse": lambda rest: (rest[::-1].strip(), "written out backwards"),
        "//": _comment,
        "comment": _comment,
        "hidden_key": _hidden_key,
    }
)
