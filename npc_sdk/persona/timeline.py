"""What happened before today, as world.yaml lists it, and how the world's proper names are said and varied.

Knows no calendar: persona/world_file.py holds dates against it. lore/content.py makes lore entries of these.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from npc_sdk.persona.authored import Authored, Line, Reference, Short
from npc_sdk.persona.calendar import DateText
from npc_sdk.persona.slug import slug
from npc_sdk.persona.when import Condition

_SLUG_WORDS = 6


class TimelineEntry(Authored):
    """Something that happened on a date; known from that day on."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,60}$")] | None = Field(
        default=None, description="Names it in traces; else it is made of its first words."
    )
    date: DateText
    text: Line = Field(description="What happened, in one or two sentences that make sense alone.")
    keys: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(
        default=(), max_length=32, description="Words and phrases that bring it in when they are said."
    )
    npcs: tuple[Reference, ...] = Field(default=(), max_length=64, description="Who knows it; nobody named: everybody.")
    factions: tuple[Reference, ...] = Field(default=(), max_length=64, description="Whose members know it.")
    places: tuple[Reference, ...] = Field(default=(), max_length=64, description="Where it is known.")
    when: Condition = Field(default="", description="Known only while this holds of the game's state.")

    @property
    def slug(self) -> str:
        """Its id within the timeline."""
        return self.id or slug(self.text, _SLUG_WORDS) or "entry"


class ProperName(Authored):
    """A name of the world: what else it is called, and how it sounds."""

    aliases: tuple[Short, ...] = Field(default=(), max_length=16, description="Count as the name in every search.")
    say: str = Field(default="", max_length=120, description='For the game\'s voices: "ih-ZOLE-duh".')


class LoreDefaults(Authored):
    """What every lorebook of this world starts from; a book's own keys come over it."""

    scan_depth: Annotated[int, Field(ge=0, le=100)] = Field(
        default=2, description="How many messages are searched for keys, the player's words being the first."
    )
    recursive: bool = Field(default=False, description="Whether the text of an entry can bring in others.")
    max_steps: Annotated[int, Field(ge=1, le=32)] = Field(default=8, description="How often that can go on.")
    budget_tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The most tokens that a book may take of a prompt."
    )
