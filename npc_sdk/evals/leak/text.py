"""Words without their dress: how a fact is found again though case, blanks and punctuation differ."""

from __future__ import annotations

from collections.abc import Sequence

from npc_sdk.lore.word import STOPWORDS, plain_words

MIN_RUN = 5  # shorter runs of words stand in any two texts about one place
TELLING_SHARE = 0.6  # of the words that carry meaning: enough of a sentence to know what it says


def plain(text: str) -> str:
    """The words with a blank between and around them, so that one text can be looked for inside another."""
    return f" {' '.join(plain_words(text))} "


def repeated(words: Sequence[str], other: str) -> str:
    """The longest run of the words that stands in the other text, which is plain, if it gives them away; else empty."""
    run = _longest_run(words, other)
    if len(run) == len(words):
        return " ".join(run)
    return " ".join(run) if len(run) >= MIN_RUN and _weight(run) >= TELLING_SHARE * _weight(words) else ""


def _longest_run(words: Sequence[str], other: str) -> Sequence[str]:
    longest: Sequence[str] = ()
    for start in range(len(words)):
        end = start + len(longest) + 1
        while end <= len(words) and f" {' '.join(words[start:end])} " in other:
            longest = words[start:end]
            end += 1
    return longest


def _weight(words: Sequence[str]) -> int:
    return sum(word not in STOPWORDS for word in words)
