"""What `npc new` writes: which files, where, and with what in them; and the rules for names of folders and files.

Writes nothing over a file that is there. Called by cli/new.py.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from npc_sdk.cards.disk import write_files
from npc_sdk.cards.npc_id import DEVICES, ID_CHARS, freed, is_reserved, is_well_spelled
from npc_sdk.cli.starter import names_of, starter, yaml_text
from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.lore.content import LORE_FOLDER, WORLD_FOLDER
from npc_sdk.lore.publish import SCHEMAS, schema_text
from npc_sdk.persona.kind import KINDS_FOLDER
from npc_sdk.persona.load import PERSONA_FILE, WORLD_FILE, read_persona, read_world_file
from npc_sdk.persona.problem import name_hint, raise_if_any

_STARTER_NPC = "wren"


def content_root(chosen: Path | None) -> Path:
    """The content folder to write into: the chosen one, or the one that is here. Raises: SettingsError."""
    candidates = [chosen] if chosen else [Path("personas"), Path()]
    for folder in candidates:
        if (folder / WORLD_FOLDER).is_dir():
            return folder
    where = f"{str(chosen)!r} holds" if chosen else "here is"
    raise SettingsError(f"{where} no folder {WORLD_FOLDER!r}", hint="begin with: npc new world personas")


def checked_npc_id(name: str) -> str:
    """A character's id. Raises: SettingsError with a better one."""
    if is_reserved(name):
        raise SettingsError(f"{name!r} is reserved", hint=f"take another name: {freed(name)}")
    return checked_name(name, "character")


def checked_name(name: str, what: str) -> str:
    """A name that folders, files and other authored texts can use as it is. Raises: SettingsError with a better one."""
    if name in DEVICES:
        raise SettingsError(f"{name!r} is reserved: Windows has no such file", hint=f"take another name: {name}_1")
    if is_well_spelled(name):
        return name
    plain = unicodedata.normalize("NFKD", name[:400]).encode("ascii", "ignore").decode().lower()
    better = re.sub(r"[^a-z0-9]+", "_", plain).strip("_").lstrip("0123456789_")[:ID_CHARS] or what
    better = freed(better) if what == "character" else better
    raise SettingsError(
        f"{name!r} is no name for a {what}",
        hint=f"small letters, digits and '_', a letter first: {better}",
    )


def title_of(name: str) -> str:
    """``old_brann`` as a name that people use: ``Old Brann``."""
    return " ".join(part.capitalize() for part in name.split("_") if part)


def persona_files(root: Path, npc_id: str, name: str, extends: str | None) -> dict[Path, str]:
    """A character's persona.yaml. Raises: SettingsError for a kind that does not exist, ContentProblems."""
    values = _values(root) | {"NAME": yaml_text(name)}
    if extends is not None:
        values |= {"EXTENDS": f"extends: {_known_kind(root, extends)}", "REPLACES": _REPLACES}
    return {root / npc_id / PERSONA_FILE: starter("persona.yaml", values), **_missing_schemas(root)}


def kind_files(root: Path, name: str) -> dict[Path, str]:
    """A kind's file. Raises: ContentProblems."""
    values = _values(root) | {"KIND_NAME": name}
    others = [kind for kind in kinds_of(root) if kind != name]
    values["EXTENDS"] = f"#extends: {others[0]}" if others else "# extends: another_kind"
    return {root / WORLD_FOLDER / KINDS_FOLDER / f"{name}.yaml": starter("kind.yaml", values), **_missing_schemas(root)}


def lore_files(root: Path, name: str, npc_id: str | None, suffix: str) -> dict[Path, str]:
    """A lore file, of the world or of one character. Raises: SettingsError for an unknown one, ContentProblems."""
    cast = cast_of(root)
    if npc_id is not None and npc_id not in cast:
        raise SettingsError(f"there is no NPC {npc_id!r}", hint=name_hint(npc_id, cast, "NPCs"))
    path = root / (npc_id or WORLD_FOLDER) / LORE_FOLDER / f"{name}{suffix}"
    schema = Path(os.path.relpath(root / "lore.schema.json", path.parent)).as_posix()
    values = _values(root) | {"STEM": name, "TITLE": title_of(name), "SCHEMA": schema}
    values.pop("FACTION", None)
    values |= _ELMS if npc_id is None else {**_HOLLOW, "NPC": npc_id}
    values |= _member(root, [npc_id] if npc_id else cast)
    template = "lore.yaml" if suffix == ".yaml" else "own.md" if npc_id else "lore.md"
    return {path: starter(template, values), **_missing_schemas(root)}


