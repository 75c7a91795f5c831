"""Keys as authors write them: words with their endings ignored, whole words, plain text, `/regular expressions/`.

Regular expressions run on RE2, in linear time and bounded memory, as they may come from strangers. Called by the
indexes of keys and the lore readers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeAlias

import re2

from npc_sdk.lore.entry import KeyMatch, LoreEntry

Words: TypeAlias = Callable[[str], Sequence[str]]

KEY_BASE = 1000.0  # above every score that words in common can have
WORD_STEP = 100.0  # a key of more words is more specific, whatever its length
FLAGS = "imsu"  # of a regular expression; u changes nothing: all text is Unicode here

_REGEX = re.compile(r"/((?:\\.|[^/\\])+)/([A-Za-z]*)", re.DOTALL)
_TOKEN = re.compile(r"\w+")
_REGEX_BYTES = 1 << 16  # some 10 ms for the worst expression over a long message; a common one takes 10 µs
_UNSUPPORTED = ("invalid perl operator", "bad repetition operator", "invalid escape sequence: \\")
_LINEAR = "look-around, back-references and possessive repetition are not supported: keys are matched in linear time"


class Pattern(Protocol):
    """A regular expression, ready to run over UTF-8. programsize counts its instructions."""

    @property
    def programsize(self) -> int: ...

    def search(self, text: bytes, pos: int = 0) -> object: ...


class KeyFault(ValueError):
    """A key that cannot be used, in a writer's words."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Key:
    """A key and how it is held against what was said."""

    text: str
    match: KeyMatch = "words"
    is_case_sensitive: bool = False

    @property
    def is_regex(self) -> bool:
        """Whether it is written between slashes."""
        return _REGEX.fullmatch(self.text) is not None


def keys_of(entry: LoreEntry, texts: Sequence[str]) -> list[Key]:
    """Some of an entry's keys, each once, matched the way the entry says."""
    rules = entry.rules
    return [Key(text, rules.match, rules.is_case_sensitive) for text in dict.fromkeys(texts)]


@lru_cache(maxsize=50_000)
def key_strength(text: str) -> float:
    """How much a key says about its entry: more words first, then more letters; a pattern counts as one word."""
    if _REGEX.fullmatch(text):
        return KEY_BASE + WORD_STEP
    return KEY_BASE + WORD_STEP * len(_TOKEN.findall(text)) + len(text)


def check_key(key: Key, words: Words) -> None:
    """Raises: KeyFault where nothing could ever match it, or its pattern cannot be run."""
    if key.is_regex:
        compile_regex(key.text)
    elif key.match == "words" and not words(key.text):
        raise KeyFault(f"the key {key.text!r} holds no word", "a key is one or more words")
    elif not key.text.strip():
        raise KeyFault(f"the key {key.text!r} is empty", "take it out")


def compile_regex(text: str) -> Pattern:
    """The pattern of a key between slashes. Raises: KeyFault."""
    found = _REGEX.fullmatch(text)
    if found is None:
        raise KeyFault(f"the key {text!r} is no regular expression", "write it between slashes: /mills?/i")
    pattern, flags = found.groups()
    if wrong := sorted(set(flags) - set(FLAGS)):
        raise KeyFault(f"the flag {wrong[0]!r} of the key {text!r} is not known", f"known flags: {', '.join(FLAGS)}")
    options = re2.Options()
    options.max_mem, options.log_errors = _REGEX_BYTES, False
    inline = "".join(sorted(set(flags) - {"u"}))
    try:
        compiled: Pattern = re2.compile(f"(?{inline}){pattern}" if inline else pattern, options)
    except re2.error as exc:
        told = _told(exc)
        hint = _LINEAR if told.startswith(_UNSUPPORTED) else "plain text needs no slashes around it"
        raise KeyFault(f"the key {text!r} is no regular expression that can be run: {told}", hint) from exc
    except UnicodeEncodeError as exc:
        raise KeyFault(f"the key {text!r} holds half a character") from exc
    return compiled


def _told(exc: Exception) -> str:
    said = exc.args[0] if exc.args else exc
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def encodable(text: str) -> str:
    """The text with halves of characters replaced, over which neither a pattern nor a model can run."""
    return text.encode("utf-8", "replace").decode("utf-8")


def unfolded(text: str) -> str:
    """The text in one spelling of its characters and blanks, capitals kept."""
    return " ".join(unicodedata.normalize("NFKC", text).replace("’", "'").split())


def folded(text: str) -> str:
    """The same without capitals."""
    return unfolded(text).casefold()


def cased_words(text: str, words: Words) -> list[str]:
    """The words of a text, each with the capitals that it was written with."""
    return [_in_case(token, stem) for token in _TOKEN.findall(unfolded(text)) for stem in words(token)]


def _in_case(token: str, stem: str) -> str:
    if len(token) > 1 and token.isupper():
        return stem.upper()
    return stem.capitalize() if token[0].isupper() else stem


def tokens(text: str) -> list[str]:
    """The words of a text exactly as they stand there."""
    return _TOKEN.findall(text)


def stands_alone(literal: str, text: str) -> bool:
    """Whether the text holds the literal with no letter or digit touching it."""
    at = text.find(literal)
    while at >= 0:
        end = at + len(literal)
        if not (at and _is_word(text[at - 1])) and not (end < len(text) and _is_word(text[end])):
            return True
        at = text.find(literal, at + 1)
    return False


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"
