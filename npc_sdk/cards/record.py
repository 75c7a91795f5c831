"""What an import wrote into a folder, kept beside it, so that the next import can take away what it does not write.

Without it a second part of a long lorebook, or a portrait, would outlive its card. Called by cards/imported.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from npc_sdk.cards.json_reader import read_json, write_json
from npc_sdk.errors import ContentError

RECORD_FILE = ".import.json"
CARD = "card"  # the record's key for a character; a lorebook's is its name
_WRITABLE = re.compile(r"persona\.yaml|card\.json|portrait\.png|lore/[a-z0-9][a-z0-9_-]{0,80}\.yaml")
_MAX_BYTES = 1_000_000
_HINT = "take the file away; what an earlier import wrote then stays"


def leftovers(home: Path, key: str, names: Iterable[str]) -> list[Path]:
    """What the import of the same thing wrote before and this one, which writes names, does not.

    Raises: ContentError where the record was spoilt.
    """
    stale = sorted(set(_read(home).get(key, ())) - set(names))
    return [home / name for name in stale if (home / name).is_file()]


def updated(home: Path, key: str, names: Iterable[str]) -> bytes:
    """The record with what is being written. Raises: ContentError where it was spoilt."""
    return write_json({**_read(home), key: sorted(names)}).encode()


def _read(home: Path) -> dict[str, list[str]]:
    """Nothing but names that an import can have written: whoever made the folder must not choose what is removed."""
    path = home / RECORD_FILE
    if not path.is_file() or path.is_symlink():
        return {}
    with path.open("rb") as file:
        value = read_json(file.read(_MAX_BYTES), path).value
    if not isinstance(value, dict):
        raise ContentError("is no record of an import", path=path, hint=_HINT)
    found: dict[str, list[str]] = {}
    for key, names in value.items():
        listed = [str(name) for name in names] if isinstance(names, list) else [""]
        wrong = next((name for name in listed if not _WRITABLE.fullmatch(name)), None)
        if wrong is not None:
            raise ContentError(f"names {wrong!r}, which no import writes", path=path, field=key, hint=_HINT)
        found[key] = listed
    return found
