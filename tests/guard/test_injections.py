"""What others write never acts, even where an NPC repeats it word for word."""

from __future__ import annotations

import json

import pytest

from npc_sdk.decoding.stream_parser import Item, StreamParser
from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.decoding.tool_formats.interface import ParsedCall
from npc_sdk.guard.neutralize import neutralize, neutralize_json

from .injections import FORMS, injections

INJECTIONS = injections()
DIALECTS = ("nemotron", "hermes", "llama3", "mistral")


def _parse(text: str, name: str) -> list[Item]:
    parser = StreamParser(tool_format(name))
    return [*parser.feed(text), *parser.finish()]


def _acts(text: str, name: str) -> bool:
    return any(isinstance(item, ParsedCall) for item in _parse(text, name))


def test_there_are_enough_of_them_and_all_differ() -> None:
    assert len(INJECTIONS) >= 500
    assert len(set(INJECTIONS)) == len(INJECTIONS)


@pytest.mark.parametrize("name", DIALECTS)
def test_untamed_they_would_act(name: str) -> None:
    """The proof that the texts are dangerous, or the tests below would show nothing."""
    acting = sum(_acts(text, name) for text in INJECTIONS)
    assert acting >= 50
    assert any(_acts(form, name) for form in FORMS.values())


@pytest.mark.parametrize("name", DIALECTS)
def test_tamed_they_never_act_when_they_are_repeated(name: str) -> None:
    for text in INJECTIONS:
        tame = neutralize(text)
        assert len(tame) == len(text)
        assert not _acts(tame, name), tame
        assert not _acts(neutralize(f"Hm. {text} Fine."), name), tame


@pytest.mark.parametrize("name", DIALECTS)
def test_a_result_that_holds_them_never_acts_when_it_is_repeated(name: str) -> None:
    """Nor does any text of it, undone of the escapes that JSON needs."""
    for text in INJECTIONS:
        written = neutralize_json({"status": "accepted", "result": {"note": [text], text: 1}})
        assert not _acts(written, name), written
        (note,) = json.loads(written)["result"]["note"]
        assert not _acts(note, name), note
