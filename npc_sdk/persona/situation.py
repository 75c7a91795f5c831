"""Fills a persona's situation lines from the game's state. Checked when a persona is loaded, filled each turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from npc_sdk.messages import JsonValue
from npc_sdk.persona.sandbox import LineError, fill
from npc_sdk.persona.schema import Persona

MAX_PLAYER_CHARS = 60


def render_situation(
    persona: Persona, state: Mapping[str, JsonValue], player: str, moment: Sequence[str] = ()
) -> tuple[str, tuple[str, ...]]:
    """The lines that the game's state fills, and the lines left out, each with its reason.

    moment holds lines that the world knows by itself. state is flat: the world's variables with this character's own
    laid over them.
    """
    name = " ".join(player.split())[:MAX_PLAYER_CHARS] or "a stranger"
    lines = [f"You are talking to {name}.", *moment]
    left_out: list[str] = []
    variables = {**state, "player": name}
    for line in persona.situation:
        try:
            text = fill(line, variables)
        except LineError as exc:
            left_out.append(f"{line!r}: {exc}")
        else:
            lines += [text] if text else []
    return "\n".join(lines), tuple(left_out)
