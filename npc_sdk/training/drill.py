"""Short exercises in the one skill that all else rests on: find the right words in the prompt and say them again.

A dialogue spends most of its tokens on prompt; here a third of them are answers, so copying is learned much sooner.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from npc_sdk.messages import Message
from npc_sdk.training import vocabulary as words
from npc_sdk.training.fact import ask, ask_about, echo, make_fact, told
from npc_sdk.training.piece import FORMAT, Piece, reply, turn
from npc_sdk.training.scene import holds_line, prices_line

Asked = tuple[str, str]  # the question and the answer


def make_drill(rng: Random) -> list[Piece]:
    """One exercise of six to ten questions about one small body of facts."""
    passages, asked = rng.choice(_KINDS)(rng, rng.randint(6, 10))
    system = Message("system", f"You are {words.person(rng)}.", contexts=tuple(passages))
    pieces = [Piece(tuple(FORMAT.system(system, ())), False)]
    for question, answer in asked:
        pieces.append(turn(Message("user", question)))
        pieces += reply(Message("assistant", answer))
    return pieces


def _facts(rng: Random, count: int) -> tuple[list[str], list[Asked]]:
    """Most are told in the prompt, some are not and must not be made up."""
    facts = [make_fact(rng) for _ in range(count)]
    known = facts[: rng.randint(count // 2, count)]
    asked = []
    for fact in rng.sample(facts, count):
        line = ask(rng, fact) if fact in known else ask_about(rng, fact.subject)
        nothing = echo(fact.subject, rng.choice(words.PHRASES["unknown"]))
        asked.append((line, told(fact, line) if fact in known else nothing))
    return [fact.text for fact in known], asked


def _has_or_not(rng: Random, count: int) -> tuple[list[str], list[Asked]]:
    """Asked for things: some it holds, some of these have a price, some it has not."""
    things = words.items(rng, count)
    held = things[: rng.randint(1, 5)]
    prices = {thing: rng.randint(1, 60) for thing in held if rng.random() < 0.4}
    lines = [f"You are talking to {words.person(rng)}.", holds_line(held)]
    if prices:
        lines.append(prices_line(prices))
    asked = []
    for thing in rng.sample([*held, *things], count):
        line = rng.choice(words.PHRASES["want"]).format(thing, a=words.article(thing))
        answer = "I have none." if thing not in held else rng.choice(words.PHRASES["give_speech_it"])
        if thing in prices:
            answer = rng.choice(words.PHRASES["price_speech"]).format(thing, n=f"{prices[thing]} coins")
        asked.append((line, echo(f"the {thing}", answer)))
    return ["\n".join(lines)], asked


def _prices(rng: Random, count: int) -> tuple[list[str], list[Asked]]:
    prices = {thing: rng.randint(1, 99) for thing in words.items(rng, count)}
    asked = [
        (
            rng.choice(words.PHRASES["price"]).format(thing),
            echo(f"the {thing}", f"The {thing} costs {prices[thing]} coins."),
        )
        for thing in rng.sample(list(prices), count)
    ]
    return [prices_line(prices)], asked


def _short_names(rng: Random, count: int) -> tuple[list[str], list[Asked]]:
    """Called by its last word, answered with its whole name, as a call must."""
    things = {thing.split()[-1]: thing for thing in words.items(rng, count)}
    asked = [
        (f"{last.capitalize()}?", echo(f"the {last}", f"The {things[last]}."))
        for last in rng.sample(list(things), len(things))
    ]
    return [holds_line(list(things.values()))], asked


def _repeat(rng: Random, count: int) -> tuple[list[str], list[Asked]]:
    lines = [words.some_words(rng, rng.choice((3, 6, 10, 16))) for _ in range(count)]
    return [], [(f"{rng.choice(('Say', 'Repeat', 'Now say'))}: {line}.", f"{line}.") for line in lines]


_KINDS: tuple[Callable[[Random, int], tuple[list[str], list[Asked]]], ...] = (
    *[_has_or_not] * 4,
    *[_facts] * 3,
    *[_prices] * 2,
    _short_names,
    _repeat,
)
