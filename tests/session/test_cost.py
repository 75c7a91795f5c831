"""What a hint or a word costs the loop does not grow with what was said before, nor with the letters it was said in."""

from __future__ import annotations

import asyncio

import pytest

from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.lore.content import WorldContent
from npc_sdk.messages import Message
from npc_sdk.persona.timeline import ProperName
from npc_sdk.session import Session, ahead, words
from npc_sdk.session.words import MAX_WORDS_CHARS
from npc_sdk.world import World
from tests.effort import effort_below

from .stage import LORE, MARA, WORLD, end_of, failure_of, hear

NAMED = WORLD.model_copy(update={"names": {"Alderwick": ProperName(aliases=("the village", "why"))}})

SAID = {
    "a saying": "\ufdfa",
    "a saying behind a sign": "<\ufdfa",
    "a number in brackets": "[\u2487",
    "markers": "<s>\ufdfa ",
    "Cyrillic": "Где мельница? ",
    "an alias": "why do you ",
}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Session:
    monkeypatch.setattr(ahead, "RESTS", 0)
    content = WorldContent(NAMED, {"mara": MARA}, LORE, tmp_path_factory.mktemp("world"))
    return World(content, ScriptedEngine("Fine.")).talk("mara")


def remember(session: Session, unit: str, exchanges: int) -> None:
    """Lines that are all different, so that no cache knows two of them for one. Mutates: the session."""
    for number in range(exchanges):
        words = f"{number} {unit * (MAX_WORDS_CHARS // len(unit))}"[:MAX_WORDS_CHARS]
        session._history += [Message("user", words), Message("assistant", f"Fine {number}.")]


@pytest.mark.parametrize("unit", SAID.values(), ids=SAID)
async def test_a_hint_after_a_long_conversation(session: Session, unit: str) -> None:
    """As it was, 64 such lines took between a third of a second, in plain English, and six."""
    session.approach()  # what is loaded once is loaded
    await asyncio.sleep(0)
    remember(session, unit, 64)
    with effort_below(0.25):
        session.approach()
    with effort_below(0.1):
        session.typing("Where is ")
    with effort_below(0.2):
        assert end_of(await hear(session, "Where is it?")).text == "Fine."


COSTLY = {
    "many when written out": "\ufdfa" * 7_990,
    "marks": "a" + "\u0301\u0316" * 3_900,
    "marks in disguise": "a" + "\u0f73" * 1_900 + "\uff9e" * 4_190,
}


@pytest.mark.parametrize("text", COSTLY.values(), ids=COSTLY)
async def test_words_that_cost_more_than_they_are_long_are_no_words(session: Session, text: str) -> None:
    with effort_below(0.03):
        session.typing(text)
        failure_of(await hear(session, text))
    engine = session._scene.engine
    assert isinstance(engine, ScriptedEngine)
    assert not engine.prefills
    assert not engine.requests


async def test_words_that_are_typed_are_looked_at_when_the_share_of_hints_allows(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []
    monkeypatch.setattr(ahead, "RESTS", 1e9)
    monkeypatch.setattr(words, "_cost_fault", looked_at.append)
    session.typing("…")  # comes at once, and has to be rested from for years
    for number in range(100):
        session.typing(f"… {number}")
    session.typing("\ud800")  # no share is needed to see what is no text
    assert looked_at == ["…"]


SPELT_OUT = {
    "sayings": "\ufdfa" * 1_333,
    "numbers in brackets": "<⒇" * 4_000,
    "Korean": "닭" * MAX_WORDS_CHARS,
    "marks": ("a" + "\u0f73" * 15) * 480,
    "letters that are all different": "".join(map(chr, range(0xAC00, 0xAC00 + MAX_WORDS_CHARS))),
}


@pytest.mark.parametrize("text", SPELT_OUT.values(), ids=SPELT_OUT)
async def test_words_that_are_the_longest_when_written_out_cost_no_more(session: Session, text: str) -> None:
    assert end_of(await hear(session, "Hello?")).text == "Fine."
    with effort_below(0.15):
        assert end_of(await hear(session, text)).text == "Fine."
