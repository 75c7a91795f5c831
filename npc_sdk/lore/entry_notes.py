"""What may be a mistake in an entry of lore: nothing can bring it in, an attribute does nothing, its text holds signs.

Nothing here keeps a game from starting. Called by lore/content.py with all entries at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from npc_sdk.errors import ContentError
from npc_sdk.lore.attribute import odd_sign
from npc_sdk.lore.entry import PLAIN, Book, LoreEntry, Rules
from npc_sdk.lore.whereabouts import mistake_at
from npc_sdk.persona.fault import Fault
from npc_sdk.persona.persona_notes import no_template, template_sign
from npc_sdk.persona.problem import first_problems, shown

_NOTHING = "nothing can bring this in"


def entry_notes(entries: Iterable[LoreEntry]) -> list[ContentError]:
    """As many as a writer can use at once."""
    return first_problems(_notes(entries))


def _notes(entries: Iterable[LoreEntry]) -> Iterator[ContentError]:
    poor: set[Book] = set()
    for entry in entries:
        faults = [*_text_faults(entry), *_key_faults(entry)]
        if entry.rules is not PLAIN:
            faults += [*_idle_faults(entry.rules), *_shut_out(entry)]
        if entry.book.budget_tokens == 0 and entry.book not in poor:
            poor.add(entry.book)
            faults.append(Fault(("budget_tokens",), f"the book {entry.book.name!r} has no room for any of its entries"))
        yield from (mistake_at(entry, str(fault.where[0]), "", fault.message, fault.hint) for fault in faults)


def _text_faults(entry: LoreEntry) -> Iterator[Fault]:
    if sign := template_sign(entry.text):
        yield Fault(("text",), no_template(sign), "only situation lines and greetings are filled")
    if "<!--" in entry.text:
        yield Fault(("text",), "a comment of this form is told to the character", "take it out")


def _key_faults(entry: LoreEntry) -> Iterator[Fault]:
    """Of YAML alone: in Markdown they are mistakes."""
    rules = entry.rules
    lists = {"keys": entry.keys, "secondary_keys": rules.secondary_keys, "excluded_keys": rules.excluded_keys}
    for name, keys in lists.items():
        for key in keys:
            if sign := odd_sign(key):
                yield Fault((name,), f"the key {shown(key)} holds a {sign!r}", "each key is an item of its own")


def _idle_faults(rules: Rules) -> Iterator[Fault]:
    """Attributes that do nothing without another."""
    if rules.logic != PLAIN.logic and not rules.secondary_keys:
        yield Fault(("logic",), "'logic' has no effect without 'secondary_keys'")
    set_here = {
        "group_weight": rules.group_weight != PLAIN.group_weight,
        "group_first": rules.is_group_first,
        "group_scored": rules.is_group_scored,
    }
    if not rules.groups:
        yield from (
            Fault((name,), f"{name!r} has no effect without 'group'") for name, is_set in set_here.items() if is_set
        )


def _shut_out(entry: LoreEntry) -> Iterator[Fault]:
    """Why it can never come in; what a writer switched off says so itself."""
    rules = entry.rules
    if not rules.is_enabled or rules.always == "dont_activate":
        return
    if rules.secondary_keys and not entry.keys:
        yield Fault(("secondary_keys",), "'secondary_keys' have no effect without 'keys'", "give it 'keys:' too")
    elif not rules.is_searchable and (fault := _barrier(entry)):
        yield fault


def _barrier(entry: LoreEntry) -> Fault | None:
    """What keeps an entry out that no search may find."""
    rules, book = entry.rules, entry.book
    if rules.probability == 0:
        return Fault(("probability",), f"{_NOTHING}: its probability is 0", "'enabled: false' switches an entry off")
    if rules.delays_until_recursion and (not book.is_recursive or rules.excludes_recursion):
        why = "its book is not recursive" if not book.is_recursive else "'exclude_recursion' keeps it out then"
        hint = "say 'recursive: true' under 'book:'" if not book.is_recursive else "take one of both out"
        return Fault(("delay_until_recursion",), f"{_NOTHING}: it waits for recursion, and {why}", hint)
    if rules.is_constant or rules.always == "activate":
        return None
    if not entry.keys:
        hint = "give it 'keys:', or say 'constant: true' or 'search: true'"
        return Fault(("search",), f"{_NOTHING}: it has no keys, and no search may find it", hint)
    if {key.casefold() for key in entry.keys} <= {key.casefold() for key in rules.excluded_keys}:
        return Fault(("excluded_keys",), f"{_NOTHING}: each of its keys is among 'excluded_keys' too")
    return None
