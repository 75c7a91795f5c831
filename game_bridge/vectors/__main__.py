"""``python -m game_bridge.vectors`` writes the golden frames and PROTOCOL.md's tables; ``--check`` only compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgpack

from game_bridge import protocol
from game_bridge.vectors import Vector
from game_bridge.vectors.case import CLIENT_CASES, INVALID_CASES, SERVER_CASES
from game_bridge.vectors.reference import refresh

_HERE = Path(__file__).parent
_DOCUMENT = _HERE.parent / "PROTOCOL.md"


def make_vectors() -> list[Vector]:
    """Every valid case as the frames that our own encoder writes."""
    vectors = []
    for sender, cases in (("client", CLIENT_CASES), ("server", SERVER_CASES)):
        for name, message, blobs in cases:
            frames = tuple(protocol.encode(message, blobs))
            vectors.append(Vector(name, sender, frames, msgpack.unpackb(frames[0])))
    return vectors


def make_files() -> Mapping[Path, str]:
    """The text of every generated file."""
    vectors = make_vectors()
    valid = [
        {"name": vector.name, "sender": vector.sender, "frames": _hex(vector.frames), "body": vector.body}
        for vector in vectors
    ]
    invalid = [{"name": name, "code": code, "frames": _hex(frames)} for name, code, frames in INVALID_CASES]
    return {
        _HERE / "valid.json": _json(valid),
        _HERE / "invalid.json": _json(invalid),
        _DOCUMENT: refresh(_DOCUMENT.read_text(encoding="utf-8"), vectors),
    }


def main(arguments: list[str]) -> int:
    """Write the files, or name those that are stale."""
    stale = {
        path: text
        for path, text in make_files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        print(f"{'stale' if '--check' in arguments else 'written'}: {path.name}")
    return 1 if stale and "--check" in arguments else 0


def _hex(frames: tuple[bytes, ...]) -> list[str]:
    return [frame.hex() for frame in frames]


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
