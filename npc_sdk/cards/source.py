"""Opens a foreign file, whatever holds the card: JSON, a PNG, a CHARX archive or YAML. Goes by content, not by name.

Knows no card's fields. Called by cards/imported.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from npc_sdk.cards import charx, png
from npc_sdk.cards.json_reader import MAX_BYTES, read_json
from npc_sdk.errors import ContentError
from npc_sdk.messages import JsonValue
from npc_sdk.persona.yaml_reader import parse_yaml, read_text

_MAX_PNG_BYTES = 50_000_000
_MAX_YAML_BYTES = 100_000  # one character; larger files would take our parser a second
_OTHER_KINDS = (  # signs of files that people take for cards
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"RIFF", "a WebP picture or a sound"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "a database"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file's value, as plain data. icon finds the picture behind an asset's address; None where there is none."""

    path: Path
    value: JsonValue
    container: str
    picture: bytes | None = None
    icon: Callable[[str], bytes | None] = lambda _uri: None
    notes: tuple[str, ...] = ()


def open_source(path: Path) -> Source:
    """Raises: ContentError where the file cannot be read or is of no kind that holds cards."""
    try:
        head = _head(path)
        if head.startswith(png.SIGNATURE):
            return _from_png(path)
        if head.startswith(b"PK") or path.suffix.lower() == ".charx":
            return _from_archive(path)
        for sign, told in _OTHER_KINDS:
            if head.startswith(sign):
                hint = "cards come as PNG, JSON, CHARX or YAML"
                raise ContentError(f"this is {told}", path=path, hint=hint)
        if path.suffix.lower() in {".yaml", ".yml"}:
            return _from_yaml(path)
        found = read_json(_bounded(path, MAX_BYTES), path)
    except OSError as exc:
        raise ContentError(f"cannot be read: {exc.strerror or exc}", path=path) from exc
    return Source(path, found.value, "JSON", notes=found.notes)


def _head(path: Path) -> bytes:
    if not path.is_file():
        told = "is not a plain file" if path.exists() else "does not exist"
        raise ContentError(f"the file {path.name!r} {told}", path=path)
    with path.open("rb") as file:
        return file.read(16)


def _bounded(path: Path, limit: int) -> bytes:
    """The file's bytes, of which at most one more than allowed is ever read."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ContentError(f"the file has more than {limit:,} bytes", path=path, hint="no card needs that")
    return data


def _from_png(path: Path) -> Source:
    found = png.read_card_picture(_bounded(path, _MAX_PNG_BYTES), path)
    card = read_json(found.card, path)
    return Source(path, card.value, "PNG", found.picture, notes=(*found.notes, *card.notes))


def _from_archive(path: Path) -> Source:
    found = charx.read_archive(path)
    card = read_json(found.card, path)
    others = len(found.names) - 1
    told = (f"{others:,} other files in the archive; of these only the main icon is taken",) if others else ()
    return Source(path, card.value, "CHARX", icon=found.picture, notes=(*told, *card.notes))


def _from_yaml(path: Path) -> Source:
    if (size := path.stat().st_size) > _MAX_YAML_BYTES:
        raise ContentError(f"the file has {size:,} bytes", path=path, hint=f"at most {_MAX_YAML_BYTES:,} of YAML")
    return Source(path, parse_yaml(read_text(path), path).value, "YAML")
