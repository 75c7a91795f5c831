"""The JSON Schemas of authored files, for editors. A kind is a persona in which anything may be missing.

Knows no files and no lore: lore/publish.py writes all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from npc_sdk.persona.kind import EXTENDS
from npc_sdk.persona.schema import Persona, WorldFile

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_text(schema: Callable[[], Mapping[str, Any]]) -> str:
    """A schema as it is published."""
    return json.dumps({"$schema": DRAFT, **schema()}, indent=2, ensure_ascii=False) + "\n"


def model_schema(model: type[BaseModel]) -> dict[str, Any]:
    """A model's own."""
    return model.model_json_schema()


def world_schema() -> dict[str, Any]:
    """That of world.yaml."""
    return model_schema(WorldFile)


def kind_schema() -> dict[str, Any]:
    """A persona in which neither keys of its own nor those of its voice must be there."""
    schema = model_schema(Persona)
    schema.pop("required")
    schema["$defs"]["Voice"].pop("required")
    return {**schema, "title": "Kind", "description": "A kind: what those who extend it begin from."}


def persona_schema() -> dict[str, Any]:
    """What must be there is asked for only where no kind is extended."""
    whole = model_schema(Persona)
    voice = {"required": whole["$defs"]["Voice"]["required"]}
    needed = {"required": whole["required"], "properties": {"voice": voice}}
    partial = {**kind_schema(), "title": whole["title"], "description": whole["description"]}
    return {**partial, "if": {"not": {"required": [EXTENDS]}}, "then": needed}


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "persona.schema.json": persona_schema,
    "kind.schema.json": kind_schema,
    "world.schema.json": world_schema,
}
