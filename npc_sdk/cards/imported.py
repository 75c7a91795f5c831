"""Turns a foreign file into content of ours: a character's folder, or a lore file, with a report of what became of it.

The way in: open the file, tell what it is, map it. Called by `npc import` and by cards/exported.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npc_sdk.cards.audience import Audience
from npc_sdk.cards.book import BookText, read_book
from npc_sdk.cards.character import NAME_CHARS, persona_of, tell_rest, with_own_keys
from npc_sdk.cards.disk import refuse_strays, write_files
from npc_sdk.cards.field import Fields
from npc_sdk.cards.json_reader import write_json
from npc_sdk.cards.macro import Macros, clean_braces
from npc_sdk.cards.npc_id import DEVICES, freed
from npc_sdk.cards.passage import clean, cut, one_line, slug
from npc_sdk.cards.portrait import Portrait, portrait
from npc_sdk.cards.record import CARD, RECORD_FILE, leftovers, updated
from npc_sdk.cards.report import Report
from npc_sdk.cards.shape import Card, Lorebook, recognize
from npc_sdk.cards.source import Source, open_source
from npc_sdk.cards.yaml_writer import to_yaml
from npc_sdk.errors import ContentError
from npc_sdk.persona.load import PERSONA_FILE

CARD_FILE, PORTRAIT_FILE, LORE_FOLDER = "card.json", "portrait.png", "lore"
OWN_BOOK = "book"
_ID_CHARS = 40


@dataclass(frozen=True, slots=True)
class ImportedCard:
    """A character, ready to be written. original is the card as it was, kept for the export."""

    npc_id: str
    persona: Mapping[str, Any]
    lore: BookText
    portrait: bytes | None
    original: Mapping[str, Any]
    report: Report

    def write(self, folder: Path, *, force: bool = False) -> Path:
        """Writes the character's folder under a content folder and returns it; takes away what stale() names.

        Raises: ContentError where it is there already and is not to be replaced, or a link stands in the way.
        """
        home = folder / self.npc_id
        if home.exists() and not force:
            raise _exists(home)
        _write(folder, home, CARD, self._files())
        return home

    def stale(self, folder: Path) -> list[Path]:
        """What the import before this one wrote there and this one does not write. Raises: ContentError."""
        return leftovers(folder / self.npc_id, CARD, self._files())

    def _files(self) -> dict[str, bytes]:
        files = {PERSONA_FILE: to_yaml(self.persona, "../persona.schema.json").encode()}
        files |= {f"{LORE_FOLDER}/{name}": data for name, data in lore_files(self.lore, OWN_BOOK, "../..").items()}
        files[CARD_FILE] = write_json(self.original).encode()
        if self.portrait:
            files[PORTRAIT_FILE] = self.portrait
        return files


@dataclass(frozen=True, slots=True)
class ImportedBook:
    """A lorebook, ready to be written. name is that of its file."""

    name: str
    lore: BookText
    report: Report

    def write(self, lore_folder: Path, *, force: bool = False) -> list[Path]:
        """Writes its file, or files where it is long, and returns them; takes away what stale() names.

        Raises: ContentError where one is there already and is not to be replaced, or a link stands in the way.
        """
        files = self._files()
        home = lore_folder.parent
        for name in files:
            if (home / name).exists() and not force:
                raise _exists(home / name)
        _write(home.parent, home, self.name, files)
        return [home / name for name in files]

    def stale(self, lore_folder: Path) -> list[Path]:
        """What the import before this one wrote there and this one does not write. Raises: ContentError."""
        return leftovers(lore_folder.parent, self.name, self._files())

    def _files(self) -> dict[str, bytes]:
        return {f"{LORE_FOLDER}/{name}": data for name, data in lore_files(self.lore, self.name, "../..").items()}


def import_file(
    path: Path | str, *, npc_id: str = "", cast: Mapping[str, str] | None = None, is_ours: bool = False
) -> ImportedCard | ImportedBook:
    """Reads a card or a lorebook. cast gives the names of who is there already, by npc_id.

    is_ours takes in what our own export added; only for files from people you trust.
    Raises: ContentError naming the file and the place, for whatever is no card, too large or damaged.
    """
    source = open_source(Path(path))
    report = Report()
    for note in source.notes:
        report.left("", source.container, note)
    found = recognize(source.value, source.path, report)
    if isinstance(found, Lorebook):
        names = {one: (name,) for one, name in (cast or {}).items()}
        audience = Audience({npc_id: (), **names} if npc_id else names, npc_id)
        return _book(found, source, report, audience=audience, is_ours=is_ours)
    card = card_of(found, report, source.path, npc_id=npc_id, is_ours=is_ours)
    picture = _portrait(found, source, report)
    return dataclasses.replace(card, portrait=picture.png) if picture else card


def card_of(card: Card, report: Report, path: Path, *, npc_id: str = "", is_ours: bool = False) -> ImportedCard:
    """A card that has been read already, without its picture. path is named in errors."""
    fields = Fields(card.data, card.place, report)
    name = cut(one_line(clean(fields.text("name"))), NAME_CHARS)
    if not name:
        raise ContentError("the card has no name", path=path, field=fields.where("name"))
    called = cut(one_line(clean(fields.text("nickname"))), NAME_CHARS) or name
    macros = Macros(clean_braces(called)[:NAME_CHARS], report)
    name = cut(one_line(macros.plain(name, fields.where("name"))), NAME_CHARS) or macros.char
    persona = persona_of(fields, name, macros)
    if is_ours:
        persona = with_own_keys(persona, fields)
    npc_id = npc_id or _npc_id(name, path)
    audience = Audience({npc_id: (name, called)}, npc_id)
    lore = read_book(fields.child("character_book"), macros, audience=audience, is_ours=is_ours)
    tell_rest(fields, is_ours=is_ours)
    _tell_top(card, report)
    return ImportedCard(npc_id, persona, lore, None, card.original, report)


def lore_files(lore: BookText, name: str, root: str) -> dict[str, bytes]:
    """The files of a book by their names; root leads from their folder to the schemas."""
    values = lore.files()
    names = [f"{name}.yaml" if number == 1 else f"{name}-{number}.yaml" for number in range(1, len(values) + 1)]
    schema = f"{root}/lore.schema.json"
    return {name: to_yaml(value, schema).encode() for name, value in zip(names, values, strict=True)}


def _book(found: Lorebook, source: Source, report: Report, *, audience: Audience, is_ours: bool) -> ImportedBook:
    title = found.data.get("name")
    named = slug(title, "-", _ID_CHARS) if isinstance(title, str) else ""
    name = named or slug(source.path.stem, "-", _ID_CHARS) or OWN_BOOK
    name = f"{name}-{OWN_BOOK}" if name in DEVICES or name == CARD else name
    report.mapped("", found.kind, f"lore file {name}.yaml")
    fields = Fields(found.data, found.place, report)
    # In the world's lore an id is unique among all books; a character's own is prefixed by its reader.
    prefix = "" if audience.owner else name
    lore = read_book(fields, Macros("the character", report), prefix, audience=audience, is_ours=is_ours)
    if not lore.items:
        raise ContentError("the lorebook holds no entry that says anything", path=source.path, field="entries")
    return ImportedBook(name, lore, report)


def _portrait(card: Card, source: Source, report: Report) -> Portrait | None:
    picture, where = source.picture, "picture"
    if picture is None:
        uri = _icon_uri(card)
        picture, where = source.icon(uri), uri
    if picture is None:
        return None
    found = portrait(picture)
    if found.png is None:
        report.left(where[:80], "portrait", found.note)
    elif found.note:
        report.approximated(where[:80], "portrait", found.note)
    else:
        report.mapped(where[:80], "portrait", PORTRAIT_FILE)
    return found


def _icon_uri(card: Card) -> str:
    """The address of the main icon among a card's assets."""
    assets = card.data.get("assets")
    listed = [one for one in assets[:1000] if isinstance(one, dict)] if isinstance(assets, list) else []
    icons = [one for one in listed if one.get("type") == "icon" and isinstance(one.get("uri"), str)]
    icons.sort(key=lambda one: one.get("name") != "main")
    return str(icons[0]["uri"]) if icons else ""


def _tell_top(card: Card, report: Report) -> None:
    """Fields beside `data`, which SillyTavern repeats from V1. Mutates: report."""
    if card.place:
        known = {"spec", "spec_version", "data", *card.data}
        for key in card.original:
            if key not in known:
                report.left(key[:40], key[:40], f"kept in {CARD_FILE}")


def _npc_id(name: str, path: Path) -> str:
    for text in (name, path.stem):
        found = slug(text, "_", _ID_CHARS).lstrip("0123456789_")
        if found:
            return freed(found)
    return "npc"


def _write(root: Path, home: Path, key: str, files: Mapping[str, bytes]) -> None:
    """Raises: ContentError where the disk refuses, or a path leads out of the root."""
    refuse_strays(root, [home / RECORD_FILE])  # before the record is read
    stale = leftovers(home, key, files)
    files = {**files, RECORD_FILE: updated(home, key, files)}
    write_files(root, {home / name: data for name, data in files.items()}, stale)


def _exists(path: Path) -> ContentError:
    return ContentError("is there already", path=path, hint="choose another name with --as, or replace it with --force")
