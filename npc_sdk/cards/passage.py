"""Foreign prose made fit to be kept: cleaned of what no file can hold, cut or split where a sentence ends, named.

Knows no format. Called by the other modules of this package.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_NEWLINES = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]")
_MANY_BLANK_LINES = re.compile(r"\n{3,}")
_END = re.compile(r"[.!?…][\"'”’*)\]]*(?=\s|$)|\n")


def clean(text: str) -> str:
    """The text without control characters and without blanks around its lines."""
    text = _UNPRINTABLE.sub("", _NEWLINES.sub("\n", text)).replace("\t", " ")
    return _MANY_BLANK_LINES.sub("\n\n", "\n".join(line.strip() for line in text.split("\n"))).strip()


def one_line(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())


def cut(text: str, limit: int) -> str:
    """At most limit characters, up to the end of a sentence or at least of a word."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    ends = [found.end() for found in _END.finditer(head)]
    if ends and ends[-1] > limit // 2:
        return head[: ends[-1]].strip()
    blank = max(head.rfind(" "), head.rfind("\n"))
    return head[: blank if blank > limit // 2 else limit].strip()


def split(text: str, limit: int) -> Iterator[str]:
    """The whole text in pieces of at most limit characters, cut where sentences end."""
    while text:
        piece = cut(text, limit)
        yield piece
        text = text[len(piece) :].strip()


def slug(text: str, joint: str, limit: int) -> str:
    """Small Latin letters and digits with a joint between words; empty where there are none."""
    plain = unicodedata.normalize("NFKD", text[:400]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", joint, plain).strip(joint)[:limit].strip(joint)


def unique(name: str, taken: dict[str, int], joint: str, limit: int) -> str:
    """The name, numbered where it is taken. Mutates: taken, which counts how often each name was asked for."""
    chosen, number = name, taken.get(name, 0)
    while chosen in taken:
        number += 1
        tail = f"{joint}{number}"
        chosen = name[: limit - len(tail)] + tail
    taken[name] = max(number, 1)
    taken.setdefault(chosen, 1)
    return chosen


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{count:,} {one if count == 1 else many}"
