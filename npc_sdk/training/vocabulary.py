"""Words that the dialogue generator draws from, and inventors for words nobody has seen.

Many names and some things are invented from syllables, so that a model must read them from its prompt.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import yaml


def _lists(file_name: str) -> dict[str, list[str]]:
    """The lists of a file beside this one, each under its key."""
    text = (Path(__file__).parent / file_name).read_text(encoding="utf-8")
    lists: dict[str, str] = yaml.safe_load(text)
    return {key: [w.strip() for w in line.split("|")] if "|" in line else line.split() for key, line in lists.items()}


_WORDS = _lists("words.yaml")
PHRASES = _lists("phrases.yaml")
_ONSETS = _WORDS["onsets"]
_VOWELS = _WORDS["vowels"]
_CODAS = _WORDS["codas"] + [""] * 10
_ENDINGS = _WORDS["endings"]
_UNWANTED = _WORDS["unwanted"]
FIRST_NAMES = _WORDS["first_names"]
TRADES = _WORDS["trades"]
ITEM_NOUNS = _WORDS["item_nouns"]
ITEM_KINDS = _WORDS["item_kinds"]
PLACE_NOUNS = _WORDS["place_nouns"]
PLACE_KINDS = _WORDS["place_kinds"]
DOOR_KINDS = _WORDS["door_kinds"]
DOOR_NOUNS = _WORDS["door_nouns"]
EVENTS = _WORDS["events"]
ANIMALS = _WORDS["animals"]
TIMES = _WORDS["times"]
NUMBERS = _WORDS["numbers"]
FEELINGS = _WORDS["feelings"]
VERBS = _WORDS["verbs"]
KIN = _WORDS["kin"]
TITLES = _WORDS["titles"]
ABSURD = _WORDS["absurd"]


def invented(rng: Random, *, syllables: int | None = None) -> str:
    """A pronounceable word that is in no dictionary."""
    count = syllables or rng.choice((1, 2, 2, 2))
    word = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count))
    word += rng.choice(_ENDINGS) if rng.random() < 0.2 else ""
    return invented(rng, syllables=syllables) if any(part in word for part in _UNWANTED) else word


def person(rng: Random) -> str:
    """A name, sometimes with a title."""
    name = rng.choice(FIRST_NAMES) if rng.random() < 0.45 else invented(rng).capitalize()
    return f"{rng.choice(TITLES)} {name}" if rng.random() < 0.08 else name


def town(rng: Random) -> str:
    return invented(rng, syllables=rng.choice((1, 2))).capitalize() + rng.choice(
        ("", "wick", "ford", "dale", " Hill", "mere")
    )


def item(rng: Random) -> str:
    """A thing to hand over; one to three words, lower case."""
    noun = rng.choice(ITEM_NOUNS) if rng.random() < 0.85 else invented(rng)
    if rng.random() < 0.08:
        noun = rng.choice(("moon", "sun", "iron", "night", "star", "blood", "gold", "sea", "frost")) + noun
    roll = rng.random()
    if roll < 0.3:
        return noun
    kind = rng.choice(ITEM_KINDS) if rng.random() < 0.88 else invented(rng)
    return f"{kind} {noun}" if roll < 0.9 else f"{rng.choice(ITEM_KINDS)} {kind} {noun}"


def items(rng: Random, count: int) -> list[str]:
    """Different things; now and then two of one kind, so that the model must tell them apart."""
    out: list[str] = []
    while len(out) < count:
        thing = item(rng)
        if out and rng.random() < 0.15:
            thing = f"{rng.choice(ITEM_KINDS)} {out[0].split()[-1]}"
        if thing not in out:
            out.append(thing)
    return out


def place(rng: Random) -> str:
    """A place with its article or as a proper name."""
    roll = rng.random()
    if roll < 0.2:
        return town(rng)
    noun = rng.choice(PLACE_NOUNS)
    if roll < 0.3:
        return f"the {noun}"
    kind = rng.choice(PLACE_KINDS) if rng.random() < 0.75 else invented(rng).capitalize()
    return f"the {kind} {noun}"


def door(rng: Random) -> str:
    if rng.random() < 0.15:
        return rng.choice(("gate", "door", "hatch", "trapdoor"))
    kind = rng.choice(DOOR_KINDS) if rng.random() < 0.8 else invented(rng)
    return f"{kind} {rng.choice(DOOR_NOUNS)}"


def some_words(rng: Random, count: int) -> str:
    """Words without sense: what only a model that reads can repeat."""
    pools = (ITEM_NOUNS, ITEM_KINDS, PLACE_NOUNS, ANIMALS)
    return " ".join(rng.choice(rng.choice(pools)) if rng.random() < 0.7 else invented(rng) for _ in range(count))


def article(thing: str) -> str:
    """The thing with "a" or "an"."""
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"
