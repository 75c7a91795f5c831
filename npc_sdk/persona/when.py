"""What conditions may ask for in a world: quests and stages, relationships, moods, places, names of the calendar.

Says what is misspelt, and whether a condition can hold at all. Called by persona/cast_check.py and lore/scope_check.py;
whether one holds at a moment is persona/condition.py's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from npc_sdk.messages import JsonValue
from npc_sdk.persona.comparison import bare_names, whole_texts
from npc_sdk.persona.condition import MAX_CHARS, check_condition, compared_texts, holds, looked_up
from npc_sdk.persona.fault import Fault, refuse_faults
from npc_sdk.persona.problem import meant_hint, name_hint, shown
from npc_sdk.persona.sandbox import LineError

RELATION = range(-10, 11)
_MAX_TRIES = 500
_HINT = "a condition compares what the game sets: quests.hammer == 'done' and relation.player >= 3"
_Choice: TypeAlias = str | int | None


def _refuse_wrong(text: str) -> str:
    refuse_faults(condition_faults(text))
    return text


Condition = Annotated[str, Field(max_length=MAX_CHARS), AfterValidator(_refuse_wrong)]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a condition can ask for by fixed names: quests with their stages, whom relation names, moods, date's parts.

    date has the names that a part can be, none for a number; it is empty where the world has no calendar. places are
    ids, names and aliases: a game may report any of them.
    """

    quests: Mapping[str, Sequence[str]] = field(default_factory=dict)
    relations: frozenset[str] = frozenset()
    moods: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    date: Mapping[str, Sequence[str]] = field(default_factory=dict)


def condition_faults(text: str, asked: Asked | None = None) -> Iterator[Fault]:
    """What is wrong with a condition; without asked, only whether it can be read."""
    try:
        check_condition(text)
    except LineError as exc:
        yield Fault((), f"{shown(text)}: {str(exc).removesuffix('.')}", _HINT)
        return
    if bare := [*_bare_faults(text)]:
        yield from bare
    elif asked is not None:
        found = [*_name_faults(text, asked), *_text_faults(text, asked), *_place_faults(text, asked)]
        yield from found
        if not found and _never_holds(text, asked):
            yield Fault((), f"{shown(text)} can never hold")


_NONE = {"quests": "declare them under 'quests:' of world.yaml"}
_ADD_RELATION = "add it under 'relationships:' of an NPC who can know this"
_STATE = frozenset({"quests", "relation", "date", "mood", "place", "player"})


def _bare_faults(text: str) -> Iterator[Fault]:
    """Words without quotes, where only a text can be meant."""
    for path, name in dict.fromkeys(bare_names(text)):
        if (path in {"mood", "place"} or path.startswith("quests.")) and name not in _STATE:
            yield Fault((), f"{path} is held against {name}, which is read as a variable", f"put {name!r} in quotes")


def _place_faults(text: str, asked: Asked) -> Iterator[Fault]:
    """Places by no name that they have; like the game's own words, a name may have capitals or not."""
    folded = {name.casefold() for name in asked.places}
    for path, value in dict.fromkeys(whole_texts(text)):
        if path == "place" and folded and " ".join(value.casefold().split()) not in folded:
            yield Fault((), f"there is no place {value!r}", name_hint(value, asked.places, "places"))


def _name_faults(text: str, asked: Asked) -> Iterator[Fault]:
    """Parts of quests, relation and date that there are not."""
    known = {"quests": asked.quests, "relation": asked.relations, "date": asked.date}
    what = {"quests": "quest", "relation": "relationship", "date": "part of a date"}
    for path in sorted(looked_up(text)):
        root, _, name = path.partition(".")
        names = known.get(root, ())
        if name and root in known and name not in names and (root != "date" or names):
            hint = name_hint(name, names, f"{what[root]}s") if names else _NONE.get(root, "")
            if root == "relation":
                hint = meant_hint(name, names) or _ADD_RELATION
            yield Fault((), f"{path}: there is no {what[root]} {name!r}", hint)


def _text_faults(text: str, asked: Asked) -> Iterator[Fault]:
    """Texts that something is held against and that it can never be."""
    choices = _choices(asked)
    for path, value in compared_texts(text):
        known = [choice for choice in choices.get(path, ()) if isinstance(choice, str)]
        if known and value not in known:
            yield Fault((), f"{path} is never {value!r}", name_hint(value, known, path))


def _choices(asked: Asked) -> dict[str, tuple[_Choice, ...]]:
    """Every value that what can be asked for may take; None: not set."""
    out: dict[str, tuple[_Choice, ...]] = {f"quests.{name}": (*stages, None) for name, stages in asked.quests.items()}
    out |= {f"relation.{name}": tuple(RELATION) for name in asked.relations}
    out |= {f"date.{part}": (*names, None) for part, names in asked.date.items() if names}
    return out | {"mood": (*sorted(asked.moods), None)}


def _never_holds(text: str, asked: Asked) -> bool:
    """Whether no state makes it true, found by trying; only where all that it asks for has few values."""
    paths = [path for path in looked_up(text) if path not in {"quests", "relation", "date"}]
    choices = _choices(asked)
    if not all(path in choices for path in paths):
        return False
    if math.prod(len(choices[path]) for path in paths) > _MAX_TRIES:
        return False
    tries = itertools.product(*(choices[path] for path in paths))
    return not any(holds(text, _state(zip(paths, values, strict=True)))[0] for values in tries)


def _state(values: Iterator[tuple[str, _Choice]]) -> dict[str, JsonValue]:
    state: dict[str, JsonValue] = {}
    groups: dict[str, dict[str, JsonValue]] = {"quests": {}, "relation": {}, "date": {}}
    for path, value in values:
        root, _, name = path.partition(".")
        if value is not None:
            (groups[root] if name else state)[name or root] = value
    return {**groups, **state}
