"""A foreign card's character, in the words of our persona.yaml.

What a card has and a persona has not stays in card.json and is told. Called by cards/imported.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from npc_sdk.cards.entry import OWN
from npc_sdk.cards.field import Fields
from npc_sdk.cards.fit import fitted
from npc_sdk.cards.macro import PLAYER, Macros
from npc_sdk.cards.passage import clean, counted, cut, one_line
from npc_sdk.persona.schema import Persona

NAME_CHARS = 60
DESCRIPTION_CHARS = 4000
LINE_CHARS = 2000
ROLE_CHARS = 160
STYLE_CHARS = 300  # a longer personality is prose, and joins the description
EXAMPLE_CHARS = 500
GREETING_CHARS = 2000
TEMPLATE_CHARS = 900  # a filled line has at most 1,000, and a player's name up to 60
MAX_PLAYERS = 10  # names in one greeting, for the same reason
MAX_EXAMPLES, MAX_FACTS = 12, 12
NO_ROLE, NO_STYLE = "a character", "as described"

_KEPT = "kept in card.json"
_ONE_GREETING = "the first one is always said, as none waits for the game's state"
_LEFT = MappingProxyType(
    {
        "system_prompt": f"the system text is our own; {_KEPT}",
        "post_history_instructions": f"nothing is said after the conversation; {_KEPT}",
        "group_only_greetings": f"a conversation has one character; {_KEPT}",
        "creator_notes": f"for people, not for the prompt; {_KEPT}",
        "creator_notes_multilingual": f"for people, not for the prompt; {_KEPT}",
        "creator": _KEPT,
        "character_version": _KEPT,
        "tags": _KEPT,
        "source": _KEPT,
        "creation_date": _KEPT,
        "modification_date": _KEPT,
    }
)
_KNOWN = frozenset(
    {*_LEFT, "name", "nickname", "description", "personality", "scenario", "first_mes", "mes_example",
     "alternate_greetings", "character_book", "extensions", "assets"}
)  # fmt: skip
_LABEL = re.compile(r"([^:\n]{1,80}):\s*(.*)")
_START = re.compile(r"<START>", re.IGNORECASE)


def persona_of(card: Fields, name: str, macros: Macros) -> dict[str, Any]:
    """The value of persona.yaml. Mutates: the card's report."""
    description = macros.plain(card.text("description"), card.where("description"))
    role, description = _role(description, name, macros.char)
    if role != NO_ROLE:
        card.report.mapped(card.where("description"), "first sentence", "role")
    else:
        card.report.approximated("", "role", f"no sentence says what {name} is; write one in persona.yaml")
    style, description = _style(card, macros, description)
    if len(description) > DESCRIPTION_CHARS:
        why = f"cut to {DESCRIPTION_CHARS:,} characters; all of it is {_KEPT}"
        card.report.approximated(card.where("description"), f"{len(description):,} characters", why)
    elif description:
        card.report.mapped(card.where("description"), "description", "description")
    examples = list(_examples(card, macros))
    found = {
        "name": name,
        "role": role,
        "description": cut(description, DESCRIPTION_CHARS),
        "voice": {"style": style, **({"examples": examples} if examples else {})},
        "knows": _facts(card, macros),
        "greeting": _greeting(card, macros),
    }
    return {key: value for key, value in found.items() if value}


def tell_rest(card: Fields, *, is_ours: bool) -> None:
    """What stays in card.json alone. Mutates: the card's report."""
    for key, why in _LEFT.items():
        if card.has(key):
            card.report.left(card.where(key), key, why)
    for key in list(card.values):
        if key not in _KNOWN and card.has(key):
            card.report.left(card.where(key[:40]), key[:40], f"not known here; {_KEPT}")
    for key in card.child("extensions").values:
        if key != OWN:
            card.report.left(card.where("extensions"), key[:40], _KEPT)
        elif not is_ours:
            card.report.left(card.where("extensions"), OWN, "keys of our own; take them from people you trust (--ours)")


def with_own_keys(persona: dict[str, Any], card: Fields) -> dict[str, Any]:
    """The persona with what our export put beside the card's fields, as far as a persona can hold it."""
    own = card.child("extensions").child(OWN).child("persona")
    merged = {**persona, **own.values}
    if voice := own.values.get("voice"):
        merged["voice"] = {**persona["voice"], **voice} if isinstance(voice, dict) else persona["voice"]
    return fitted(Persona, merged, own.place, card.report) or persona


def _role(description: str, name: str, char: str) -> tuple[str, str]:
    """What completes "You are NAME, …", and the description without the sentence that says it."""
    names = "|".join(sorted((re.escape(one) for one in {name, char, name.split(" ")[0]} if one), key=len, reverse=True))
    verb = rf"(?:You are (?:{names}),|(?:{names}),? (?:is|was)|(?:He|She|They|It) (?:is|are))"
    rest = rf"((?:a|an|the|one of)\s[^.!?\n]{{2,{ROLE_CHARS}}}?)(?:[.!?](?=\s|$)|\n|$)"
    found = re.match(rf"{verb}\s+{rest}\s*", description, re.IGNORECASE)
    if not found:
        return NO_ROLE, description
    return one_line(found[1]), description[found.end() :]


