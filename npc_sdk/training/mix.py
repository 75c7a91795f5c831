"""Draws the next exchange of a dialogue, in the proportions that teach most, and types it as people do."""

from __future__ import annotations

from random import Random

from npc_sdk.training import chatter, deal
from npc_sdk.training.exchange import Exchange, Maker
from npc_sdk.training.fact import make_fact
from npc_sdk.training.scene import Scene

_MAKERS: tuple[tuple[int, Maker], ...] = (
    (8, chatter.chat), (2, chatter.who), (2, chatter.goal), (2, chatter.moment), (13, chatter.fact), (4, chatter.again),
    (4, chatter.unknown), (20, deal.give), (2, deal.wares), (2, deal.price), (14, deal.sell), (11, deal.take),
    (10, deal.open_), (15, deal.work), (11, deal.done), (4, deal.follow), (3, deal.stay), (6, deal.deed),
)  # fmt: skip

_WEIGHTS = tuple(weight for weight, _ in _MAKERS)

# What is easily drawn but teaches little is mostly drawn again.
_KEPT = {"no_tool": 0.1, "no_work": 0.15, "lack": 0.2, "not_done": 0.3, "price": 0.6}


def make_exchange(scene: Scene, rng: Random) -> Exchange:
    """The next exchange of this scene, which changes with it."""
    while True:
        made = rng.choices(_MAKERS, _WEIGHTS)[0][1](scene, rng)
        if made is not None and rng.random() < _KEPT.get(made.kind, 1.0):
            break
    if not made.passages and made.kind != "unknown" and rng.random() < 0.15:
        made.passages = [make_fact(rng).text for _ in range(rng.choice((1, 1, 2)))]
    made.player_words = _typed(rng, made.player_words, scene.persona.name)
    return made


def _typed(rng: Random, line: str, name: str) -> str:
    """The line as people type: with the name before it, in lower case, without its full stop."""
    roll = rng.random()
    if roll < 0.08:
        return f"{name}, {line[0].lower()}{line[1:]}" if not line.startswith("I ") else f"{name}, {line}"
    if roll < 0.14:
        return line.lower()
    if roll < 0.22:
        return line.rstrip(".?!")
    if roll < 0.26:
        return f"{rng.choice(('Hello', 'Hey', 'Good day', 'Well', 'Please'))}, {line[0].lower()}{line[1:]}"
    if roll < 0.3:
        return f"{rng.choice(('Good evening', 'Hello', 'Good morning', 'Greetings'))}, {name}. {line}"
    return line
