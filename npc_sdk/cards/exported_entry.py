"""One entry of our lore as an entry of a card's lorebook, with what only we can express under our own extension.

Called by cards/exported.py. The way back is cards/entry.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from npc_sdk.cards.entry import LOGICS, OWN, lore_items
from npc_sdk.cards.field import Fields
from npc_sdk.cards.key_check import KeyCheck
from npc_sdk.cards.macro import Macros
from npc_sdk.cards.report import Report
from npc_sdk.lore.entry import PLAIN, LoreEntry, Rules
from npc_sdk.lore.key import Key
from npc_sdk.lore.read import is_searchable
from npc_sdk.lore.schema import Attributes
from npc_sdk.persona.calendar import Calendar

_NAMES: Mapping[str, str] = MappingProxyType(  # of a rule → of an attribute in our files
    {
        "is_enabled": "enabled",
        "is_constant": "constant",
        "is_essential": "essential",
        "always": "always",
        "secondary_keys": "secondary_keys",
        "logic": "logic",
        "excluded_keys": "excluded_keys",
        "match": "match",
        "is_case_sensitive": "case_sensitive",
        "scan_depth": "scan_depth",
        "probability": "probability",
        "sticky": "sticky",
        "cooldown": "cooldown",
        "delay": "delay",
        "groups": "group",
        "group_weight": "group_weight",
        "is_group_first": "group_first",
        "is_group_scored": "group_scored",
        "excludes_recursion": "exclude_recursion",
        "prevents_recursion": "prevent_recursion",
        "delays_until_recursion": "delay_until_recursion",
        "order": "order",
        "priority": "priority",
        "ignores_budget": "ignore_budget",
    }
)


def item_of(entry: LoreEntry, owner: str, calendar: Calendar | None) -> dict[str, Any]:
    """The entry as our lore files spell it; what is the default is left out."""
    found: dict[str, Any] = {"keys": list(entry.keys)} if entry.keys else {}
    for name, attribute in _NAMES.items():
        value = getattr(entry.rules, name)
        if value != getattr(PLAIN, name):
            found[attribute] = list(value) if isinstance(value, tuple) else value
    scope = entry.scope
    found |= {"places": sorted(scope.places)} if scope.places else {}
    found |= {"when": scope.when} if scope.when else {}
    for name, day in (("since", scope.since), ("until", scope.until)):
        if day is not None and calendar is not None:
            found[name] = _date(calendar, day)
    found |= {"source": entry.source} if entry.source else {}
    if is_searchable(Attributes.model_validate(found)) != entry.rules.is_searchable:
        found["search"] = entry.rules.is_searchable
    title = {"id": entry.entry_id.removeprefix(f"{owner}."), "text": entry.text}
    return {**title, **found}


def card_entry(item: Mapping[str, Any], entry: LoreEntry, number: int, version: int) -> dict[str, Any]:
    """The item as a card's entry. What the card's own reader would not give back is under our extension."""
    rules = entry.rules
    out: dict[str, Any] = {
        "keys": list(entry.keys),
        "content": entry.text,
        "extensions": _extensions(rules, number),
        "enabled": rules.is_enabled and not is_conditional(entry),
        "insertion_order": rules.order,
        "case_sensitive": rules.is_case_sensitive,
        "name": item["id"],
        "priority": rules.priority,
        "id": number,
        "comment": item["id"],
        "selective": bool(rules.secondary_keys),
        "secondary_keys": list(rules.secondary_keys),
        "constant": rules.is_constant,
        "position": "before_char",
    }
    if version == 3:
        out["use_regex"] = any(Key(key).is_regex for key in entry.keys)
        out["content"] = _decorators(rules) + entry.text
    if own := _lost(item, out):
        out["extensions"][OWN] = own
    return out


def is_conditional(entry: LoreEntry) -> bool:
    """Whether it is known only at times; other programs, which cannot tell, get it switched off."""
    scope = entry.scope
    return bool(scope.places or scope.when) or scope.since is not None or scope.until is not None


def _extensions(rules: Rules, number: int) -> dict[str, Any]:
    """SillyTavern's names; the first of them tells its readers and ours that keys are no bare expressions."""
    found = {
        "selectiveLogic": LOGICS.index(rules.logic),
        "group": ",".join(rules.groups),
        "group_override": rules.is_group_first,
        "use_group_scoring": rules.is_group_scored,
        "exclude_recursion": rules.excludes_recursion,
        "prevent_recursion": rules.prevents_recursion,
        "delay_until_recursion": rules.delays_until_recursion,
        "sticky": rules.sticky,
        "cooldown": rules.cooldown,
        "delay": rules.delay,
        "ignore_budget": rules.ignores_budget,
    }
    said: dict[str, Any] = {"display_index": number, **{name: value for name, value in found.items() if value}}
    if rules.probability != PLAIN.probability:
        said |= {"probability": rules.probability, "useProbability": True}
    if rules.group_weight != PLAIN.group_weight:
        said["group_weight"] = rules.group_weight
    if rules.scan_depth is not None:
        said["scan_depth"] = rules.scan_depth
    return said if rules.match == "words" else {**said, "match_whole_words": rules.match == "whole"}


def _decorators(rules: Rules) -> str:
    """What only V3's decorators can say."""
    lines = [f"@@{rules.always}"] if rules.always else []
    if rules.excluded_keys and not any("," in key for key in rules.excluded_keys):
        lines.append(f"@@exclude_keys {','.join(rules.excluded_keys)}")
    return "".join(f"{line}\n" for line in lines)


def _lost(item: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that a reader of the card alone would not find."""
    report = Report()
    read = lore_items(Fields(entry, "", report), Macros("", report), KeyCheck(), _read_id(item))
    back = read[0] if read else {}
    lost = {name: value for name, value in item.items() if back.get(name) != value and name != "text"}
    if not entry["enabled"] and "enabled" not in item:
        lost["enabled"] = True
    return lost


def _read_id(item: Mapping[str, Any]) -> str:
    """What the import makes of the name; the id itself is lost where it has signs that a title has not."""
    return str(item["id"]).replace(".", "-").replace("_", "-")


def _date(calendar: Calendar, day: int) -> str:
    parts = calendar.parts(day)
    return f"{parts['day']} {parts['month']} {parts['year']}"
