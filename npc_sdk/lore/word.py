"""Words of a text as the search compares them: folded, lightly stemmed, with or without the small words.

The stemmer and the small words here are those of English; language.py chooses for others.
Source: the plural rules follow Harman's "S" stemmer (How effective is suffixing?, 1991); -ed and -ing are ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# Vowel signs of Indic and other scripts belong to their word, though they are no letters.
_MARKS = "".join(sign for sign in map(chr, range(0x300, 0x3100)) if unicodedata.category(sign).startswith("M"))
_WORD = re.compile(rf"[\w{_MARKS}]+(?:'[\w{_MARKS}]+)*")
# Scripts that put no blanks between words: Thai to Khmer, kana, Chinese characters. Read as pairs of signs.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")

_SMALL_WORDS = """
    a about after again all also am an and any anybody anyone anything are as ask at away back be because been
    before being bit but by bye came can come could day did do does done down each else even ever every
    everybody everyone everything find for from get give go goes going gone good got had happen happened
    happens has have hear heard hello help her here hers hey hi him his how i if in into is it its just keep
    know known knows let like little long look made make many matter may maybe me mean might more most much
    must my near need never new no nobody not nothing now of off oh ok okay old on once one only or other our
    out over own place please put really right said same saw say says see she should so some somebody someone
    something soon still such sure take talk tell than thank thanks that the their them then there these they
    thing things think this those though time to today told too under until up us use used very want was way
    we well went were what when where which while who whose why will with without work works would yes yet you
    your yours
"""
STOPWORDS = frozenset(_SMALL_WORDS.split())


def words(text: str) -> list[str]:
    """Every word of the text, stemmed, in order."""
    return [stem(word) for word in plain_words(text)]


def content_words(text: str) -> list[tuple[str, str]]:
    """The words that carry meaning, each as (stem, word as folded)."""
    return [(stem(word), word) for word in plain_words(text) if word not in STOPWORDS]


def plain_words(text: str) -> list[str]:
    """Every word of the text, folded, in order; pairs of signs where a script has no blanks."""
    if text.isascii():
        folded = text.lower().replace("_", " ")
        spaced = _WORD.findall(folded)
    else:
        folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("_", " ")
        spaced = [part for word in _WORD.findall(folded) for part in _pairs(word)]
    return [part for word in spaced for part in _uncontracted(word)] if "'" in folded else spaced


def _pairs(word: str) -> Iterator[str]:
    """The word itself, or the parts of it in a script without blanks as each sign with the next."""
    start = 0
    for run in _UNSPACED.finditer(word):
        if start < run.start():
            yield word[start : run.start()]
        signs = run.group()
        yield from (signs[at : at + 2] for at in range(max(1, len(signs) - 1)))
        start = run.end()
    if start < len(word):
        yield word[start:]


def _uncontracted(word: str) -> list[str]:
    """``mara's`` is mara, ``don't`` is a small word."""
    head, quote, tail = word.partition("'")
    if not quote:
        return [word]
    if head.endswith("n") and tail == "t":
        return ["not"]
    return [head] if tail in {"s", "ll", "re", "ve", "d", "m"} else [head, *tail.split("'")]


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The word less the commonest English endings; rough, and the same on both sides of a comparison."""
    word = _singular(word)
    for ending in ("ing", "ed"):
        head = word.removesuffix(ending)
        if head != word and len(head) >= 3 and any(vowel in head for vowel in "aeiouy"):
            word = head[:-1] if head[-1] == head[-2] and head[-1] not in "lsz" else head
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    return word[:-1]
