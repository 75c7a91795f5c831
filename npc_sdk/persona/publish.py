"""Writes personas/*.schema.json from the models, for editors: `python -m npc_sdk.persona.publish [FOLDER]`.

A test fails while the published files differ from the models.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from npc_sdk.persona.schema import Persona, WorldFile

SCHEMAS: Mapping[str, type[BaseModel]] = {"persona.schema.json": Persona, "world.schema.json": WorldFile}


def schema_text(model: type[BaseModel]) -> str:
    """The JSON Schema of a model as it is published."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def publish(folder: Path) -> list[Path]:
    """Writes every schema into a folder."""
    written = []
    for name, model in SCHEMAS.items():
        path = folder / name
        path.write_text(schema_text(model), encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in publish(Path(sys.argv[1] if len(sys.argv) > 1 else "personas")):
        print(path)