def world_files(root: Path, name: str) -> dict[Path, str]:
    """A whole small world: its file, a kind, a page of lore and one character with a page of its own."""
    names = {**_STARTER_NAMES, "WORLD": name}
    values = {**names, "KIND_NAME": "villager", "STEM": "places"}
    world = root / WORLD_FOLDER
    return {
        world / WORLD_FILE: starter("world.yaml", values),
        world / KINDS_FOLDER / "villager.yaml": starter("kind.yaml", {**values, "EXTENDS": "# extends: another_kind"}),
        world / LORE_FOLDER / "places.md": starter("lore.md", {**values, "TITLE": "Places"}),
        root / _STARTER_NPC / PERSONA_FILE: starter("persona.yaml", {**values, **_STARTER_PERSONA}),
        root / _STARTER_NPC / LORE_FOLDER / "own.md": starter("own.md", {**values, "TITLE": "What only Wren knows"}),
        root / "README.md": starter("world_readme.md", values),
        **_missing_schemas(root),
    }


# What a new page of lore tells, for all or for one: two facts, because the same would give itself away.
_ELMS = {"SUBJECT": "elm", "TEXT": "Two elms stand where the road leaves the river."}
_HOLLOW = {"SUBJECT": "hollow", "TEXT": "Coins lie in a hollow behind the second elm."}
_STARTER_NAMES = {
    "FACTION": "watch", "PLACE": "bridge", "EVENT": "insulted", "TOOL": "give_item", "QUEST": "letter",
    "STAGE": "given", "DATE": "3 Thaw 298", "KIND": "villager", "NPC": _STARTER_NPC,
}  # fmt: skip
_REPLACES = "#replaces: [goals]"  # is a mistake where nothing is extended
_STARTER_PERSONA = {
    "EXTENDS": "extends: villager", "REPLACES": _REPLACES, "FACTIONS": "factions: [watch]", "NAME": "Wren",
}  # fmt: skip


def write_new(root: Path, files: Mapping[Path, str]) -> list[Path]:
    """Writes all files or none. Raises: SettingsError naming one that is there already, or cannot be written."""
    for path in files:
        if path.exists():
            raise SettingsError(f"{path} is there already", hint="nothing was written; take another name, or remove it")
    try:
        write_files(root, {path: text.encode() for path, text in files.items()})
    except ContentError as exc:
        raise SettingsError(f"{exc.path} {exc.message}", hint=exc.hint) from exc
    return list(files)


@contextmanager
def disk_told() -> Iterator[None]:
    """What the disk refuses while names are looked up, as a mistake of the user's. Raises: SettingsError."""
    try:
        yield
    except OSError as exc:
        where = str(exc.filename or "the folder")
        told = f"{where[:200]!r}: {(exc.strerror or str(exc)).lower()}"
        raise SettingsError(
            told, hint="nothing was written; is the name right, and may you read and write there?"
        ) from (exc)


def cast_of(root: Path) -> list[str]:
    """The characters of a content folder."""
    return sorted(path.parent.name for path in root.glob(f"*/{PERSONA_FILE}"))


def kinds_of(root: Path) -> list[str]:
    """The kinds of a content folder."""
    return sorted(path.stem for path in (root / WORLD_FOLDER / KINDS_FOLDER).glob("*.yaml"))


def _known_kind(root: Path, name: str) -> str:
    kinds = kinds_of(root)
    if name not in kinds:
        raise SettingsError(f"there is no kind {name!r}", hint=name_hint(name, kinds, "kinds"))
    return name


def _values(root: Path) -> dict[str, str]:
    """What the examples are filled with. Raises: ContentProblems where the world cannot be read."""
    found = read_world_file(root / WORLD_FOLDER / WORLD_FILE)
    raise_if_any(found.problems)
    kinds, cast = kinds_of(root), cast_of(root)
    values = names_of(found.value)
    values |= {"KIND": kinds[0]} if kinds else {}
    values |= {"NPC": cast[0]} if cast else {}
    values["REPLACES"] = f"#{_REPLACES}"
    values["FACTIONS"] = f"#factions: [{values['FACTION']}]" if "FACTION" in values else "##factions: [watch]"
    values["EXTENDS"] = f"#extends: {kinds[0]}" if kinds else "# extends: a kind, made by 'npc new kind NAME'"
    return values


def _member(root: Path, cast: Iterable[str]) -> dict[str, str]:
    """A faction of one of these characters, and that character: what only others know, nobody of them does."""
    for npc_id in cast:
        persona = read_persona(root / npc_id / PERSONA_FILE).value
        if persona is not None and persona.factions:
            return {"FACTION": persona.factions[0], "NPC": npc_id}
    return {}


def _missing_schemas(root: Path) -> dict[Path, str]:
    """What editors complete the keys from."""
    return {root / name: schema_text(schema) for name, schema in SCHEMAS.items() if not (root / name).exists()}
