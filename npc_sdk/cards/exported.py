"""Turns a character's folder into a card V2 or V3. What nobody edited since the import goes out as it came in.

Whether it was edited is found by importing card.json again and comparing. Called by `npc export`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npc_sdk.cards.character import NO_STYLE
from npc_sdk.cards.entry import OWN
from npc_sdk.cards.exported_book import Lore, exported_book
from npc_sdk.cards.imported import CARD_FILE, PORTRAIT_FILE, ImportedCard, card_of
from npc_sdk.cards.json_reader import write_json
from npc_sdk.cards.macro import PLAYER
from npc_sdk.cards.passage import counted
from npc_sdk.cards.png import picture_with_card
from npc_sdk.cards.portrait import plain_picture, portrait
from npc_sdk.cards.report import Report
from npc_sdk.cards.shape import V2, V3, Card, recognize
from npc_sdk.cards.source import open_source
from npc_sdk.errors import ContentError
from npc_sdk.lore.content import WORLD_FOLDER, cast_folders, inspect_persona, inspect_world
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.persona.load import WORLD_FILE, Reading, read_world_file
from npc_sdk.persona.problem import name_hint, raise_if_any
from npc_sdk.persona.world_file import WorldFile

SPECS: Mapping[int, tuple[str, str, str]] = {2: (V2, "2.0", "chara"), 3: (V3, "3.0", "ccv3")}
_TEXTS = ("description", "personality", "scenario", "first_mes", "mes_example", "creator_notes", "system_prompt",
          "post_history_instructions", "creator", "character_version")  # fmt: skip
_MERGED = {"extends", "replaces"}  # of no use once the kind's part has joined the persona's
_FROM = {  # a card's field → what of the persona it is made of
    "name": ("name",),
    "description": ("name", "role", "description", "voice.style"),
    "personality": ("description", "voice.style"),
    "scenario": ("knows",),
    "first_mes": ("greeting",),
    "alternate_greetings": ("greeting",),
    "mes_example": ("voice.examples",),
}


@dataclass(frozen=True, slots=True)
class ExportedCard:
    """A card, ready to be written. picture is the PNG that carries it."""

    card: Mapping[str, Any]
    picture: bytes
    version: int
    report: Report

    def write(self, path: Path, *, force: bool = False) -> None:
        """Writes a .json or .png file. Raises: ContentError for another kind, or where the file is there already."""
        if path.suffix.lower() not in {".json", ".png"}:
            raise ContentError(f"a card of kind {path.suffix!r} cannot be written", path=path, hint="use .json or .png")
        if path.exists() and not force:
            raise ContentError("is there already", path=path, hint="replace it with --force")
        data = write_json(self.card).encode()
        if path.suffix.lower() == ".png":
            data = picture_with_card(self.picture, data, SPECS[self.version][2])
        try:
            path.write_bytes(data)
        except OSError as exc:
            raise ContentError(f"cannot be written: {exc.strerror}", path=path) from exc


def export_npc(
    root: Path, npc_id: str, *, version: int = 3, with_world_lore: bool = False, with_secrets: bool = True
) -> ExportedCard:
    """A character of a content folder as a card. Whoever opens it can read its secrets, also the conditional ones.

    Raises: ContentError where there is no such character, ContentProblems where its files have mistakes.
    """
    home, world, report = _home(root, npc_id), _world(root), Report()
    found, entries, problems = inspect_persona(home, world)
    raise_if_any(problems)
    assert found.document is not None, "a persona without mistakes was read"
    persona = dict(found.document.value) if isinstance(found.document.value, dict) else {}
    _tell_secrets(persona, report, is_kept=with_secrets)
    if not with_secrets:
        persona.pop("secrets", None)
    original = _original(home, report)
    before = _before(original, home, world) if original else ()
    data = {**_blank(version), **(original.data if original else {}), **_fields(persona, before, report)}
    shared = _shared(root, npc_id) if with_world_lore else ()
    lore = Lore(npc_id, entries, shared, world.value.calendar if world and world.value else None)
    book = exported_book(lore, data.pop("character_book", None), [one.lore for one in before], version, report)
    data |= {"character_book": book} if book else {}
    data["extensions"] = _with_own(data, persona, report)
    return ExportedCard(_wrapped(data, original, version), _picture(home, persona, report), version, report)


def _home(root: Path, npc_id: str) -> Path:
    """The character's folder. Raises: ContentError where there is none."""
    homes = {folder.name: folder for folder in cast_folders(root)[0]}
    if npc_id in homes:
        return homes[npc_id]
    raise ContentError(f"there is no NPC {npc_id!r}", path=root, hint=name_hint(npc_id, homes, "NPCs"))


def _tell_secrets(persona: Mapping[str, Any], report: Report, *, is_kept: bool) -> None:
    """Mutates: report."""
    count = len(persona.get("secrets") or ())
    told = counted(count, "secret", "secrets")
    if count and is_kept:
        why = f"whoever opens the card can read them, under {OWN} in its extensions, also those with a condition"
        report.approximated("secrets", told, f"{why}; --without-secrets leaves them out")
    elif count:
        report.left("secrets", told, "left out, as asked")


@dataclass(frozen=True, slots=True)
class _Before:
    """What an import of card.json gives today."""

    persona: Mapping[str, Any]
    lore: tuple[ImportedCard, Sequence[LoreEntry]]


def _world(root: Path) -> Reading[WorldFile] | None:
    path = root / WORLD_FOLDER / WORLD_FILE
    return read_world_file(path) if path.exists() else None


