"""SillyTavern's World Info entries, renamed to the fields of a card's lorebook, where its own export puts them.

Source: SillyTavern, public/scripts/world-info.js (the conversion between both shapes).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_FIELDS = MappingProxyType(
    {
        "uid": "id",
        "key": "keys",
        "keysecondary": "secondary_keys",
        "order": "insertion_order",
        "comment": "comment",
        "content": "content",
        "constant": "constant",
        "selective": "selective",
    }
)
EXTENSIONS: Mapping[str, str] = MappingProxyType(  # World Info name → name under an entry's `extensions`
    {
        "position": "position",
        "depth": "depth",
        "role": "role",
        "probability": "probability",
        "useProbability": "useProbability",
        "selectiveLogic": "selectiveLogic",
        "excludeRecursion": "exclude_recursion",
        "preventRecursion": "prevent_recursion",
        "delayUntilRecursion": "delay_until_recursion",
        "displayIndex": "display_index",
        "group": "group",
        "groupOverride": "group_override",
        "groupWeight": "group_weight",
        "useGroupScoring": "use_group_scoring",
        "scanDepth": "scan_depth",
        "caseSensitive": "case_sensitive",
        "matchWholeWords": "match_whole_words",
        "automationId": "automation_id",
        "vectorized": "vectorized",
        "sticky": "sticky",
        "cooldown": "cooldown",
        "delay": "delay",
        "ignoreBudget": "ignore_budget",
        "outletName": "outlet_name",
        "triggers": "triggers",
        "characterFilter": "character_filter",
    }
)
_SIGNS = frozenset({"display_index", "selectiveLogic", "useProbability", "exclude_recursion", "match_whole_words"})


def is_world_info(entry: Mapping[str, Any]) -> bool:
    """Whether an entry has World Info's names instead of a card's."""
    return "key" in entry or ("uid" in entry and "keys" not in entry)


def is_from_world_info(extensions: Mapping[str, Any]) -> bool:
    """Whether a card's entry was written by SillyTavern, which says use_regex of every entry."""
    return not _SIGNS.isdisjoint(extensions)


def as_card_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The same entry with a card's names; what has no place there is under `extensions`."""
    extensions = dict(entry["extensions"]) if isinstance(entry.get("extensions"), dict) else {}
    out: dict[str, Any] = {"selective": True, "use_regex": True}
    for key, value in entry.items():
        if key in _FIELDS:
            out[_FIELDS[key]] = value
        elif key == "disable":
            out["enabled"] = value in (False, None, 0, "")
        elif key != "extensions":
            extensions[EXTENSIONS.get(key, key)] = value
    extensions.setdefault("selectiveLogic", 0)
    return {**out, "extensions": extensions}
