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
    "joined signs": ("What⁈ No‼ Yes.", ["What⁈", "No‼", "Yes."]),
    "abbreviation": ("Mr. Varn paid Dr. Holt. Good.", ["Mr. Varn paid Dr. Holt.", "Good."]),
    "initials": ("J. R. Stone made it. Truly.", ["J. R. Stone made it.", "Truly."]),
    "initials joined": ("It is J.R. Smith. Truly.", ["It is J.R. Smith.", "Truly."]),
    "initials, Cyrillic": ("Это А. С. Пушкин. Да.", ["Это А. С. Пушкин.", "Да."]),
    "initial in quotes": ("Call “J. Stone” now. Go.", ["Call “J. Stone” now.", "Go."]),
    "the word I": ("It was I. You know it.", ["It was I.", "You know it."]),
    "latin": ("Bring wood, e.g. Oak or ash. Now.", ["Bring wood, e.g. Oak or ash.", "Now."]),
    "not an abbreviation": ("I am the best. Sit.", ["I am the best.", "Sit."]),
    "German": (
        "Bring Holz, z. B. Eiche, für Hr. Kurz bzw. Frau Ott. Ja.",
        ["Bring Holz, z. B. Eiche, für Hr. Kurz bzw. Frau Ott.", "Ja."],
    ),
    "German quotes": ("„Geh.“ Er ging. »Halt!« Ja? »Nein.«", ["„Geh.“", "Er ging.", "»Halt!«", "Ja?", "»Nein.«"]),
    "French": ("Mme. Rose est là. Bien.", ["Mme. Rose est là.", "Bien."]),
    "French quotes": ("« Va ! » dit-il. « Oui. » Je pars.", ["« Va ! » dit-il.", "« Oui. »", "Je pars."]),
    "Spanish": ("La Sra. Ruiz vino. ¿Qué? ¡Vamos!", ["La Sra. Ruiz vino.", "¿Qué?", "¡Vamos!"]),
    "Italian": ("Il Sig. Rossi e la dott.ssa Bo. Sì.", ["Il Sig. Rossi e la dott.ssa Bo.", "Sì."]),
    "Polish": ("To ks. Nowak. Tak.", ["To ks. Nowak.", "Tak."]),
    "Russian": ("Это ул. Мира и т.д. Иди. Нет.", ["Это ул. Мира и т.д. Иди.", "Нет."]),
    "number": ("It costs 3.5 coins. No less.", ["It costs 3.5 coins.", "No less."]),
    "number at the end": ("I have 5. You have 6.", ["I have 5.", "You have 6."]),
    "counted": ("1. Dig here. 2. Run.", ["1. Dig here.", "2. Run."]),
    "version": ("Take v2.0.1 now. Go.", ["Take v2.0.1 now.", "Go."]),
    "ellipsis inside": ("Well... maybe. We see.", ["Well... maybe.", "We see."]),
    "ellipsis sign inside": ("Well… yes. No.", ["Well… yes.", "No."]),
    "ellipsis at the end": ("Well… Maybe.", ["Well…", "Maybe."]),
    "ellipsis in front": ("...and then? Nothing.", ["...and then?", "Nothing."]),
    "quoted sentence": ('"Stop." Then he left.', ['"Stop."', "Then he left."]),
    "quote inside": ("'Stop!' he said. I ran.", ["'Stop!' he said.", "I ran."]),
    "quote set off by a dash": ("— Стой! — сказал он. Я бежал.", ["— Стой! — сказал он.", "Я бежал."]),
    "dash before a new one": ("Stop! — No.", ["Stop!", "— No."]),
    "opening quote": ("He spoke. “Go.” I went.", ["He spoke.", "“Go.”", "I went."]),
    "brackets": ("(It is late.) Go home.", ["(It is late.)", "Go home."]),
    "line break": ("First line\nSecond line", ["First line", "Second line"]),
    "stop and line break": ("First.\nsecond", ["First.", "second"]),
    "Chinese": ("你好。请进！好吗？", ["你好。", "请进！", "好吗？"]),
    "Chinese quotes": ("他说。“走。”我走。", ["他说。", "“走。”", "我走。"]),
    "Chinese ellipsis": ("好……走吧。", ["好……走吧。"]),
    "Japanese quote": ("「行け。」彼は言った。", ["「行け。」", "彼は言った。"]),
    "Japanese, signs mixed": ("何？！ だめ。", ["何？！", "だめ。"]),
    "half width": ("ﾊｲ｡ｲｴ｡", ["ﾊｲ｡", "ｲｴ｡"]),
    "Korean": ("안녕. 들어와! 응?", ["안녕.", "들어와!", "응?"]),
    "Hindi": ("यह है। वह है॥ हाँ।", ["यह है।", "वह है॥", "हाँ।"]),
    "Arabic": ("هل أنت؟ نعم. تعال!", ["هل أنت؟", "نعم.", "تعال!"]),
    "Urdu": ("یہ ہے۔ وہ ہے۔", ["یہ ہے۔", "وہ ہے۔"]),
    "Armenian": ("Ես եմ։ Դու ես։", ["Ես եմ։", "Դու ես։"]),
    "Greek": ("Ποιος;\u037e Εγώ. Ναι.", ["Ποιος;\u037e", "Εγώ.", "Ναι."]),
    "Amharic": ("ሰላም። ና።", ["ሰላም።", "ና።"]),
    "Burmese": ("ဟုတ်တယ်။ လာပါ။", ["ဟုတ်တယ်။", "လာပါ။"]),
    "Khmer": ("បាទ។ មក។", ["បាទ។", "មក។"]),
    "Thai": ("สวัสดี มาเถอะ", ["สวัสดี มาเถอะ"]),
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


def test_a_sign_that_ends_every_sentence_needs_no_blank() -> None:
    cutter = SentenceCutter()
    assert cutter.feed("你好。") == []
    assert cutter.feed("请") == ["你好。"]


def test_a_speech_without_stops_is_cut_between_words() -> None:
    speech = "word " * 300
    sentences = cut(speech)
    assert sentences == cut(*speech)
    assert all(len(sentence) <= MAX_SENTENCE_CHARS for sentence in sentences)
    assert set(" ".join(sentences).split()) == {"word"}
    assert len(cut("x" * 1000)) == 3


def test_a_forced_cut_leaves_vowel_signs_with_their_letter() -> None:
    speech = "ก" + "กิ" * 600
    sentences = cut(speech)
    assert sentences == cut(*speech)
    assert "".join(sentences) == speech
    assert len(sentences) == 4
    assert all(sentence.startswith("ก") and len(sentence) <= MAX_SENTENCE_CHARS for sentence in sentences)


@given(st.text(alphabet="ab AB.!?…。“”」\"'\n,—-MrI1", max_size=900), st.lists(st.integers(0, 900), max_size=5))
def test_nothing_is_lost_and_chunks_do_not_matter(speech: str, cuts: list[int]) -> None:
    ends = sorted({min(at, len(speech)) for at in cuts} | {0, len(speech)})
    chunks = [speech[start:end] for start, end in pairwise(ends)]
    sentences = cut(*chunks)
    assert sentences == cut(speech)
    assert "".join("".join(sentences).split()) == "".join(speech.split())
    assert all(sentence and sentence == sentence.strip() for sentence in sentences)
