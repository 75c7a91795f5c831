"""The evening: who says what and when. The same seed gives the same lines to every engine. Pure data.

Each character's prompts begin alike, with the world; then come its persona, what was said, what was looked up for this
turn, and the words. What was looked up leaves the prompt with its turn.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from npc_sdk.bench.vocabulary import Prompt, Words
from npc_sdk.requests import Priority

NPCS = 8
WORLD_TOKENS, PERSONA_TOKENS, FRESH_TOKENS, WORDS_TOKENS = 500, 400, 120, 20
REPLY_TOKENS = 48
WALK_S, LISTENING_S, TYPING_S = 4.0, 11.0, 4.0
TURN_S = LISTENING_S + TYPING_S  # from one line of the player's to the next
# The player looks around between two characters for so long that an engine is not overrun, for then only the length of
# its queue would be measured. One that reads 100 tokens a second and writes 20, one thing after the other, takes 12.8 s
# for a character's first line (1,040 tokens and 48) and 4.5 s for each after it (208, of which 68 were said before, and
# 48). With this pause that is 59 % of the evening with any even number of turns, and less with an odd one.
STROLL_S = 11.0
# A remark is about something that happens. It may come so late that the same engine, idle, reads all of a prompt first
# (10.4 s) and something of another.
START_BY_S = 15.0
HINTS = 4  # times that the game tells what was typed so far
WRONG_GUESSES = 0.25  # of the player's lines look something else up when they are whole than while they are typed


@dataclass(frozen=True, slots=True)
class Line:
    """One reply that is wanted, at_s after the beginning: a player's words or a remark that the game asks for.

    stable is the part of the prompt that the character's next one begins with; guess is what will be looked up for the
    words, as it looks while the player types. Units: seconds.
    """

    at_s: float
    npc: int
    priority: Priority
    stable: Prompt
    fresh: Prompt
    words: Prompt
    guess: Prompt = field(default_factory=Prompt)
    approach_s: float | None = None  # when the player begins to walk up
    start_by_s: float | None = None  # a remark that has not begun so long after at_s is not said any more

    @property
    def prompt(self) -> Prompt:
        """All of it."""
        return self.stable + self.fresh + self.words

    @property
    def is_player(self) -> bool:
        """Whether somebody at the screen waits for it."""
        return self.priority == Priority.PLAYER

    def typed(self, share: float) -> Prompt:
        """That share of the words."""
        return self.words[: int(share * len(self.words.ids))]


@dataclass(frozen=True, slots=True)
class Trace:
    """All lines in the order of their times, and how long the evening is."""

    lines: tuple[Line, ...]
    length_s: float


def make_trace(words: Words, *, turns: int, seed: int, pace: float = 1.0) -> Trace:
    """An evening with so many turns a character: the larger half the player's, the rest remarks at random times.

    pace stretches all times: 0.5 is an evening twice as fast.
    """
    rng = random.Random(f"tavern {seed}")
    visits = rng.sample(range(NPCS), NPCS)
    asked = [_Slot(*slot) for slot in _visits(visits, turns - turns // 2)]
    length_s = asked[-1].at_s + TURN_S if asked else TURN_S
    slots = sorted([*asked, *_remarks(rng, turns // 2, length_s)], key=lambda slot: slot.at_s)
    return Trace(tuple(_with_prompts(slots, words, rng, pace)), length_s * pace)


@dataclass(frozen=True, slots=True)
class _Slot:
    at_s: float
    npc: int
    priority: Priority
    approach_s: float | None


def _visits(npcs: list[int], turns: int) -> list[tuple[float, int, Priority, float | None]]:
    """The player's way from one character to the next: walk up, then so many lines, then look around."""
    slots: list[tuple[float, int, Priority, float | None]] = []
    now = 0.0
    for npc in npcs:
        for turn in range(turns):
            began = now if turn == 0 else None
            now += (WALK_S + TYPING_S) if turn == 0 else TURN_S
            slots.append((now, npc, Priority.PLAYER, began))
        now += LISTENING_S + STROLL_S
    return slots


def _remarks(rng: random.Random, turns: int, length_s: float) -> list[_Slot]:
    """Poisson arrivals with a number that is fixed: independent and uniform. Nearby and ambient take turns."""
    kinds = (Priority.NEARBY, Priority.AMBIENT)
    npcs = [npc for npc in range(NPCS) for _ in range(turns)]
    return [_Slot(rng.uniform(0, length_s), npc, kinds[index % 2], None) for index, npc in enumerate(npcs)]


def _with_prompts(slots: list[_Slot], words: Words, rng: random.Random, pace: float) -> list[Line]:
    """Gives every line its words, and every character its memory of what was said.

    What was replied is drawn beforehand, so that all engines read the same; it would be read again anyway, as what
    stood before it has left the prompt.
    """
    world = words.draw(rng, WORLD_TOKENS)
    stable = [world + words.draw(rng, PERSONA_TOKENS) for _ in range(NPCS)]
    lines = []
    for slot in slots:
        fresh, said = words.draw(rng, FRESH_TOKENS), words.draw(rng, WORDS_TOKENS)
        is_wrong = rng.random() < WRONG_GUESSES
        other = words.draw(rng, FRESH_TOKENS)
        lines.append(
            Line(
                slot.at_s * pace,
                slot.npc,
                slot.priority,
                stable[slot.npc],
                fresh,
                said,
                guess=other if is_wrong else fresh,
                approach_s=None if slot.approach_s is None else slot.approach_s * pace,
                start_by_s=None if slot.priority == Priority.PLAYER else START_BY_S * pace,
            )
        )
        stable[slot.npc] += said + words.draw(rng, REPLY_TOKENS)
    return lines
