"""Which thing is meant by a name that a player or a character wrote. Knows nothing of the village."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ARTICLES = frozenset({"a", "an", "the", "my", "your", "some", "of", "that", "this"})


def words_of(text: str) -> frozenset[str]:
    """The words that tell one thing from another: lower case, singular, without articles and bracketed remarks."""
    plain = re.sub(r"\([^)]*\)", " ", text.casefold())
    found = re.findall(r"[a-z]+", plain)
    return frozenset(_singular(word) for word in found if word not in _ARTICLES)


def find(name: str, candidates: Iterable[str]) -> str | None:
    """The one candidate that the name means: the same words, or else the only one that shares all of either's words."""
    asked = words_of(name)
    if not asked:
        return None
    known = {candidate: words_of(candidate) for candidate in candidates}
    same = [candidate for candidate, words in known.items() if words == asked]
    near = [candidate for candidate, words in known.items() if words <= asked or asked <= words]
    return next((found[0] for found in (same, near) if len(found) == 1), None)


def is_named(item: str, text: str) -> bool:
    """Whether the text speaks of the item by its last word: "cake" is enough for a honey cake."""
    return _singular(item.casefold().split()[-1]) in words_of(text)


def with_article(name: str) -> str:
    """Units: "a lantern", "an iron sword"."""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def coins(count: int) -> str:
    """Units: "1 coin", "9 coins"."""
    return f"{count} coin{'' if count == 1 else 's'}"


def listed(names: Iterable[str]) -> str:
    """Units: "nothing", "bread", "bread and ale", "bread, ale and rope"."""
    *front, last = list(names) or ["nothing"]
    return f"{', '.join(front)} and {last}" if front else last


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
