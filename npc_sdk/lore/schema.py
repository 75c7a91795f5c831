"""The shape of lore files, as pydantic models: what an entry can carry, what a file says for all of its entries.

lore.schema.json is made from LoreFile. A Markdown section has the same attributes as an entry of a YAML file; the
readers hold both against LoreItem.
"""

from __future__ import annotations

from typing import Annotated, TypeVar, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from npc_sdk.lore.entry import Always, KeyMatch, Logic
from npc_sdk.persona.authored import Authored, Line, Reference, Short
from npc_sdk.persona.calendar import DateText
from npc_sdk.persona.fault import Fault, refuse_faults
from npc_sdk.persona.problem import name_hint, shown
from npc_sdk.persona.slug import is_sign
from npc_sdk.persona.when import Condition

MAX_ENTRIES = 10_000  # of one file
MAX_SPAN = 100_000  # messages
MAX_STEPS = 32

_SWITCHES = ("activate", "dont_activate")
_ID_SIGNS = "small letters, digits, '_', '.' and '-', a letter or a digit first"
_T = TypeVar("_T", bound="Attributes")


def _refuse_unknown(value: object, known: tuple[str, ...], what: str, many: str) -> object:
    if isinstance(value, str) and value not in known:
        refuse_faults([Fault((), f"there is no {what} {shown(value)}", name_hint(value, known, many))])
    return value


def _known_logic(value: object) -> object:
    return _refuse_unknown(value, get_args(Logic), "logic", "logics")


def _known_match(value: object) -> object:
    return _refuse_unknown(value, get_args(KeyMatch), "way to match", "ways")


def _known_switch(value: object) -> object:
    return _refuse_unknown(value, _SWITCHES, "switch", "switches")


