"""Speech is cut into the same sentences however it arrives, and nothing of it is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npc_sdk.decoding.sentence import MAX_SENTENCE_CHARS, SentenceCutter

CASES = {
    "nothing": ("", []),
    "one": ("Good day.", ["Good day."]),
    "without a stop": ("Good day", ["Good day"]),
    "two": ("Good day. Come in!", ["Good day.", "Come in!"]),
    "question": ("What? Who? You.", ["What?", "Who?", "You."]),
    "several signs": ("What?! No!!! Yes.", ["What?!", "No!!!", "Yes."]),
    "abbreviation": ("Mr. Varn paid Dr. Holt. Good.", ["Mr. Varn paid Dr. Holt.", "Good."]),
    "initials": ("J. R. Stone made it. Truly.", ["J. R. Stone made it.", "Truly."]),
    "the word I": ("It was I. You know it.", ["It was I.", "You know it."]),
    "latin": ("Bring wood, e.g. Oak or ash. Now.", ["Bring wood, e.g. Oak or ash.", "Now."]),
    "not an abbreviation": ("I am the best. Sit.", ["I am the best.", "Sit."]),
    "number": ("It costs 3.5 coins. No less.", ["It costs 3.5 coins.", "No less."]),
    "ellipsis inside": ("Well... maybe. We see.", ["Well... maybe.", "We see."]),
    "ellipsis at the end": ("Well… Maybe.", ["Well…", "Maybe."]),
    "quoted sentence": ('"Stop." Then he left.', ['"Stop."', "Then he left."]),
    "quote inside": ("'Stop!' he said. I ran.", ["'Stop!' he said.", "I ran."]),
    "opening quote": ("He spoke. “Go.” I went.", ["He spoke.", "“Go.”", "I went."]),
    "brackets": ("(It is late.) Go home.", ["(It is late.)", "Go home."]),
    "line break": ("First line\nSecond line", ["First line", "Second line"]),
    "stop and line break": ("First.\nsecond", ["First.", "second"]),
    "chinese": ("你好。请进！好吗？", ["你好。", "请进！", "好吗？"]),
    "japanese quote": ("「行け。」彼は言った。", ["「行け。」", "彼は言った。"]),
    "signs alone": ("...", ["..."]),
    "blanks": ("  \n ", []),
}


def cut(*chunks: str) -> list[str]:
    cutter = SentenceCutter()
    return [sentence for chunk in chunks for sentence in cutter.feed(chunk)] + cutter.finish()


@pytest.mark.parametrize(("speech", "sentences"), CASES.values(), ids=CASES)
def test_speech_is_cut_the_same_at_every_split(speech: str, sentences: list[str]) -> None:
    assert cut(speech) == cut(*speech) == sentences
    for at in range(len(speech) + 1):
        assert cut(speech[:at], speech[at:]) == sentences, at


def test_a_sentence_goes_out_when_the_next_begins() -> None:
    cutter = SentenceCutter()
    assert cutter.feed("Good day.") == []
    assert cutter.feed(" ") == []
    assert cutter.feed("C") == ["Good day."]
    assert cutter.finish() == ["C"]
    assert cutter.finish() == []


def test_a_speech_without_stops_is_cut_between_words() -> None:
    speech = "word " * 300
    sentences = cut(speech)
    assert sentences == cut(*speech)
    assert all(len(sentence) <= MAX_SENTENCE_CHARS for sentence in sentences)
    assert set(" ".join(sentences).split()) == {"word"}
    assert len(cut("x" * 1000)) == 3


@given(st.text(alphabet="ab AB.!?…。「」\"'\n,MrI1", max_size=900), st.lists(st.integers(0, 900), max_size=5))
def test_nothing_is_lost_and_chunks_do_not_matter(speech: str, cuts: list[int]) -> None:
    ends = sorted({min(at, len(speech)) for at in cuts} | {0, len(speech)})
    chunks = [speech[start:end] for start, end in pairwise(ends)]
    sentences = cut(*chunks)
    assert sentences == cut(speech)
    assert "".join("".join(sentences).split()) == "".join(speech.split())
    assert all(sentence and sentence == sentence.strip() for sentence in sentences)
