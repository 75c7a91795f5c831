"""The language that a world's words are in: which stemmer and which small words the search goes by.

English has its own in word.py; others take PyStemmer's and the lists of bm25s where there are such. Called by whoever
builds a LoreBook, and by those who check what authors write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import bm25s.stopwords

from npc_sdk.errors import SettingsError
from npc_sdk.lore import word
from npc_sdk.persona.problem import name_hint, shown

DEFAULT_LANGUAGE = "English"

_STEMMED = (
    "Arabic", "Armenian", "Basque", "Catalan", "Czech", "Danish", "Dutch", "Esperanto", "Estonian", "Finnish", "French",
    "German", "Greek", "Hindi", "Hungarian", "Indonesian", "Irish", "Italian", "Lithuanian", "Nepali", "Norwegian",
    "Persian", "Polish", "Portuguese", "Romanian", "Russian", "Serbian", "Spanish", "Swedish", "Tamil", "Turkish",
    "Yiddish",
)  # fmt: skip
_WITH_SMALL_WORDS = frozenset((
    "Chinese", "Danish", "Dutch", "French", "German", "Italian", "Korean", "Norwegian", "Portuguese", "Russian",
    "Spanish", "Swedish", "Turkish",
))  # fmt: skip
_PLAIN = (
    "Afrikaans", "Albanian", "Bengali", "Bosnian", "Bulgarian", "Burmese", "Chinese", "Croatian", "Filipino",
    "Galician", "Georgian", "Gujarati", "Hebrew", "Icelandic", "Japanese", "Kannada", "Kazakh", "Khmer", "Korean",
    "Lao", "Latin", "Latvian", "Macedonian", "Malay", "Maltese", "Marathi", "Mongolian", "Punjabi", "Scots", "Slovak",
    "Slovenian", "Swahili", "Telugu", "Thai", "Tibetan", "Ukrainian", "Urdu", "Uzbek", "Vietnamese", "Welsh",
)  # fmt: skip
LANGUAGES = tuple(sorted((DEFAULT_LANGUAGE, *_STEMMED, *_PLAIN)))
_BY_FOLDED_NAME = MappingProxyType({name.casefold(): name for name in LANGUAGES})
_STEM_CACHE = 50_000


@dataclass(frozen=True, slots=True)
class Language:
    """How words of a language are compared. Get one by its name: ``Language.named("German")``."""

    name: str
    stem: Callable[[str], str]
    small_words: frozenset[str]

    @staticmethod
    def named(name: str) -> Language:
        """The language of an English name, in any case; one whose stemmer is not known compares words as they are.

        Raises: SettingsError.
        """
        known = _BY_FOLDED_NAME.get(name.strip().casefold())
        if known is None:
            hint = name_hint(name.strip().title(), LANGUAGES, "languages")
            raise SettingsError(f"there is no language {shown(name)}", hint=hint)
        return _language(known)

    def words(self, text: str) -> list[str]:
        """Every word of the text, stemmed, in order."""
        return [self.stem(part) for part in word.plain_words(text)]

    def content_words(self, text: str) -> list[tuple[str, str]]:
        """The words that carry meaning, each as (stem, word as folded)."""
        return [(self.stem(part), part) for part in word.plain_words(text) if part not in self.small_words]

    def content_stems(self, text: str) -> list[str]:
        """The stems of the words that carry meaning, in order."""
        small, stem = self.small_words, self.stem
        return [stem(part) for part in word.plain_words(text) if part not in small]


@lru_cache(maxsize=len(LANGUAGES))
def _language(name: str) -> Language:
    if name == DEFAULT_LANGUAGE:
        return Language(name, word.stem, word.STOPWORDS)
    return Language(name, _stemmer(name), _small_words(name))


def _stemmer(name: str) -> Callable[[str], str]:
    if name not in _STEMMED:
        return _as_it_is
    import Stemmer  # only worlds in such a language pay for it

    stem: Callable[[str], str] = Stemmer.Stemmer(name.lower()).stemWord
    return lru_cache(maxsize=_STEM_CACHE)(stem)


def _small_words(name: str) -> frozenset[str]:
    if name not in _WITH_SMALL_WORDS:
        return frozenset()
    listed: tuple[str, ...] = getattr(bm25s.stopwords, f"STOPWORDS_{name.upper()}")
    return frozenset(part for entry in listed for part in word.plain_words(entry))


def _as_it_is(text: str) -> str:
    return text


ENGLISH = Language.named(DEFAULT_LANGUAGE)
