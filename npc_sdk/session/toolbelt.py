"""The tools of one NPC: what its prompts declare, and whether a call that the model wrote may reach the game.

Knows the world's tools and the NPC's allow-list. Reasons are written for the model, which reads them as the answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from npc_sdk.errors import SettingsError
from npc_sdk.messages import ToolSpec
from npc_sdk.persona.schema import Persona, WorldFile

MAX_REASON_CHARS = 300


class Toolbelt:
    """Raises: SettingsError for a persona with a tool that the world does not declare."""

    def __init__(self, persona: Persona, world: WorldFile) -> None:
        self._known = {tool.name: tool.spec() for tool in world.tools}
        missing = [name for name in persona.tools if name not in self._known]
        if missing:
            raise SettingsError(
                f"{persona.name} may use the tool {missing[0]!r}, which the world does not declare",
                hint=f"the world's tools: {', '.join(self._known) or 'none'}",
            )
        self.specs: tuple[ToolSpec, ...] = tuple(self._known[name] for name in persona.tools)
        self._validators = {spec.name: Draft202012Validator(dict(spec.parameters)) for spec in self.specs}

    def refusal(self, name: str, arguments: Mapping[str, Any]) -> str | None:
        """Why this call must not reach the game; None where it may."""
        reason = self._name_fault(name) or self._argument_fault(name, arguments)
        return reason if reason is None or len(reason) <= MAX_REASON_CHARS else f"{reason[: MAX_REASON_CHARS - 1]}…"

    def _name_fault(self, name: str) -> str | None:
        if name in self._validators:
            return None
        what = f"you may not use the tool {name!r}" if name in self._known else f"there is no tool {name[:60]!r}"
        close = difflib.get_close_matches(name[:60], list(self._validators), n=1)
        return f"{what}; {f'did you mean {close[0]}?' if close else f'your tools: {_listed(self._validators)}'}"

    def _argument_fault(self, name: str, arguments: Mapping[str, Any]) -> str | None:
        validator = self._validators[name]
        parameters: Mapping[str, Any] = self._known[name].parameters
        if not {"additionalProperties", "patternProperties"} & parameters.keys():
            unknown = [argument for argument in arguments if argument not in parameters["properties"]]
            if unknown:
                return f"{name} has no argument {unknown[0][:60]!r}; it takes: {_listed(parameters['properties'])}"
        fault = next(validator.iter_errors(dict(arguments)), None)
        if fault is None:
            return None
        place = ".".join(str(part) for part in fault.absolute_path)
        return f"{name}: {place}: {fault.message}" if place else f"{name}: {fault.message}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
