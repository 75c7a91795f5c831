"""Where an attribute of an entry stands in its file, for mistakes that show only once everything has been read.

An entry remembers its line and no more, for a world may hold 100,000; whoever has a mistake to tell looks it up here.
Called by lore/scope_check.py and lore/read.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from npc_sdk.errors import ContentError
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.persona.yaml_reader import read_text

_BEGINS = {".md": re.compile(r"## "), ".yaml": re.compile(r"\s*(-\s+)?(\{\s*)?id\s*:")}


def mistake_at(entry: LoreEntry, attribute: str, value: str, message: str, hint: str = "") -> ContentError:
    """A mistake in an attribute, at its value where that is found, else at the entry."""
    line, column = _find(entry, attribute, value)
    return ContentError(message, path=entry.path, line=line, column=column, field=entry.entry_id, hint=hint)


def _find(entry: LoreEntry, attribute: str, value: str) -> tuple[int, int]:
    """Line and column; column 0 where only the entry's line is known."""
    begins = _BEGINS.get(entry.path.suffix)
    if begins is None or not entry.line:
        return entry.line, 0
    try:
        lines = read_text(entry.path).splitlines()
    except ContentError:  # it was there a moment ago
        return entry.line, 0
    first = entry.line - 1
    end = next((at for at in range(first + 1, len(lines)) if begins.match(lines[at])), len(lines))
    for start, stop in ((first, end), (0, first)):  # its own, or what the head of the file gives to all
        if found := _place(lines[start:stop], attribute, value):
            return start + found[0] + 1, found[1] + 1
    return entry.line, 0


def _place(lines: Sequence[str], attribute: str, value: str) -> tuple[int, int] | None:
    """Where a value stands on the attribute's line or under it; the attribute itself where no value is asked for."""
    named = re.compile(rf"(?<![\w-]){re.escape(attribute)}\s*:\s*")
    said = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)")
    for number, line in enumerate(lines):
        found = named.search(line)
        if found is None:
            continue
        if not value:
            return number, found.start()
        for below, text in enumerate(lines[number:]):
            if there := said.search(text, found.end() if not below else 0):
                return number + below, there.start()
    return None
