"""The decorators at the head of an entry's text (``@@scan_depth 4``), read into the rules of our lore.

Source: Character Card V3 specification, "Decorators".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from npc_sdk.cards.report import Report

FOR_GOOD = 10_000  # messages: longer than any conversation
_MAX_DECORATORS = 100

_NO_PLACE = "passages stand where our prompt puts them"
_UNSUPPORTED = MappingProxyType(
    {
        "depth": _NO_PLACE,
        "reverse_depth": _NO_PLACE,
        "instruct_depth": _NO_PLACE,
        "reverse_instruct_depth": _NO_PLACE,
        "position": _NO_PLACE,
        "role": "passages are told by nobody in particular",
        "instruct_scan_depth": "a conversation is searched by messages",
        "activate_only_every": "there is no such rule with us",
        "is_greeting": "which greeting was said does not count with us",
        "is_user_icon": "the player has no icon with us",
        "disable_ui_prompt": "there is no such prompt with us",
    }
)


@dataclass(frozen=True, slots=True)
class _Decorator:
    """One line, with the fallbacks under it as (name, value)."""

    name: str
    value: str
    fallbacks: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """Attributes of our lore; why is set where they only come near."""

    attributes: Mapping[str, Any]
    why: str = ""


def undecorated(content: str, place: str, report: Report) -> tuple[dict[str, Any], str]:
    """The attributes that decorators stand for, and the text below them. Mutates: report."""
    found, body = _read(content)
    attributes: dict[str, Any] = {}
    seen: set[str] = set()
    for decorator in found:
        if decorator.name in seen:
            report.left(place, f"@@{decorator.name[:40]}", "given twice; the first one counts")
            continue
        seen.add(decorator.name)
        for key, value in _attributes(decorator, place, report).items():
            if not (key == "always" and attributes.get(key) == "activate"):  # @@activate beats @@dont_activate
                attributes[key] = value
    return attributes, body


def _read(content: str) -> tuple[list[_Decorator], str]:
    found: list[_Decorator] = []
    rest = content.lstrip()
    while rest.startswith("@@") and len(found) < _MAX_DECORATORS:
        line, _, rest = rest.partition("\n")
        name, _, value = line.lstrip("@").strip().partition(" ")
        pair = (name.lower(), value.strip())
        if line.startswith("@@@") and found:
            found[-1].fallbacks.append(pair)
        else:
            found.append(_Decorator(*pair))
        rest = rest.lstrip()
    return found, rest


def _attributes(decorator: _Decorator, place: str, report: Report) -> Mapping[str, Any]:
    """Of the decorator, or of the first fallback that we know."""
    for name, value in ((decorator.name, decorator.value), *decorator.fallbacks):
        reader = _READERS.get(name)
        meaning = reader(value) if reader else None
        if meaning and meaning.why:
            report.approximated(place, f"@@{name}", meaning.why)
        elif meaning:
            report.mapped(place, f"@@{name}", f"read as {' and '.join(meaning.attributes)}")
        if meaning:
            return meaning.attributes
    why = _UNSUPPORTED.get(decorator.name, "not understood")
    report.left(place, f"@@{decorator.name[:40]}", why)
    return {}


def _flag(key: str, value: Any, why: str = "") -> Callable[[str], _Meaning | None]:
    return lambda _: _Meaning({key: value}, why)


def _count(key: str, factor: int = 1, why: str = "") -> Callable[[str], _Meaning | None]:
    def read(text: str) -> _Meaning | None:
        is_number = text.isascii() and text.isdecimal() and len(text) < 7
        return _Meaning({key: int(text) * factor}, why) if is_number else None

    return read


def _list(key: str, **also: str) -> Callable[[str], _Meaning | None]:
    def read(text: str) -> _Meaning | None:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return _Meaning({key: parts, **also}) if parts else None

    return read


_READERS: Mapping[str, Callable[[str], _Meaning | None]] = MappingProxyType(
    {
        "activate": _flag("always", "activate"),
        "dont_activate": _flag("always", "dont_activate"),
        "scan_depth": _count("scan_depth"),
        "additional_keys": _list("secondary_keys", logic="and_any"),
        "exclude_keys": _list("excluded_keys"),
        "keep_activate_after_match": _flag("sticky", FOR_GOOD, f"stays in for {FOR_GOOD:,} messages"),
        "dont_activate_after_match": _flag("cooldown", FOR_GOOD, f"rests for {FOR_GOOD:,} messages"),
        "activate_only_after": _count("delay", 2, "counts all messages, not the character's alone: twice as many"),
        "ignore_on_max_context": _flag("priority", -1000, "the lowest priority: the first to give way"),
    }
)
