"""What a parser makes of a text, in the form in which it does not depend on the chunks."""

from __future__ import annotations

from npc_sdk.decoding.marker import Mark, MarkerFinder
from npc_sdk.decoding.stream_parser import MAX_HELD_CHARS, Item, Speech, StreamParser
from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.decoding.tool_formats.reader import MAX_CALL_CHARS

DIALECTS = ("nemotron", "hermes", "llama3", "mistral")


def said(text: str) -> list[Item]:
    return [Speech(text)] if text else []


def joined(items: list[Item]) -> list[Item]:
    """Neighbouring pieces of speech as one: only where they are cut depends on the chunks."""
    out: list[Item] = []
    for item in items:
        if isinstance(item, Speech) and out and isinstance(out[-1], Speech):
            out[-1] = Speech(out[-1].text + item.text)
        else:
            out.append(item)
    return out


def parse(*chunks: str, name: str = "nemotron", is_continuing: bool = False) -> list[Item]:
    parser = StreamParser(tool_format(name), is_continuing=is_continuing)
    items = [item for chunk in chunks for item in parser.feed(chunk)]
    return joined(items + parser.finish())


def positions(text: str) -> list[int]:
    """All of them, or for a very long text those near its ends and its limits."""
    near = MAX_HELD_CHARS + 30
    return [
        at for at in range(len(text) + 1) if at < near or len(text) - at < near + 510 or abs(at - MAX_CALL_CHARS) < near
    ]


def check_every_split(text: str, items: list[Item], name: str = "nemotron") -> None:
    assert parse(text, name=name) == items
    assert parse(*text, name=name) == items
    for at in positions(text):
        assert parse(text[:at], text[at:], name=name) == items, at


def whole_marks(finder: MarkerFinder, text: str) -> list[Mark]:
    """Every marker that stands in the text from its first character to its last."""
    found = [finder.at(text, at) for at in range(len(text))]
    return [mark for mark in found if mark is not None and mark.kind != "partial"]
