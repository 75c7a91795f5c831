"""The system text: rules and world first, then the persona.

What is the same for every character stands in front, so that their cached prefix is shared.
"""

from __future__ import annotations

from npc_sdk.persona.schema import Persona, WorldFile

RULES = (
    "You play a character in a game.",
    "Answer as the character, in one to three short sentences.",
    "Say only what you know; if you do not know something, say so.",
    "To act, call a tool.",
)


def system_text(persona: Persona, world: WorldFile) -> str:
    """The words of the system turn. Tools and always-known passages are added by the chat format."""
    parts = [" ".join((*RULES, *world.rules))]
    if world.premise:
        parts.append(world.premise.strip())
    parts.append(_character(persona))
    return "\n".join(parts)


def _character(persona: Persona) -> str:
    lines = [f"You are {persona.name}, {persona.role}. {persona.description.strip()}".strip()]
    lines.append(f"Voice: {persona.voice.style}.")
    lines += [f"{persona.name}: {example}" for example in persona.voice.examples]
    lines += [f"Goal: {goal}" for goal in persona.goals]
    lines += [f"Secret, never to be told: {secret}" for secret in persona.secrets]
    return "\n".join(lines)
