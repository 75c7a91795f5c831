"""The system text: rules and world first, then the persona.

What is the same for every character stands in front, so that their cached prefix is shared. What changes in play
(mood, relationships, secrets that came out) is not here: it would cost that prefix.
"""

from __future__ import annotations

from collections.abc import Iterator

from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.secret import kept_secrets, secret_hints
from npc_sdk.persona.world_file import ENGLISH

RULES = (
    "You play a character in a game.",
    "Answer as the character, in one to three short sentences.",
    "Say only what you know; if you do not know something, say so.",
    "To act, call a tool.",
)


def system_text(persona: Persona, world: WorldFile) -> str:
    """The words of the system turn. Tools and always-known passages are added by the chat format."""
    parts = [" ".join((*RULES, *world.rules, *_language_rule(persona, world)))]
    if world.premise:
        parts.append(world.premise.strip())
    parts.append("\n".join(_character(persona)))
    return "\n".join(parts)


def spoken_language(persona: Persona, world: WorldFile) -> str:
    """The persona's own, or else the world's."""
    return persona.language or world.language


def _language_rule(persona: Persona, world: WorldFile) -> tuple[str, ...]:
    """Models answer in English of themselves; there the rule would only cost tokens."""
    language = spoken_language(persona, world)
    return () if language.casefold() == ENGLISH.casefold() else (f"Answer in {language}.",)


def _character(persona: Persona) -> Iterator[str]:
    yield f"You are {persona.name}, {persona.role}. {persona.description.strip()}".strip()
    if persona.appearance.strip():
        yield f"Appearance: {persona.appearance.strip()}"
    yield f"Voice: {persona.voice.style}."
    yield from (f"{persona.name}: {example}" for example in persona.voice.examples)
    yield from (f"Goal: {goal}" for goal in persona.goals)
    yield from (f"Secret, never to be told: {secret}" for secret in kept_secrets(persona))
    yield from secret_hints(persona)
    if persona.taboos:
        yield f"Never talk about: {'; '.join(persona.taboos)}."
