"""What characters came to know in play: told by somebody, or seen; each with its source.

A fact of the world's lore that is revealed to a character joins what it knows whatever its scope; a new one is an
entry of its own. Owned by the world, read by every scene. Mutates: by what the game tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from npc_sdk.errors import RequestError
from npc_sdk.lore.entry import Book, LoreEntry, Scope
from npc_sdk.lore.key import Key, KeyFault, check_key
from npc_sdk.lore.word import words

MAX_FACTS = 256  # of one NPC
MAX_CHARS = 500
MAX_KEYS = 8
MAX_KEY_CHARS = 60
BOOK = Book("learned")


@dataclass(slots=True)
class _Memory:
    """One NPC's: new facts by id, and the sources of revealed ones by entry_id."""

    told: dict[str, LoreEntry] = field(default_factory=dict)
    revealed: dict[str, str] = field(default_factory=dict)
    count: int = 0


class Learned:
    """Facts by NPC. Whether an NPC or an entry exists is for the world to say."""

    def __init__(self) -> None:
        self._memories: dict[str, _Memory] = {}

    def tell(
        self, npc_id: str, text: str, *, source: str, keys: Sequence[str] = (), is_taken: Callable[[str], bool]
    ) -> str:
        """The id of the fact, new or told before; is_taken says which ids the lore has. Raises: RequestError."""
        memory = self._memories.setdefault(npc_id, _Memory())
        text = _checked(text, "text", MAX_CHARS)
        known = _checked_keys(keys)
        source = _checked(source, "source", MAX_KEY_CHARS)
        for entry in memory.told.values():
            if entry.text == text:
                return entry.entry_id
        self._check_room(npc_id)
        memory.count += 1
        while is_taken(entry_id := f"{npc_id}.learned.{memory.count}"):
            memory.count += 1
        scope = Scope(npc_ids=frozenset({npc_id}))
        memory.told[entry_id] = LoreEntry(entry_id, text, known, scope, book=BOOK, source=source)
        return entry_id

    def reveal(self, npc_id: str, entry_id: str, *, source: str) -> None:
        """Has an NPC know an entry of the lore from now on. Raises: RequestError."""
        source = _checked(source, "source", MAX_KEY_CHARS)
        if entry_id not in self.revealed(npc_id):
            self._check_room(npc_id)
        self._memories.setdefault(npc_id, _Memory()).revealed[entry_id] = source

    def forget(self, npc_id: str, entry_id: str) -> None:
        """Raises: RequestError for what it has not learned."""
        memory = self._memories.get(npc_id, _Memory())
        if memory.told.pop(entry_id, None) is None and memory.revealed.pop(entry_id, None) is None:
            raise RequestError(f"{npc_id!r} has not learned {entry_id!r}", hint="give the id that learn returned")

    def facts(self, npc_id: str) -> tuple[LoreEntry, ...]:
        """New facts, oldest first."""
        return tuple(self._memories[npc_id].told.values()) if npc_id in self._memories else ()

    def revealed(self, npc_id: str) -> Mapping[str, str]:
        """The sources of revealed entries, by entry_id."""
        return self._memories[npc_id].revealed if npc_id in self._memories else {}

    def _check_room(self, npc_id: str) -> None:
        memory = self._memories.get(npc_id, _Memory())
        if len(memory.told) + len(memory.revealed) >= MAX_FACTS:
            raise RequestError(
                f"{npc_id!r} has learned {MAX_FACTS} facts, as many as are kept", hint="have it forget one first"
            )


def _checked_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """Raises: RequestError."""
    if isinstance(keys, str) or len(keys) > MAX_KEYS:
        raise RequestError(f"keys: {str(keys)[:80]!r} cannot be kept", hint=f"give a list of at most {MAX_KEYS} texts")
    known = tuple(_checked(key, "keys", MAX_KEY_CHARS) for key in keys)
    for key in known:
        try:
            check_key(Key(key), words)
        except KeyFault as exc:
            raise RequestError(f"keys: {exc}", hint=exc.hint) from exc
    return known


def _checked(text: str, name: str, max_chars: int) -> str:
    plain = " ".join(text.split())
    if any("\ud800" <= char <= "\udfff" for char in plain):
        raise RequestError(f"{name}: {text[:80]!r} holds half a character", hint="send valid Unicode")
    if not plain or len(plain) > max_chars:
        raise RequestError(f"{name}: {text[:80]!r} cannot be kept", hint=f"give 1 to {max_chars} characters")
    return plain
