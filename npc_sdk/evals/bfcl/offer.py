"""A row's functions as tools that a model is offered, under names that every engine takes, and the way back.

Many functions have a dot in their name, which services and some dialects do not allow. Called by ask.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from npc_sdk.decoding.tool_formats.interface import ParsedCall
from npc_sdk.evals.bfcl.row import Function
from npc_sdk.evals.bfcl.schema import parameters_schema
from npc_sdk.messages import ToolSpec

MAX_NAME_CHARS = 64
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Offer:
    """names leads from what a tool is called here to what the row calls the function."""

    specs: tuple[ToolSpec, ...]
    names: Mapping[str, str]

    @classmethod
    def of(cls, functions: Sequence[Function]) -> Offer:
        """The functions of a row that was read, whose descriptions are known to be sound."""
        offered = _offered_names([function.name for function in functions])
        specs = [ToolSpec(offered[one.name], one.description, parameters_schema(one.parameters)) for one in functions]
        return cls(tuple(specs), {name: original for original, name in offered.items()})

    def original(self, call: ParsedCall) -> ParsedCall:
        """The call under the row's own name; one of a tool that was never offered keeps what the model wrote."""
        return ParsedCall(self.names.get(call.name, call.name), call.arguments)


def _offered_names(originals: Sequence[str]) -> dict[str, str]:
    """A name for each. Those that can stay do, so that none of the others takes theirs."""
    out = {name: name for name in originals if _is_sound(name)}
    for name in originals:
        if name not in out:
            out[name] = _free_name(name, set(out.values()))
    return out


def _is_sound(name: str) -> bool:
    return len(name) <= MAX_NAME_CHARS and not _NOT_IN_A_NAME.search(name)


def _free_name(name: str, taken: set[str]) -> str:
    """The name with underscores for what it may not hold, numbered where that is somebody's already."""
    base = _NOT_IN_A_NAME.sub("_", name)[:MAX_NAME_CHARS]
    out, number = base, 2
    while out in taken:
        ending = f"_{number}"
        out, number = base[: MAX_NAME_CHARS - len(ending)] + ending, number + 1
    return out
