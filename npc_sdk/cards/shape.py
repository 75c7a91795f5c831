"""Tells what a foreign value is, and gives every kind of character one shape and every kind of lorebook another.

Known: cards V1, V2, V3, lorebooks of V2 and V3, SillyTavern's World Info, text-generation-webui's characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from npc_sdk.cards.report import Report
from npc_sdk.errors import ContentError
from npc_sdk.messages import JsonValue
from npc_sdk.persona.problem import name_hint, shown

V2, V3, LOREBOOK = "chara_card_v2", "chara_card_v3", "lorebook_v3"
_VERSIONS = {V3: "3.0", V2: "2.0", "chara_card_v1": "1.0"}  # some programs name V1 so, which has no name of its own
SPECS = (*_VERSIONS, LOREBOOK)

_V1_FIELDS = ("description", "personality", "scenario", "first_mes", "mes_example")
_WEBUI_FIELDS = MappingProxyType(  # text-generation-webui, and the older names that it and Pygmalion read
    {
        "char_name": "name",
        "context": "description",
        "char_persona": "description",
        "greeting": "first_mes",
        "char_greeting": "first_mes",
        "example_dialogue": "mes_example",
        "world_scenario": "scenario",
    }
)
_OTHER_FILES = (  # keys by which files of the same programs are known
    ("lorebookVersion", "a NovelAI lorebook"),
    ("temperature", "a preset of sampling settings"),
    ("chat_metadata", "a chat"),
    ("system_sequence", "an instruct template"),
    ("story_string", "a context template"),
    ("qrList", "a set of quick replies"),
)


@dataclass(frozen=True, slots=True)
class Card:
    """A character as its file has it. data has the field names of V2 and V3; original is the file, untouched."""

    version: str
    data: Mapping[str, Any]
    place: str
    original: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lorebook:
    """A lorebook as its file has it, in the shape of V2 or V3 or of World Info."""

    kind: str
    data: Mapping[str, Any]
    place: str


def recognize(value: JsonValue, path: Path, report: Report) -> Card | Lorebook:
    """Raises: ContentError saying what was found instead. Mutates: report."""
    if not isinstance(value, dict):
        told = f"a list of {len(value)} items" if isinstance(value, list) else f"the value {shown(value)}"
        raise ContentError(f"this is no card: it holds {told}", path=path, hint="a card is a map of fields")
    spec = value.get("spec")
    if spec is not None and spec not in SPECS:
        hint = name_hint(str(spec)[:40], SPECS, "specifications")
        raise ContentError(f"the specification {shown(spec)} is not known", path=path, field="spec", hint=hint)
    if spec == LOREBOOK:
        return _lorebook_v3(value, path)
    # A book may have a name and a description as a card has them, so it is looked for first.
    return _wrapped(value, report) or _book(value) or _flat(value, report) or _refused(value, path)


def _lorebook_v3(value: Mapping[str, Any], path: Path) -> Lorebook:
    data = value.get("data")
    if not isinstance(data, dict):
        raise ContentError("the lorebook has no map under this key", path=path, field="data")
    return Lorebook("a lorebook V3", data, "data")


def _wrapped(value: Mapping[str, Any], report: Report) -> Card | None:
    """V2 or V3: the fields stand under `data`."""
    data, spec = value.get("data"), value.get("spec")
    if not isinstance(data, dict) or not (spec or "name" in data):
        return None
    if spec is None:
        report.approximated("spec", "not given", "the fields stand under 'data', so it is read as a card V2")
    version = str(value.get("spec_version", ""))[:20]
    known = _VERSIONS[spec] if isinstance(spec, str) else ""
    if known and version != known:
        report.approximated("spec_version", shown(version), f"read as {known}")
    return Card("3" if spec == V3 else "2", data, "data", value)


def _flat(value: Mapping[str, Any], report: Report) -> Card | None:
    """V1 or another program's character: the fields stand at the top."""
    renamed = {name: value[key] for key, name in _WEBUI_FIELDS.items() if key in value}
    renames = {key for key, name in _WEBUI_FIELDS.items() if key in value and {**renamed, **value}[name] is value[key]}
    data = {**renamed, **{key: said for key, said in value.items() if key not in renames}}
    if "name" not in data or not any(field in data for field in _V1_FIELDS):
        return None
    if value.get("spec"):
        report.approximated("spec", str(value["spec"]), "the fields stand at the top, so it is read as a card V1")
    for key in sorted(renames):
        if value[key]:
            report.mapped(key, key, f"read as {_WEBUI_FIELDS[key]}")
    return Card("1", data, "", value)


def _book(value: Mapping[str, Any]) -> Lorebook | None:
    entries = value.get("entries")
    if not isinstance(entries, list | dict):
        return None
    items = list(entries.values()) if isinstance(entries, dict) else entries
    first = next((item for item in items if isinstance(item, dict)), {})
    is_world_info = "key" in first or "uid" in first
    if first and not is_world_info and "keys" not in first and "content" not in first:
        return None
    return Lorebook("World Info" if is_world_info else "a lorebook", value, "")


def _refused(value: Mapping[str, Any], path: Path) -> Card | Lorebook:
    told = next((told for key, told in _OTHER_FILES if key in value), "")
    keys = ", ".join(shown(key) for key in list(value)[:6])
    found = f"it seems to be {told}" if told else f"its keys are {keys}" if keys else "it is empty"
    hint = "a card has a name and a description; a lorebook has entries"
    raise ContentError(f"this is no card and no lorebook: {found}", path=path, hint=hint)
