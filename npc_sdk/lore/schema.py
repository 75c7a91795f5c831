"""The shape of lore files, as pydantic models: a YAML lore file, and the attributes a Markdown file shares."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from npc_sdk.persona.schema import Authored, NpcId

MAX_ENTRIES = 10_000  # of one file

EntryId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,95}$")]
Key = Annotated[str, Field(min_length=1, max_length=60)]
Keys = Annotated[tuple[Key, ...], Field(max_length=32)]
Npcs = Annotated[tuple[NpcId, ...], Field(max_length=64)]


class Attributes(Authored):
    """What an entry can carry besides its text."""

    keys: Keys = Field(default=(), description="Words and phrases that bring the entry in when they are said.")
    npcs: Npcs = Field(default=(), description="Who knows it; nobody named means everybody.")


class LoreItem(Attributes):
    """One entry of a YAML lore file."""

    id: EntryId
    text: Annotated[str, Field(min_length=1, max_length=2000)] = Field(
        description="The passage: one to three sentences."
    )


class LoreFile(Authored):
    """A YAML lore file."""

    entries: tuple[LoreItem, ...] = Field(min_length=1, max_length=MAX_ENTRIES)
