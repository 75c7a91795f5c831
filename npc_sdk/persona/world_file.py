"""The shape of world.yaml: what all characters share, and what is wrong with it in itself.

Knows no files and no cast: persona/load.py reads it, lore/content.py holds the cast against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from npc_sdk.errors import SettingsError
from npc_sdk.messages import ToolSpec
from npc_sdk.persona.authored import Authored, Faction, Happening, Line, PlaceId, Short, ToolName
from npc_sdk.persona.calendar import Calendar, DateError
from npc_sdk.persona.fault import Fault, refuse_faults
from npc_sdk.persona.place import WorldPlace, place_called, place_faults, place_titles, with_inner
from npc_sdk.persona.problem import name_hint
from npc_sdk.persona.timeline import LoreDefaults, ProperName, TimelineEntry
from npc_sdk.persona.tool import Tool
from npc_sdk.persona.yaml_reader import field_name

ENGLISH = "English"
MAX_TIMELINE = 2000

_Stages = Annotated[tuple[Short, ...], Field(min_length=1, max_length=32)]


class WorldFile(Authored):
    """world.yaml: what all characters share."""

    name: Line
    premise: str = Field(default="", max_length=4000, description="One or two sentences that every character knows.")
    rules: tuple[Line, ...] = Field(default=(), max_length=20, description="Added to the rules of every prompt.")
    language: Short = Field(default=ENGLISH, description="What characters speak, and in which words lore is searched.")
    tools: tuple[Tool, ...] = Field(default=(), max_length=128, description="The actions that the game offers.")
    tool_sets: dict[ToolName, Annotated[tuple[ToolName, ...], Field(min_length=1, max_length=64)]] = Field(
        default_factory=dict,
        max_length=64,
        description="Names for tools that go together: {trade: [give_item, sell_item]}.",
    )
    places: dict[PlaceId, WorldPlace] = Field(default_factory=dict, max_length=1000, description="Places by their ids.")
    factions: dict[Faction, Line] = Field(
        default_factory=dict, max_length=200, description="Groups by their ids: {watch: the village watch}."
    )
    quests: dict[Short, _Stages] = Field(
        default_factory=dict,
        max_length=1000,
        description="Each quest with its stages, as the game reports them in the variable quests:"
        " {hammer: [not given, given, done]}.",
    )
    events: tuple[Happening, ...] = Field(
        default=(), max_length=256, description="What the game may report to have happened to an NPC: insulted."
    )
    calendar: Calendar | None = None
    timeline: tuple[TimelineEntry, ...] = Field(
        default=(), max_length=MAX_TIMELINE, description="What happened, each with its date; lore that is known since."
    )
    names: dict[Short, ProperName] = Field(
        default_factory=dict, max_length=1000, description="Proper names with their aliases and their sound."
    )
    lore: LoreDefaults = Field(default=LoreDefaults(), description="What every lorebook starts from.")

    def with_tools(self, specs: Iterable[ToolSpec]) -> WorldFile:
        """The same world with tools that a game declares in code. Raises: SettingsError for one that does not fit."""
        world = self
        for spec in specs:
            try:
                brought = Tool.from_spec(spec)
                world = WorldFile.model_validate({**dict(world), "tools": (*world.tools, brought)})
            except ValidationError as exc:
                first = exc.errors(include_url=False)[0]
                place = f"{field_name(first['loc'])}: " if first["loc"] else ""
                raise SettingsError(f"the game's tool {spec.name!r} does not fit: {place}{first['msg']}") from exc
        return world

    def place_id(self, told: str) -> str:
        """The place that a game means by an id, a name or an alias; empty where there is none."""
        return place_called(told, self.places)

    @property
    def place_titles(self) -> dict[str, str]:
        """The ids of places by their ids, names and aliases."""
        return place_titles(self.places)

    @property
    def faction_titles(self) -> dict[str, str]:
        """The ids of factions by what they are called."""
        return {title: faction for faction, title in self.factions.items()}

    def with_inner_places(self, place_ids: Iterable[str]) -> frozenset[str]:
        """These places and all that lie in them."""
        return with_inner(place_ids, self.places)

    @model_validator(mode="after")
    def _is_linked(self) -> Self:
        refuse_faults(
            [
                *self._tool_faults(),
                *self._set_faults(),
                *(fault.under("places") for fault in place_faults(self.places)),
                *self._event_faults(),
                *self._stage_faults(),
                *self._timeline_faults(),
            ]
        )
        return self

    def _tool_faults(self) -> Iterator[Fault]:
        seen: set[str] = set()
        for index, tool in enumerate(self.tools):
            if tool.name in seen:
                yield Fault(("tools", index, "name"), f"the tool {tool.name!r} is declared twice")
            seen.add(tool.name)

    def _set_faults(self) -> Iterator[Fault]:
        known = {tool.name for tool in self.tools}
        for name, members in self.tool_sets.items():
            if name in known:
                yield Fault(("tool_sets", name), f"{name!r} is the name of a tool too", "give the set another")
            for index, member in enumerate(members):
                if member not in known:
                    hint = name_hint(member, known, "tools")
                    yield Fault(("tool_sets", name, index), f"the world has no tool {member!r}", hint)
                elif member in members[:index]:
                    yield Fault(("tool_sets", name, index), f"the tool {member!r} is named twice")

    def _event_faults(self) -> Iterator[Fault]:
        tools = {tool.name for tool in self.tools}
        for index, event in enumerate(self.events):
            if event in tools:
                yield Fault(("events", index), f"{event!r} is the name of a tool too", "give the event another")
            elif event in self.events[:index]:
                yield Fault(("events", index), f"the event {event!r} is named twice")

    def _stage_faults(self) -> Iterator[Fault]:
        for quest, stages in self.quests.items():
            for index, stage in enumerate(stages):
                if stage in stages[:index]:
                    yield Fault(("quests", quest, index), f"the stage {stage!r} is named twice")

    def _timeline_faults(self) -> Iterator[Fault]:
        seen: dict[str, int] = {}
        for index, entry in enumerate(self.timeline):
            first = seen.setdefault(entry.slug, index)
            if first != index:
                hint = f"as timeline[{first}]; give one of them an 'id:'"
                yield Fault(("timeline", index), f"the id {entry.slug!r} is given twice", hint)
            if self.calendar is None:
                yield Fault(("timeline", index, "date"), "the world has no calendar", "write one under 'calendar:'")
                continue
            try:
                self.calendar.parse(entry.date)
            except DateError as exc:
                yield Fault(("timeline", index, "date"), exc.message, exc.hint)
