"""What a persona's list of tools comes to: each tool once, with the limits and rules that hold for this NPC.

A tool's own entry comes over that of a set. Knows no state. Called by session/toolbelt.py; persona/tool_check.py tells
the same mistakes with their lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from npc_sdk.errors import SettingsError
from npc_sdk.persona.fault import Fault
from npc_sdk.persona.limit import widening_faults
from npc_sdk.persona.problem import name_hint
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.tool import Tool, ToolEntry


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool and the entries that bring it, the weakest first."""

    tool: Tool
    entries: tuple[ToolEntry, ...]

    @property
    def limits(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Parameters and what narrows them; all of it holds."""
        return [(name, limit) for entry in self.entries for name, limit in entry.limits.items()]

    def rule(self, name: str) -> Any:
        """A rule's value for this NPC: the last entry that sets it, or else the tool's."""
        value = getattr(self.tool, name)
        for entry in self.entries:
            value = entry.rules().get(name, value)
        return value


def offers(persona: Persona, world: WorldFile) -> tuple[Offer, ...]:
    """The tools in the order in which the persona first names them.

    Raises: SettingsError for a name that the world does not declare, and for a limit that does not fit.
    """
    chosen = [entry if isinstance(entry, ToolEntry) else ToolEntry(name=entry) for entry in persona.tools]
    for entry in chosen:
        if fault := next(entry_faults(entry.name, entry.limits, world), None):
            raise SettingsError(f"{persona.name} may use the tool {entry.name!r}, but {fault}")
    tools = {tool.name: tool for tool in world.tools}
    order = dict.fromkeys(name for entry in chosen for name in members(entry.name, world))
    return tuple(Offer(tools[name], _brought_by(name, chosen, world)) for name in order)


def members(name: str, world: WorldFile) -> Sequence[str]:
    """The tools that a name in a persona's list stands for; none where the world does not know it."""
    known = {tool.name: (tool.name,) for tool in world.tools}
    return known.get(name) or world.tool_sets.get(name, ())


def entry_faults(name: str, limits: Mapping[str, Mapping[str, Any]], world: WorldFile) -> Iterator[Fault]:
    """What is wrong with an entry in this world; places are inside the entry."""
    meant = members(name, world)
    if not meant:
        known = [*(tool.name for tool in world.tools), *world.tool_sets]
        what = "tools and sets" if world.tool_sets else "tools"
        yield Fault((), f"the world has no tool {name!r}", name_hint(name, known, what))
        return
    tools = [tool for tool in world.tools if tool.name in meant]
    properties = [tool.spec().parameters["properties"] for tool in tools]
    for parameter, limit in limits.items():
        limited = [known[parameter] for known in properties if parameter in known]
        if not limited:
            names = {parameter for known in properties for parameter in known}
            hint = name_hint(parameter, names, "parameters")
            yield Fault(("limits", parameter), f"{name} has no parameter {parameter!r}", hint)
        for schema in limited:
            yield from (fault.under("limits", parameter) for fault in widening_faults(schema, limit))


def _brought_by(name: str, chosen: Sequence[ToolEntry], world: WorldFile) -> tuple[ToolEntry, ...]:
    """The entries that stand for a tool, sets first; of their limits only those on its parameters."""
    tool = next(tool for tool in world.tools if tool.name == name)
    known = tool.spec().parameters["properties"]
    found = [entry for entry in chosen if name in members(entry.name, world)]
    found.sort(key=lambda entry: entry.name == name)
    return tuple(
        entry.model_copy(update={"limits": {one: of for one, of in entry.limits.items() if one in known}})
        for entry in found
    )