def _original(home: Path, report: Report) -> Card | None:
    """The card that the character was imported from."""
    path = home / CARD_FILE
    if not path.is_file():
        return None
    found = recognize(open_source(path).value, path, Report())
    if isinstance(found, Card):
        report.mapped(CARD_FILE, "card.json", "what was not edited since the import, as it came")
        return found
    raise ContentError("this is a lorebook, not the character's card", path=path, hint="take the file out")


def _before(original: Card, home: Path, world: Reading[WorldFile] | None) -> tuple[_Before, ...]:
    """With what our own export added, and without: either may have been imported."""
    found = []
    for is_ours in (True, False):
        card = card_of(original, Report(), home / CARD_FILE, npc_id=home.name, is_ours=is_ours)
        with tempfile.TemporaryDirectory() as folder:
            entries = inspect_persona(card.write(Path(folder)), world)[1]
        found.append(_Before(card.persona, (card, entries)))
    return tuple(found)


def _blank(version: int) -> dict[str, Any]:
    """What every card must have."""
    lists = ("alternate_greetings", "tags", "group_only_greetings")[:version]
    return {"name": "", **dict.fromkeys(_TEXTS, ""), **{key: [] for key in lists}, "extensions": {}}


def _fields(persona: Mapping[str, Any], before: Sequence[_Before], report: Report) -> dict[str, Any]:
    """The card's fields whose sources in the persona were edited, or that no card gave."""
    made = _made(persona, report)
    if before and not made["alternate_greetings"]:
        del made["alternate_greetings"]  # the card's own: an import takes one greeting, and leaves them there
    return {
        field: made[field]
        for field, sources in _FROM.items()
        if field in made
        and not any(all(_value(persona, name) == _value(one.persona, name) for name in sources) for one in before)
    }


def _value(persona: Mapping[str, Any], name: str) -> Any:
    head, _, tail = name.partition(".")
    value = persona.get(head)
    return _value(value, tail) if tail and isinstance(value, dict) else value or None


def _made(persona: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """A card's fields from the persona alone."""
    name, style = persona["name"], persona["voice"]["style"]
    greeting = persona.get("greeting") or []
    said = [line for one in ([greeting] if isinstance(greeting, str) else greeting) if (line := _said(one, report))]
    examples = "\n".join(f"{{{{char}}}}: {line}" for line in persona["voice"].get("examples", ()))
    return {
        "name": name,
        "description": f"{name} is {persona['role'].rstrip('.')}.\n{persona.get('description', '')}".strip(),
        "personality": "" if style == NO_STYLE else style,
        "scenario": "\n".join(persona.get("knows", ())),
        "first_mes": said[0] if said else "",
        "alternate_greetings": said[1:],
        "mes_example": f"<START>\n{examples}" if examples else "",
    }


def _said(greeting: str, report: Report) -> str:
    """A greeting with the macro for the player; one that asks for more of the game's state stays ours."""
    line = greeting.replace(PLAYER, "{{user}}")
    if "{%" in line or "{{" in line.replace("{{user}}", ""):
        report.approximated("greeting", greeting[:40], f"other programs do not know its variables; under {OWN} alone")
        return ""
    return line


def _with_own(data: Mapping[str, Any], persona: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """The card's extensions, and among them all of the persona that the card's fields do not give back."""
    given = data.get("extensions")
    extensions = {key: value for key, value in given.items() if key != OWN} if isinstance(given, dict) else {}
    bare = Card("2", {**data, "extensions": {}, "character_book": None}, "", {})
    back = card_of(bare, Report(), Path(CARD_FILE), npc_id="x").persona
    lost = {key: value for key, value in persona.items() if back.get(key) != value and key not in _MERGED}
    for key in lost:
        report.approximated(key, "keys of our own", f"other programs have no such field; under {OWN} in the extensions")
    return {**extensions, OWN: {"persona": lost}} if lost else extensions


def _wrapped(data: dict[str, Any], original: Card | None, version: int) -> dict[str, Any]:
    """The whole card; what stood beside `data`, or in a V1 card, stays there."""
    spec, spec_version, _ = SPECS[version]
    beside: dict[str, Any] = {}
    if original and original.place:
        beside = {key: value for key, value in original.original.items() if key not in {"spec", "spec_version", "data"}}
        beside |= {key: data[key] for key in beside if key in data}
    return {"spec": spec, "spec_version": spec_version, "data": data, **beside}


def _shared(root: Path, npc_id: str) -> tuple[LoreEntry, ...]:
    """What of the world's lore the character can know. Raises: ContentProblems."""
    found = inspect_world(root)
    raise_if_any(found.problems)
    assert found.content is not None, "a folder without mistakes has content"
    factions = set(found.content.personas[npc_id].factions)
    return tuple(entry for entry in found.content.lore if _may_know(entry, npc_id, factions))


def _may_know(entry: LoreEntry, npc_id: str, factions: set[str]) -> bool:
    scope = entry.scope
    is_own = scope.npc_ids == {npc_id} and entry.entry_id.startswith(f"{npc_id}.")
    is_named = npc_id in scope.npc_ids or bool(factions & scope.factions)
    return not is_own and (is_named or not (scope.npc_ids or scope.factions))


def _picture(home: Path, persona: Mapping[str, Any], report: Report) -> bytes:
    path = home / PORTRAIT_FILE
    found = portrait(path.read_bytes()) if path.is_file() else None
    if found and found.png:
        return found.png
    why = found.note if found else f"the folder has no {PORTRAIT_FILE}"
    report.approximated(PORTRAIT_FILE, "portrait", f"a plain picture carries the card: {why}")
    return plain_picture(str(persona["name"]))
