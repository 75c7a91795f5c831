"""Writes personas/*.schema.json from the models, for editors: `python -m npc_sdk.lore.publish [FOLDER]`.

A test fails while the published files differ from the models. Called by `npc new` too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from npc_sdk.lore.schema import LoreFile
from npc_sdk.persona.publish import SCHEMAS as PERSONA_SCHEMAS
from npc_sdk.persona.publish import model_schema
from npc_sdk.persona.publish import schema_text as schema_text


def lore_schema() -> dict[str, Any]:
    """That of a YAML lore file."""
    return model_schema(LoreFile)


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {**PERSONA_SCHEMAS, "lore.schema.json": lore_schema}


def publish(folder: Path) -> list[Path]:
    """Writes every schema into a folder."""
    written = []
    for name, schema in SCHEMAS.items():
        path = folder / name
        path.write_text(schema_text(schema), encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in publish(Path(sys.argv[1] if len(sys.argv) > 1 else "personas")):
        print(path)
