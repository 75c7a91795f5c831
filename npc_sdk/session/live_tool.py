"""What one NPC may call at this moment, by which rules, and why a call that it wrote may not reach the game.

Resolved by the toolbelt at each round of a reply; read by reply and call desk. Reasons are written for the model, which
reads them as the answer.
"""

from __future__ import annotations

import difflib
import itertools
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from npc_sdk.messages import ToolSpec

MAX_REASON_CHARS = 300
_MAX_SHOWN_CHARS = 60
_MAX_FAULTS = 16  # are looked at; the one that says what there is to choose from is told first


@dataclass(frozen=True, slots=True)
class ToolRule:
    """One tool as this NPC may use it. is_parallel: it may run beside others of the same run, which else wait their
    turn. needs_confirmation: the player must agree before the game is asked.

    Units: per_reply and per_minute in calls; None sets no limit.
    """

    is_parallel: bool = False
    needs_confirmation: bool = False
    per_reply: int | None = None
    per_minute: int | None = None
    cooldown_s: float = 0.0
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class LiveTools:
    """specs may be called, with the values that hold now; left_out names the NPC's other tools and why each is out.

    rules holds those of all its tools; others are the world's tools that this NPC never has.
    """

    specs: tuple[ToolSpec, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    rules: Mapping[str, ToolRule] = field(default_factory=dict)
    others: frozenset[str] = frozenset()

    def refusal(self, name: str, arguments: Mapping[str, Any]) -> str | None:
        """Why this call must not reach the game now; None where it may."""
        spec = next((spec for spec in self.specs if spec.name == name), None)
        reason = self._name_fault(name) if spec is None else _argument_fault(spec, arguments)
        return reason if reason is None or len(reason) <= MAX_REASON_CHARS else f"{reason[: MAX_REASON_CHARS - 1]}…"

    def _name_fault(self, name: str) -> str:
        for left_out, why in self.left_out:
            if left_out == name:
                return f"you cannot use {name} now: {why}"
        shown = name[:_MAX_SHOWN_CHARS]
        what = f"you may not use the tool {shown!r}" if name in self.others else f"there is no tool {shown!r}"
        names = [spec.name for spec in self.specs]
        close = difflib.get_close_matches(shown, names, n=1)
        return f"{what}; {f'did you mean {close[0]}?' if close else f'your tools: {_listed(names)}'}"


def _argument_fault(spec: ToolSpec, arguments: Mapping[str, Any]) -> str | None:
    known = {name: of for name, of in spec.parameters.get("properties", {}).items() if of is not False}
    if spec.parameters.get("additionalProperties") is False:
        unknown = [argument for argument in arguments if argument not in known]
        if unknown:
            return f"{spec.name} has no argument {unknown[0][:_MAX_SHOWN_CHARS]!r}; it takes: {_listed(known)}"
    faults = Draft202012Validator(dict(spec.parameters)).iter_errors(dict(arguments))
    first = sorted(itertools.islice(faults, _MAX_FAULTS), key=lambda fault: fault.validator != "enum")
    return _worded(spec.name, first[0]) if first else None


def _worded(name: str, fault: ValidationError) -> str:
    """What is wrong with an argument, and for a choice what there is to choose from."""
    place = ".".join(str(part) for part in fault.absolute_path)
    if fault.validator == "enum":
        shown, choices = repr(fault.instance)[:_MAX_SHOWN_CHARS], typing.cast("Iterable[Any]", fault.validator_value)
        return f"you cannot {name} {shown} now; {place} can be: {_listed(map(str, choices))}"
    return f"{name}: {place}: {fault.message}" if place else f"{name}: {fault.message}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
