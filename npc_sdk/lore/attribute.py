"""One attribute line of a Markdown section: what it says, and lines that look like one and are none.

Such a line would be told to characters as text, and what it was to bound would be known to all. Called by
lore/markdown.py; what values may be is lore/schema.py's.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from npc_sdk.lore.schema import LoreItem
from npc_sdk.messages import JsonValue
from npc_sdk.persona.problem import name_hint

NAMES = tuple(name for name in LoreItem.model_fields if name != "text")
_LISTS = frozenset({"keys", "secondary_keys", "excluded_keys", "group", "npcs", "factions", "places"})
_TEXTS = frozenset({"id", "logic", "match", "always", "since", "until", "when", "source"})
# Attributes by their letters alone, and by those of one: "npc" is meant as "npcs".
_SINGULAR = {name.removesuffix("s").replace("_", ""): name for name in NAMES if name in _LISTS}
_LETTERS = _SINGULAR | {name.replace("_", ""): name for name in NAMES}

_MAX_ITEMS = 100  # that are looked at: more than any list may hold, of which the model tells

_LINE = re.compile(r"^([a-z_]+):\s*(.*)$")
_LOOSE = re.compile(r"([^:：=]{1,60})[:：=]")
# One item of a list: a pattern between slashes, which may hold commas, or all up to the next comma.
_ITEM = re.compile(r"\s*(/(?:\\.|[^/\\])+/[A-Za-z]*(?=\s*(?:,|$))|[^,]*)")
_NUMBER = re.compile(r"[-+]?[0-9]{1,15}(\.[0-9]{1,15})?")
_WORDS = {"true": True, "false": False}
_QUOTES = (('"', '"'), ("'", "'"), ("“", "”"), ("„", "“"), ("‘", "’"), ("«", "»"))
_ODD = re.compile(r'[\[\];"“”„]')


@dataclass(frozen=True, slots=True)
class Line:
    """An attribute as written. Units: column counts from 0 and is the value's."""

    name: str
    text: str
    column: int

    def fault(self) -> tuple[str, str]:
        """What is wrong with it in itself, and a hint."""
        if self.name not in NAMES:
            return f"unknown attribute {self.name!r}", name_hint(self.name, NAMES, "attributes")
        if not self.text.strip():
            return f"the attribute {self.name!r} has no value", "write one after the ':', or take the line out"
        return "", ""

    @property
    def is_list(self) -> bool:
        """Whether it takes several, with commas between."""
        return self.name in _LISTS

    def value(self) -> JsonValue:
        """What an attribute that is no list says."""
        text = self.text.strip()
        return _unquoted(text)[0] if self.name in _TEXTS else _scalar(text)

    def items(self) -> Iterator[tuple[str, int]]:
        """What a list holds, with the column of each; YAML's brackets and quotes are left out."""
        text, start = self.text, self.column
        inner = text.strip()
        if inner.startswith("[") and inner.endswith("]"):
            start += text.index("[") + 1
            text = inner[1:-1]
        for item, at in itertools.islice(_items(text), _MAX_ITEMS):
            plain, inset = _unquoted(item)
            if plain:
                yield plain, start + at + inset


def attribute_line(line: str) -> Line | None:
    """The attribute that a line is written as, known or not."""
    found = _LINE.match(line)
    return Line(found[1], found[2], found.start(2)) if found else None


def looks_like(line: str) -> tuple[str, int]:
    """The attribute that a line looks like, however it is set, and its column; empty where it looks like none."""
    found = _LOOSE.match(line)
    if found is None or line.lstrip().startswith("<!--"):
        return "", 0
    letters = "".join(sign for sign in found[1].lower() if sign.isalnum()).lstrip("0123456789")
    name = _LETTERS.get(letters, "")
    return name, next(at for at, sign in enumerate(line) if sign.isalpha()) if name else 0


def odd_sign(item: str) -> str:
    """A sign that no name or key holds: a list was written otherwise than with commas. Regular expressions may."""
    found = None if item.startswith("/") else _ODD.search(item)
    return found[0] if found else ""


def _items(text: str) -> Iterator[tuple[str, int]]:
    """The items of a comma-separated list, and where each begins."""
    at = 0
    while at <= len(text):
        found = _ITEM.match(text, at)
        assert found is not None, "the pattern takes any text, if only nothing of it"
        if item := found[1].strip():
            yield item, found.start(1)
        comma = text.find(",", found.end())
        at = comma + 1 if comma >= 0 else len(text) + 1


def _scalar(text: str) -> JsonValue:
    """A word for yes or no, a number, or the text as it is, of which the model will tell."""
    if text in _WORDS:
        return _WORDS[text]
    if found := _NUMBER.fullmatch(text):
        return float(text) if found[1] else int(text)
    return text


def _unquoted(text: str) -> tuple[str, int]:
    """Without quotes around the whole, and what that takes off in front.

    They are YAML's habit; a condition in them would be a text that always holds.
    """
    for first, last in _QUOTES:
        if len(text) > 1 and text[0] == first and text[-1] == last and not {first, last} & set(text[1:-1]):
            return text[1:-1].strip(), 1
    return text, 0
