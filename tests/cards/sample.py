"""Cards and lorebooks written by hand from the published specifications, in every container."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

WORLD = "name: Test\npremise: A village.\n"

V1: dict[str, Any] = {
    "name": "Aldous",
    "description": "{{char}} is an old ferryman. He knows the river.",
    "personality": "slow and kind",
    "scenario": "{{user}} waits at the ferry.",
    "first_mes": "Where to, {{user}}?",
    "mes_example": "<START>\n{{user}}: How deep is it?\n{{char}}: Deeper than you think.\n",
    "talkativeness": "0.5",
}
V2_ENTRY: dict[str, Any] = {
    "keys": ["ferry", "boat"],
    "content": "The ferry has carried {{char}}'s family for a hundred years.",
    "extensions": {"my_tool": {"colour": "blue"}},
    "enabled": True,
    "insertion_order": 10,
    "case_sensitive": False,
    "name": "The Ferry",
    "priority": 5,
    "id": 1,
    "comment": "old",
    "selective": True,
    "secondary_keys": ["old", "family"],
    "constant": False,
    "position": "before_char",
}
V2: dict[str, Any] = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        **{key: value for key, value in V1.items() if key != "talkativeness"},
        "creator_notes": "Have fun.",
        "system_prompt": "{{original}} Be brief.",
        "post_history_instructions": "Stay in character.",
        "alternate_greetings": ["Back again, {{user}}?"],
        "tags": ["river", "old"],
        "creator": "somebody",
        "character_version": "1.2",
        "extensions": {"other_program": {"nested": [1, 2, {"x": None}]}, "talkativeness": "0.5"},
        "character_book": {
            "name": "River",
            "description": "About the river",
            "scan_depth": 3,
            "token_budget": 400,
            "recursive_scanning": True,
            "extensions": {"other_program": True},
            "entries": [V2_ENTRY],
        },
    },
}
V3: dict[str, Any] = {
    "spec": "chara_card_v3",
    "spec_version": "3.0",
    "data": {
        **V2["data"],
        "nickname": "Al",
        "assets": [{"type": "icon", "uri": "ccdefault:", "name": "main", "ext": "png"}],
        "creator_notes_multilingual": {"en": "Have fun.", "de": "Viel Spaß."},
        "source": ["https://example.org/aldous"],
        "group_only_greetings": ["All aboard."],
        "creation_date": 1700000000,
        "modification_date": 0,
        "character_book": {
            **V2["data"]["character_book"],
            "entries": [
                {**V2_ENTRY, "use_regex": False},
                {
                    "keys": ["gr[ae]y (pike|eel)"],
                    "content": "@@scan_depth 5\n@@exclude_keys market\n\nA pike lives under the landing.",
                    "extensions": {},
                    "enabled": True,
                    "insertion_order": 20,
                    "use_regex": True,
                    "id": "pike",
                },
            ],
        },
    },
}
WORLD_INFO: dict[str, Any] = {
    "entries": {
        "0": {
            "uid": 0, "key": ["mill", "/mills?/i"], "keysecondary": ["fire", "ash"], "comment": "The mill",
            "content": "The mill burned down.", "constant": False, "vectorized": False, "selective": True,
            "selectiveLogic": 3, "addMemo": True, "order": 90, "position": 4, "disable": False,
            "excludeRecursion": True, "preventRecursion": True, "delayUntilRecursion": 2, "probability": 60,
            "useProbability": True, "depth": 4, "group": "news, weather", "groupOverride": True, "groupWeight": 30,
            "scanDepth": 7, "caseSensitive": True, "matchWholeWords": True, "useGroupScoring": True,
            "automationId": "", "role": 0, "sticky": 3, "cooldown": 4, "delay": 5, "displayIndex": 0,
            "ignoreBudget": True,
        },
        "1": {
            "uid": 1, "key": [], "keysecondary": [], "comment": "always", "content": "It is autumn.",
            "constant": True, "selective": True, "order": 100, "position": 0, "disable": True,
            "probability": 10, "useProbability": False, "matchWholeWords": False, "selectiveLogic": 0,
        },
    }
}  # fmt: skip
LOREBOOK_V3: dict[str, Any] = {"spec": "lorebook_v3", "data": V3["data"]["character_book"]}
WEBUI = "name: Aldous\ngreeting: Where to?\ncontext: |\n  Aldous is an old ferryman.\n  He knows the river.\n"

CARDS = {"v1": V1, "v2": V2, "v3": V3}


def picture(width: int = 40, height: int = 60) -> bytes:
    """A small PNG with nothing in it."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 140)).save(out, "PNG")
    return out.getvalue()


def chunk(kind: bytes, body: bytes, crc: int | None = None) -> bytes:
    """One part of a PNG, with a checksum of one's own where one is given."""
    number = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", number)


def png_with(*chunks: bytes, base: bytes | None = None) -> bytes:
    """A picture with these parts before its end."""
    plain = base or picture()
    return plain[:-12] + b"".join(chunks) + plain[-12:]


def text_chunk(card: Any, keyword: bytes = b"chara", kind: bytes = b"tEXt") -> bytes:
    """A card as a PNG's text, in one of the three kinds that a text can have."""
    coded = base64.b64encode(json.dumps(card).encode())
    body = {
        b"tEXt": coded,
        b"zTXt": b"\0" + zlib.compress(coded),
        b"iTXt": b"\0\0\0\0" + coded,
    }[kind]
    return chunk(kind, keyword + b"\0" + body)


def charx(card: Any, files: Mapping[str, bytes] | None = None) -> bytes:
    """A CHARX archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", json.dumps(card))
        for name, data in (files or {}).items():
            archive.writestr(name, data)
    return out.getvalue()


def contained(card: Mapping[str, Any], container: str) -> bytes:
    """A card in a container: json, png, ztxt, itxt or charx."""
    if container == "json":
        return json.dumps(card, ensure_ascii=False).encode()
    if container == "charx":
        return charx(card)
    keyword = b"ccv3" if card.get("spec") == "chara_card_v3" else b"chara"
    kind = {"png": b"tEXt", "ztxt": b"zTXt", "itxt": b"iTXt"}[container]
    return png_with(text_chunk(card, keyword, kind))


def file_of(folder: Path, name: str, data: bytes | str | Mapping[str, Any]) -> Path:
    """Writes a file of bytes, text or JSON."""
    path = folder / name
    text = data if isinstance(data, bytes | str) else json.dumps(data)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def content_folder(folder: Path) -> Path:
    """A content folder with a world and nobody in it."""
    root = folder / "personas"
    (root / "world").mkdir(parents=True)
    (root / "world" / "world.yaml").write_text(WORLD)
    return root
