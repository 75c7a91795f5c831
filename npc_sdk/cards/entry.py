"""One entry of a foreign lorebook, as an item of our lore files with all its rules.

Numbers and names are SillyTavern's where the card specifications have none. Called by cards/book.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from npc_sdk.cards.audience import Audience, filter_rules
from npc_sdk.cards.decorator import undecorated
from npc_sdk.cards.field import Fields
from npc_sdk.cards.key_check import MAX_KEYS as BOOK_KEYS
from npc_sdk.cards.key_check import KeyCheck
from npc_sdk.cards.macro import Macros
from npc_sdk.cards.passage import cut, one_line, split
from npc_sdk.cards.report import Report
from npc_sdk.cards.world_info import is_from_world_info

OWN = "npc_sdk"  # the name of our extension
TEXT_CHARS = 2000
MAX_KEYS = 64
KEY_LISTS = ("keys", "secondary_keys", "excluded_keys")
LOGICS = ("and_any", "not_all", "not_any", "and_all")  # in the order of SillyTavern's numbers
_AFTER_CHAR = 1

_FLAGS = MappingProxyType(
    {
        "group_override": "group_first",
        "use_group_scoring": "group_scored",
        "exclude_recursion": "exclude_recursion",
        "prevent_recursion": "prevent_recursion",
        "ignore_budget": "ignore_budget",
    }
)
_SPANS = ("sticky", "cooldown", "delay")
_NOT_OURS = MappingProxyType(
    {
        "automation_id": "there is no automation with us",
        "outlet_name": "passages stand where our prompt puts them",
        "triggers": "all replies are of one kind with us",
        "match_persona_description": "only what is said is searched for keys",
        "match_character_description": "only what is said is searched for keys",
        "match_character_personality": "only what is said is searched for keys",
        "match_character_depth_prompt": "only what is said is searched for keys",
        "match_scenario": "only what is said is searched for keys",
        "match_creator_notes": "only what is said is searched for keys",
    }
)
_REGEX = re.compile(r"/(.*)/([a-z]*)", re.DOTALL)
_NOBODY = Audience()


def lore_items(
    entry: Fields, macros: Macros, check: KeyCheck, entry_id: str, audience: Audience = _NOBODY
) -> list[dict[str, Any]]:
    """The entry as one item, or as several where its text is too long for one; none where it says nothing."""
    extensions = entry.child("extensions")
    decorated, content = undecorated(entry.text("content"), entry.where("content"), entry.report)
    text = macros.plain(content, entry.where("content"))
    if not text:
        entry.report.left(entry.place, "entry", "has no text")
        return []
    rules = {**_key_rules(entry, extensions, macros, check), **_rules(entry, extensions)}
    rules |= filter_rules(extensions, audience)
    decorated = _with_usable_keys(decorated, entry, macros, check)
    if "secondary_keys" in rules and "secondary_keys" in decorated:
        entry.report.left(entry.place, "@@additional_keys", "the entry has secondary keys of its own")
        decorated = {key: value for key, value in decorated.items() if key not in ("secondary_keys", "logic")}
    rules |= decorated
    _tell_rest(entry, extensions)
    if "keys" not in rules and not rules.get("constant") and "always" not in rules:
        entry.report.approximated(entry.place, "no keys", "found by searching for its words alone")
    return [{"id": name, "text": part, **rules} for name, part in _parts(entry, entry_id, text, rules)]


def _parts(entry: Fields, entry_id: str, text: str, rules: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """One text, or several under numbered ids; a drawn entry stays one, as each part would draw anew."""
    if len(text) <= TEXT_CHARS:
        return [(entry_id, text)]
    where = entry.where("content")
    if "group" in rules or "probability" in rules:
        entry.report.approximated(where, "long text", f"cut to {TEXT_CHARS:,} characters: it comes in by chance")
        return [(entry_id, cut(text, TEXT_CHARS))]
    entry.report.approximated(where, "long text", f"made several entries of at most {TEXT_CHARS:,} characters")
    pieces = enumerate(split(text, TEXT_CHARS), 1)
    return [(entry_id if number == 1 else f"{entry_id}.{number}", piece) for number, piece in pieces]


def _key_rules(entry: Fields, extensions: Fields, macros: Macros, check: KeyCheck) -> dict[str, Any]:
    """keys, secondary keys and how they are matched."""
    is_theirs = is_from_world_info(extensions.values)
    is_regex = entry.flag("use_regex") is True and not is_theirs
    is_exact = entry.flag("case_sensitive")
    if is_exact is None:
        is_exact = extensions.flag("case_sensitive")
    found: dict[str, Any] = {}
    if keys := _keys(entry, "keys", macros, check, is_regex=is_regex, flags="" if is_exact else "i"):
        found["keys"] = keys
    whole = extensions.flag("match_whole_words")
    if whole is not None:
        found["match"] = "whole" if whole else "plain"
    if is_exact:
        found["case_sensitive"] = True
    return {**found, **_secondary(entry, extensions, macros, check, is_regex=is_regex)}


def _secondary(entry: Fields, extensions: Fields, macros: Macros, check: KeyCheck, *, is_regex: bool) -> dict[str, Any]:
    if not entry.has("secondary_keys"):
        return {}
    if is_regex or not entry.flag("selective"):
        why = "not used by an entry of regular expressions" if is_regex else "the entry says that they do not count"
        entry.report.left(entry.where("secondary_keys"), "secondary_keys", why)
        return {}
    keys = _keys(entry, "secondary_keys", macros, check, is_regex=False, flags="")
    number = extensions.whole("selectiveLogic") or 0
    if number not in range(len(LOGICS)):
        extensions.report.left(extensions.where("selectiveLogic"), str(number), "no such logic; and_any is used")
        number = 0
    return {"secondary_keys": keys, "logic": LOGICS[number]} if keys else {}


def _keys(entry: Fields, name: str, macros: Macros, check: KeyCheck, *, is_regex: bool, flags: str) -> list[str]:
    where = entry.where(name)
    spelled = (
        _spelled(text, where, macros, is_regex=is_regex, flags=flags) for text in dict.fromkeys(entry.texts(name))
    )
    return usable_keys(list(spelled), where, check, entry.report)


def _spelled(text: str, where: str, macros: Macros, *, is_regex: bool = False, flags: str = "") -> str:
    """A foreign key in our spelling."""
    if regex := _REGEX.fullmatch(text.strip()):
        return f"/{regex[1]}/{regex[2].replace('g', '')}"
    return f"/{text}/{flags}" if is_regex else one_line(macros.plain(text, where))


def _with_usable_keys(decorated: dict[str, Any], entry: Fields, macros: Macros, check: KeyCheck) -> dict[str, Any]:
    """The attributes of decorators, of whose keys those are left that our files can hold."""
    where, found = entry.where("content"), dict(decorated)
    for name in KEY_LISTS:
        if name in found:
            found[name] = usable_keys([_spelled(key, where, macros) for key in found[name]], where, check, entry.report)
            if not found[name]:
                del found[name]
    if "secondary_keys" not in found:
        found.pop("logic", None)
    return found


def usable_keys(given: Sequence[str], where: str, check: KeyCheck, report: Report) -> list[str]:
    """The keys that our files can hold; the others are told. Mutates: check, report."""
    if given and check.is_spent:
        report.left(where, "keys", f"a book has at most {BOOK_KEYS:,}")
        return []
    found = []
    for key in given[:MAX_KEYS]:
        if why := check.fault(key):
            report.left(where, key[:40], why)
        else:
            found.append(key)
    if len(given) > MAX_KEYS:
        report.left(where, f"{len(given) - MAX_KEYS} keys", f"an entry has at most {MAX_KEYS}")
    return found


def _rules(entry: Fields, extensions: Fields) -> dict[str, Any]:
    """What else decides whether it comes in."""
    found: dict[str, Any] = {}
    if entry.flag("enabled") is False:
        found["enabled"] = False
    if entry.flag("constant"):
        found["constant"] = True
    for fields, key, ours, default in _counts(entry, extensions):
        number = fields.whole(key)
        if number is not None and number != default:
            found[ours] = number
    found |= {ours: True for key, ours in _FLAGS.items() if extensions.flag(key)}
    if extensions.flag("useProbability") is not False:
        chance = extensions.number("probability")
        if chance is not None and chance != 100:
            found["probability"] = chance
    if groups := [one_line(name) for name in extensions.texts("group") if one_line(name)]:
        found["group"] = groups
    return {**found, **_recursion_delay(extensions)}


def _counts(entry: Fields, extensions: Fields) -> Iterator[tuple[Fields, str, str, int | None]]:
    """Where a number stands, its name there and here, and the default, which is not written."""
    yield entry, "insertion_order", "order", 100
    yield entry, "priority", "priority", 0
    for key in _SPANS:
        yield extensions, key, key, 0
    yield extensions, "group_weight", "group_weight", 100
    yield extensions, "scan_depth", "scan_depth", None


def _recursion_delay(extensions: Fields) -> dict[str, Any]:
    """True, or the step from which it may come in."""
    value = extensions.values.get("delay_until_recursion")
    if isinstance(value, bool) or value is None:
        return {"delay_until_recursion": True} if value else {}
    step = extensions.whole("delay_until_recursion")
    return {"delay_until_recursion": step} if step else {}


def _tell_rest(entry: Fields, extensions: Fields) -> None:
    """What an entry says and our lore has no word for. Mutates: the report."""
    for key, why in _NOT_OURS.items():
        value = extensions.values.get(key)
        is_given = any(value.values()) if isinstance(value, dict) else bool(value)
        if is_given:
            entry.report.left(extensions.where(key), key, why)
    position = extensions.whole("position")
    if position is not None and position > _AFTER_CHAR:
        why = "passages stand where our prompt puts them"
        entry.report.approximated(entry.place, "position, depth, role", why)