def _style(card: Fields, macros: Macros, description: str) -> tuple[str, str]:
    """The manner of speech, and the description, which a long personality joins."""
    where = card.where("personality")
    personality = macros.plain(card.text("personality"), where)
    short = one_line(personality).rstrip(".")
    if 0 < len(short) <= STYLE_CHARS:
        card.report.mapped(where, "personality", "voice.style")
        return short, description
    if personality:
        card.report.approximated(where, "personality", "too long for voice.style; put into the description")
    else:
        card.report.approximated(where, "voice.style", "no personality is given; say how the character speaks")
    return NO_STYLE, f"{description}\n{personality}".strip()


def _examples(card: Fields, macros: Macros) -> Iterator[str]:
    """The character's own lines; what the player says in them is not ours to write."""
    where = card.where("mes_example")
    spoken = [line for part in _START.split(card.text("mes_example")) for line in _spoken(clean(part), macros)]
    lines = [line for one in spoken if (line := one_line(macros.spoken(one, where)))]
    if lines:
        card.report.mapped(where, "mes_example", "voice.examples")
    elif card.has("mes_example"):
        card.report.left(where, "mes_example", f"no line begins with the character's name; {_KEPT}")
    if len(lines) > MAX_EXAMPLES:
        told = f"{len(lines) - MAX_EXAMPLES} example lines"
        card.report.approximated(where, told, f"more than {MAX_EXAMPLES} fill the prompt; {_KEPT}")
    for line in lines[:MAX_EXAMPLES]:
        if len(line) > EXAMPLE_CHARS:
            card.report.approximated(where, "long example", f"cut to {EXAMPLE_CHARS} characters")
        yield cut(line, EXAMPLE_CHARS)


def _spoken(dialogue: str, macros: Macros) -> Iterator[str]:
    """What follows the character's label, with the lines below it until the next speaker."""
    said: list[str] = []
    is_ours = False
    for line in dialogue.split("\n"):
        label = _LABEL.fullmatch(line)
        is_label = label is not None and (_is_speaker(label[1]) or macros.is_speaker(label[1]))
        if label and is_label:
            if is_ours:
                yield " ".join(said)
            is_ours, said = macros.is_speaker(label[1]), [label[2]]
        else:
            said.append(line)
    if is_ours:
        yield " ".join(said)


def _is_speaker(label: str) -> bool:
    """Another speaker: a macro, or one or two words that begin with a capital."""
    if label.strip().lower() in {"{{user}}", "<user>"}:
        return True
    words = label.strip().split(" ")
    return len(words) <= 2 and all(word[:1].isupper() for word in words)


def _facts(card: Fields, macros: Macros) -> list[str]:
    """The scenario, as what the character always has in mind."""
    where = card.where("scenario")
    scenario = macros.plain(card.text("scenario"), where)
    facts = [cut(one_line(part), LINE_CHARS) for part in scenario.split("\n") if one_line(part)]
    if facts:
        card.report.mapped(where, "scenario", "knows")
    if len(facts) > MAX_FACTS:
        card.report.approximated(where, f"{len(facts)} paragraphs", f"the first {MAX_FACTS} are known; {_KEPT}")
    return facts[:MAX_FACTS]


def _greeting(card: Fields, macros: Macros) -> str:
    """What is said first. Others are chosen by a person elsewhere; here the first would always be said."""
    others = [("alternate_greetings", text) for text in card.texts("alternate_greetings")]
    given = [("first_mes", card.text("first_mes")), *others]
    lines = ((key, _greeting_line(card, macros, key, text)) for key, text in given if clean(text))
    key, found = next(((key, line) for key, line in lines if line), ("first_mes", ""))
    if found:
        card.report.mapped(card.where(key), key, "greeting")
    if left := len(others) - (key == "alternate_greetings"):
        told = counted(left, "other greeting", "other greetings")
        card.report.approximated(card.where("alternate_greetings"), told, f"{_ONE_GREETING}; {_KEPT}")
    return found


def _greeting_line(card: Fields, macros: Macros, key: str, text: str) -> str:
    where = card.where(key)
    line = macros.template(text, where)
    if line.count(PLAYER) > MAX_PLAYERS:
        card.report.approximated(where, "greeting", f"names the player more than {MAX_PLAYERS} times: not by name")
        line = macros.plain(text, where)
    limit = TEMPLATE_CHARS - line.count(PLAYER) * NAME_CHARS if PLAYER in line else GREETING_CHARS
    if len(line) > limit:
        card.report.approximated(where, f"greeting of {len(line):,} characters", f"cut to {limit:,}; {_KEPT}")
    return cut(line, limit)
