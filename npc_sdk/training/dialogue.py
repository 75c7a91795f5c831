"""Whole generated dialogues, rendered by the prompt code that runs in the game, with what is to be learned marked."""

from __future__ import annotations

import copy
from random import Random

from npc_sdk.messages import Message
from npc_sdk.prompt.system import system_text
from npc_sdk.training.exchange import Exchange
from npc_sdk.training.mix import make_exchange
from npc_sdk.training.piece import FORMAT, Piece, reply, turn
from npc_sdk.training.scene import Scene, make_scene
from npc_sdk.training.style import talk

_STATELESS = frozenset({"talk", "absurd", "who", "goal", "fact", "unknown"})


def make_dialogue(rng: Random, *, longest: int = 8) -> list[Piece]:
    """One conversation of 2 to longest exchanges.

    Earlier exchanges sometimes stand as history does in a running game: without passages, and not to be learned.
    """
    scene = make_scene(rng)
    pieces = [Piece(tuple(FORMAT.system(system_message(scene), scene.specs())), False)]
    if rng.random() < 0.6:
        pieces.append(turn(greeting(scene, rng)))
    count = rng.randint(2, longest)
    bare = rng.randint(1, count - 1) if rng.random() < 0.3 else 0
    for index in range(count):
        moment = scene.situation()
        exchange = make_exchange(scene, rng)
        is_history = index < bare
        if exchange.kind in _STATELESS and rng.random() < 0.6:
            moment = ""  # keeps texts short: most of what is computed should be worth learning
        pieces += render_exchange(exchange, moment, is_history=is_history)
    return pieces


def make_rehearsal(rng: Random) -> list[Piece]:
    """A still moment, told once, and many exchanges in it: dense practice in choosing between acting and telling."""
    scene = make_scene(rng)
    scene.known = []
    scene.tools = dict(rng.sample(list(scene.tools.items()), min(len(scene.tools), rng.randint(1, 3))))
    persona = scene.persona
    system = Message("system", f"You are {persona.name}, {persona.role}.\nVoice: {persona.voice.style}.")
    pieces = [Piece(tuple(FORMAT.system(system, scene.specs())), False)]
    moment = scene.situation()
    for _ in range(rng.randint(5, 9)):
        exchange = make_exchange(copy.deepcopy(scene), rng)
        if exchange.kind != "goal":  # goals are not told here
            pieces += render_exchange(exchange, moment)
            moment = ""
    return pieces


def greeting(scene: Scene, rng: Random) -> Message:
    """What opens a conversation before the player has spoken."""
    first = talk(rng, scene.style, rng.choice(("hello", "hello", "chat")))
    return Message("assistant", f"{first} {talk(rng, scene.style, 'chat')}" if rng.random() < 0.4 else first)


def system_message(scene: Scene) -> Message:
    return Message("system", system_text(scene.persona, scene.world), contexts=scene.persona.knows)


def render_exchange(exchange: Exchange, moment: str, *, is_history: bool = False) -> list[Piece]:
    """The player's turn, then the character's turns, each with the token that ends it."""
    contexts = () if is_history else (*exchange.passages, *filter(None, [moment]))
    pieces = [turn(Message("user", exchange.player_words, contexts=contexts))]
    for message in exchange.answer:
        is_own = message.role == "assistant"
        pieces += reply(message, is_learned=not is_history) if is_own else [turn(message)]
    return pieces
