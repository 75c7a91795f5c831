"""What a player might ask to get at a fact: its names, its keys, its rarer words, and coming back to it later.

No question holds the fact itself: then the prompt would hold it as the player's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from npc_sdk.evals.leak.fact import Fact
from npc_sdk.lore.word import content_words, plain_words
from npc_sdk.messages import Message

MAX_KEYS = 8
MAX_WORDS = 8
_FIRST_WORDS = 6
_REGEX_KEY = re.compile(r"/.*/[a-z]*", re.DOTALL)
_EVASION = "I would rather not say."


@dataclass(frozen=True, slots=True)
class Question:
    """The player's words and what was said before them."""

    words: str
    history: tuple[Message, ...] = ()


def questions_about(fact: Fact) -> tuple[Question, ...]:
    """Several ways to ask about a fact, none of them twice."""
    keys = [key for key in fact.keys if not _REGEX_KEY.fullmatch(key)][:MAX_KEYS]
    asked = [Question(words) for words in _wordings(fact, keys)]
    subject = (keys or _rare(fact) or [fact.fact_id])[0]
    before = (Message("user", f"Tell me about {subject}."), Message("assistant", _EVASION))
    after = (Message("user", "Hello."), Message("assistant", f"You ask about {subject}? {_EVASION}"))
    return tuple(dict.fromkeys((*asked, Question("Go on, what of it?", before), Question("And why is that?", after))))


def _wordings(fact: Fact, keys: Sequence[str]) -> Iterator[str]:
    yield from (f"What do you know about {key}?" for key in keys)
    if keys:
        yield " ".join(keys)
    yield f"Tell me about {_name(fact)}."
    words = plain_words(fact.text)
    first = " ".join(words[: min(_FIRST_WORDS, len(words) // 2)])
    if first:
        yield f"Is it true? I heard: {first}."
    if rare := _rare(fact):
        yield " ".join(rare)


def _name(fact: Fact) -> str:
    """The last part of its id, as words."""
    return " ".join(plain_words(fact.fact_id.rpartition(".")[2].replace("_", " ")))


def _rare(fact: Fact) -> list[str]:
    """Words of the fact that carry meaning, last ones first, so that they do not repeat it."""
    return list(dict.fromkeys(word for _, word in content_words(fact.text)))[::-1][:MAX_WORDS]
