"""What an NPC shows: in its place between the words, no part of them, and not forgotten."""

from __future__ import annotations

import pytest

from npc_sdk.events import Emote, Event, Sentence, TextDelta
from npc_sdk.messages import Message
from npc_sdk.session.recall import last_sentence

from .stage import GIVE, end_of, hear, make_session, prompt_of, settled

CASES: dict[str, tuple[str, str, list[tuple[str, str]], list[str], str]] = {
    "in front": ("*smiles* Good day.", "Good day.", [("smiles", "action")], ["Good day."], "*smiles* Good day."),
    "an emotion": ("[happy] Good day.", "Good day.", [("happy", "emotion")], ["Good day."], "[happy] Good day."),
    "at the end": ("Good day. *bows*", "Good day.", [("bows", "action")], ["Good day."], "Good day. *bows*"),
    "within a sentence": ("Well *sighs* no.", "Well no.", [("sighs", "action")], ["Well no."], "Well *sighs* no."),
    "before a stop": ("Well *sighs*. No.", "Well. No.", [("sighs", "action")], ["Well.", "No."], "Well *sighs*. No."),
    "two": (
        "*nods* Aye. [calm] Sit down.",
        "Aye. Sit down.",
        [("nods", "action"), ("calm", "emotion")],
        ["Aye.", "Sit down."],
        "*nods* Aye. [calm] Sit down.",
    ),
    "nothing else": ("*nods*", "", [("nods", "action")], [], "*nods*"),
}


@pytest.mark.parametrize(("written", "heard", "shown", "sentences", "kept"), CASES.values(), ids=CASES)
async def test_what_is_shown_is_not_said_and_is_remembered_where_it_stood(
    written: str, heard: str, shown: list[tuple[str, str]], sentences: list[str], kept: str
) -> None:
    session, engine = make_session([written, "Aye."])
    events = await hear(session, "Good day!")
    assert end_of(events).text == heard
    assert [(event.text, event.kind) for event in events if isinstance(event, Emote)] == shown
    assert [event.text for event in events if isinstance(event, Sentence)] == sentences
    assert session.history[-1].text == kept
    await hear(session, "Well?")
    assert kept in prompt_of(engine.requests[1])


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


async def test_an_emote_stands_between_the_words_where_it_was_written() -> None:
    session, _ = make_session("Come in. *opens the door* Sit down.")
    events = await hear(session)
    at = kinds(events).index("Emote")
    before = "".join(event.text for event in events[:at] if isinstance(event, TextDelta))
    assert before == "Come in."


async def test_an_emote_after_a_call_waits_for_the_game_as_words_do() -> None:
    session, _ = make_session([f"Here. {GIVE} *hands it over*", "*shrugs* None left."])
    events = await hear(session)
    assert [event.text for event in events if isinstance(event, Emote)] == ["shrugs"]
    assert settled(events) == [("give_item", "accepted")]
    assert end_of(events).text == "Here. None left."


async def test_an_emote_does_not_hide_what_was_said_last_from_recall() -> None:
    history = (Message("assistant", "It burned. Ask at the well. *points at the gate*"),)
    assert last_sentence(history) == "Ask at the well."
    assert last_sentence((Message("assistant", "*nods*"),)) == ""