def _one_or_many(value: object) -> object:
    """One name stands for a list of it."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _step(value: object) -> object:
    """``true`` is the first step of recursion."""
    return int(value) if isinstance(value, bool) else value


def _no_doubles(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _id_in_words(value: object) -> object:
    """Says it in words before pydantic shows its pattern."""
    if isinstance(value, str) and not 0 < len(value) <= 96:
        refuse_faults([Fault((), f"should have 1 to 96 characters, not {shown(value)}")])
    if isinstance(value, str) and not _is_id(value):
        refuse_faults([Fault((), f"{shown(value)} is no id", _ID_SIGNS)])
    return value


def _is_id(value: str) -> bool:
    return value[0].isalnum() and value == value.lower() and all(sign in "_.-" or is_sign(sign) for sign in value)


# Letters of any script; of ASCII only small ones, digits and a few signs.
EntryId = Annotated[
    str, Field(pattern=r"^[^\x00-/:-`{-\x7f][^\x00-,/:-^`{-\x7f]{0,95}$"), BeforeValidator(_id_in_words)
]
Key = Annotated[str, Field(min_length=1, max_length=200)]
Keys = Annotated[tuple[Key, ...], Field(max_length=64), AfterValidator(_no_doubles)]
Groups = Annotated[
    tuple[Short, ...],
    Field(max_length=16),
    BeforeValidator(_one_or_many, json_schema_input_type=Short | list[Short]),
    AfterValidator(_no_doubles),
]
Span = Annotated[int, Field(ge=0, le=MAX_SPAN)]
Depth = Annotated[int, Field(ge=0, le=100)]
Rank = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]


class Attributes(Authored):
    """What an entry can carry besides its text, and what a file can say for all of its entries."""

    keys: Keys = Field(
        default=(),
        description="Words and phrases that bring the entry in when they are said. Between slashes, a regular"
        " expression: /gr[ae]y (wolf|wolves)/i",
    )
    secondary_keys: Keys = Field(default=(), description="Keys that are asked for besides; logic says how.")
    logic: Annotated[Logic, BeforeValidator(_known_logic)] = Field(
        default="and_any",
        description="Which secondary keys must have been said besides a key: any of them (and_any), all (and_all),"
        " none (not_any), not all (not_all).",
    )
    excluded_keys: Keys = Field(default=(), description="Keys that keep the entry out when they are said.")
    match: Annotated[KeyMatch, BeforeValidator(_known_match)] = Field(
        default="words",
        description="How keys are held against what was said: whole words with their endings ignored (words), a single"
        " word exactly as written (whole), or text found anywhere (plain).",
    )
    case_sensitive: bool = Field(default=False, description="Whether capitals of keys count.")
    constant: bool = Field(default=False, description="Always in, whatever is said.")
    essential: bool = Field(default=False, description="Never left out for want of room, once it is in.")
    search: bool | None = Field(
        default=None,
        description="Whether it may also be found by words and meaning where no key of it was said. Left out: yes,"
        " but not where a rule decides that a search cannot follow (secondary_keys, excluded_keys, always, group,"
        " probability, delay_until_recursion).",
    )
    enabled: bool = Field(default=True, description="false switches the entry off.")
    probability: Annotated[float, Field(ge=0, le=100)] = Field(
        default=100, description="Percent of the times that it comes in when its keys were said."
    )
    sticky: Span = Field(default=0, description="For how many messages it stays in once it came in.")
    cooldown: Span = Field(default=0, description="For how many messages it rests after it was in.")
    delay: Span = Field(default=0, description="It cannot come in before the conversation has so many messages.")
    group: Groups = Field(default=(), description="A name, or several: of the entries of one group, one comes in.")
    group_weight: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=100, description="Its part in the draw of its group."
    )
    group_first: bool = Field(default=False, description="Goes before the draw; among such, the highest order wins.")
    group_scored: bool = Field(default=False, description="Leaves its group to entries of which more keys were said.")
    exclude_recursion: bool = Field(default=False, description="The words of other entries cannot bring it in.")
    prevent_recursion: bool = Field(default=False, description="Its own words bring no other entry in.")
    delay_until_recursion: Annotated[
        int, Field(ge=0, le=MAX_STEPS), BeforeValidator(_step, json_schema_input_type=bool | int)
    ] = Field(default=0, description="Comes in by the words of other entries only; a number: from that step on.")
    scan_depth: Depth | None = Field(default=None, description="How many messages are searched for its keys.")
    order: Rank = Field(default=100, description="Entries with a higher order go in first.")
    priority: Rank = Field(default=0, description="Where room is short, entries with a lower priority go first.")
    ignore_budget: bool = Field(default=False, description="Does not count against its book's tokens.")
    always: Annotated[Always, BeforeValidator(_known_switch), WithJsonSchema({"enum": list(_SWITCHES)})] = Field(
        default="", description="activate: in whatever is said. dont_activate: never in, as a draft."
    )
    npcs: Annotated[tuple[Reference, ...], Field(max_length=64)] = Field(
        default=(), description="Who knows it; nobody named means everybody."
    )
    factions: Annotated[tuple[Reference, ...], Field(max_length=64)] = Field(
        default=(), description="Which factions know it: of those in world.yaml."
    )
    places: Annotated[tuple[Reference, ...], Field(max_length=64)] = Field(
        default=(), description="Where it is known: places of world.yaml."
    )
    since: DateText = Field(default="", description="The first day on which it is so, in the world's calendar.")
    until: DateText = Field(default="", description="The last day on which it is so.")
    when: Condition = Field(default="", description="What must hold of the state: quests.hammer == 'done'")
    source: str = Field(default="", max_length=200, description='Where it is known from: "told by the guards".')

    def over(self: _T, shared: Attributes) -> _T:
        """These attributes, and what a file says for all its entries where they say nothing; keys are joined."""
        taken = {name: getattr(shared, name) for name in shared.model_fields_set & set(Attributes.model_fields)}
        own = {name: value for name, value in taken.items() if name not in self.model_fields_set}
        return self.model_copy(update={**own, "keys": _no_doubles((*self.keys, *shared.keys))})


class BookChoice(Authored):
    """What the entries of one file share as a lorebook."""

    name: Short | None = Field(default=None, description="Files with the same name make one book.")
    scan_depth: Depth | None = Field(default=None, description="How many messages are searched for keys.")
    budget_tokens: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="The most tokens that its entries take of a prompt."
    )
    recursive: bool | None = Field(
        default=None, description="Whether the words of its entries are searched for the keys of others."
    )
    max_steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = Field(
        default=None, description="How often that goes on from entry to entry."
    )


class Head(Attributes):
    """What a file says for all of its entries: Markdown's front matter, or the top of a YAML file."""

    book: BookChoice = Field(default=BookChoice(), description="The file as a lorebook of its own.")


class LoreItem(Attributes):
    """One entry of a YAML lore file."""

    id: EntryId
    text: Line = Field(description="The passage: one to three sentences.")


class LoreFile(Head):
    """A YAML lore file."""

    entries: tuple[LoreItem, ...] = Field(min_length=1, max_length=MAX_ENTRIES)
