"""Facts for the generated worlds: a sentence, what it is about, and questions that it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from npc_sdk.training import vocabulary as words
from npc_sdk.training.vocabulary import PHRASES


@dataclass(frozen=True, slots=True)
class Fact:
    """text is a whole passage; subject is how people call what it is about."""

    text: str
    subject: str
    questions: tuple[str, ...]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _event(rng: Random) -> Fact:
    where, what, years = words.place(rng), rng.choice(words.EVENTS), rng.choice(words.NUMBERS)
    text = f"{_capital(where)} {what} {years} years ago."
    if rng.random() < 0.3:
        text = f"{_capital(where)} {what} in the year of {words.item(rng)}s."
    return Fact(
        text, where, (f"What happened to {where}?", f"What happened at {where}?", f"When was that with {where}?")
    )


def _keeper(rng: Random) -> Fact:
    who, thing, where = words.person(rng), words.item(rng), words.place(rng)
    text = rng.choice(
        (
            f"{who} keeps {words.article(thing)} in {where}.",
            f"{who} hid the {thing} under {where}.",
            f"The {thing} lies in {where}; {who} lost it.",
            f"{who} found {words.article(thing)} near {where}.",
        )
    )
    if rng.random() < 0.5:
        return Fact(text, who, (f"Where is {who}?", f"What does {who} have?", f"Who is {who}?"))
    return Fact(
        text, f"the {thing}", (f"Where is the {thing}?", f"Who has the {thing}?", f"Where can I find the {thing}?")
    )


def _kin(rng: Random) -> Fact:
    who, other, trade = words.person(rng), words.person(rng), rng.choice(words.TRADES)
    text = rng.choice(
        (
            f"{who} is the {trade} and the {rng.choice(words.KIN)} of {other}.",
            f"{who} the {trade} is {rng.choice(words.FEELINGS)} of {rng.choice(words.ANIMALS)}.",
            f"{who} the {trade} lives by {words.place(rng)}.",
            f"{who} loves {words.item(rng)} and hates {rng.choice(words.ANIMALS)}.",
        )
    )
    return Fact(text, who, (f"Who is {who}?", f"Do you know {who}?", f"What is {who} like?"))


def _danger(rng: Random) -> Fact:
    beasts, where, when = rng.choice(words.ANIMALS), words.place(rng), rng.choice(words.TIMES)
    text = rng.choice(
        (
            f"{_capital(beasts)} come to {where} {when}.",
            f"Stay away from {where} {when}, for {beasts} roam there.",
            f"{_capital(where)} is full of {beasts} {when}.",
            f"Nobody goes to {where} {when} because of the {beasts}.",
        )
    )
    if rng.random() < 0.4:
        return Fact(
            text, beasts, (f"Are there {beasts} here?", f"Where do the {beasts} live?", f"When do the {beasts} come?")
        )
    return Fact(text, where, (f"Is {where} safe?", f"What lives at {where}?", f"Can I go to {where}?"))


def _custom(rng: Random) -> Fact:
    name = f"the {rng.choice(('Feast', 'Night', 'Day', 'Fair', 'Dance'))} of {_capital(words.item(rng).split()[-1])}s"
    when, thing = rng.choice(words.TIMES), words.item(rng)
    text = rng.choice(
        (
            f"{_capital(name)} is held {when}, and everybody brings {words.article(thing)}.",
            f"At {name} the people give {words.article(thing)} to {words.person(rng)}.",
            f"{_capital(name)} falls {when}; there is music at {words.place(rng)}.",
        )
    )
    return Fact(text, name, (f"What is {name}?", f"When is {name}?", f"What do people do at {name}?"))


def _trade(rng: Random) -> Fact:
    thing, who, where = words.item(rng), words.person(rng), words.place(rng)
    text = rng.choice(
        (
            f"{who} sells the best {thing} in {where}.",
            f"{_capital(words.article(thing))} costs {rng.choice(words.NUMBERS)} coins in {where}.",
            f"{_capital(words.article(thing))} is made from {words.item(rng)} and {words.item(rng)}.",
            f"Only {who} can make {words.article(thing)}.",
        )
    )
    return Fact(
        text, f"the {thing}", (f"Who makes {words.article(thing)}?", f"Where can I buy {words.article(thing)}?")
    )


def _nonsense(rng: Random) -> Fact:
    subject = f"the {words.some_words(rng, 2)}"
    verb = rng.choice(("is", "has", "needs", "hides", "wants", "was once"))
    text = f"{_capital(subject)} {verb} {words.some_words(rng, rng.randint(2, 6))}."
    return Fact(text, subject, (f"What is {subject}?", f"What is it with {subject}?"))


_KINDS: tuple[Callable[[Random], Fact], ...] = (_event, _keeper, _kin, _danger, _custom, _trade, _nonsense)
_WEIGHTS = (2, 3, 3, 2, 2, 2, 1)


def make_fact(rng: Random) -> Fact:
    """A fact that no other draw is likely to repeat; sometimes two sentences long."""
    fact = rng.choices(_KINDS, _WEIGHTS)[0](rng)
    if rng.random() < 0.3:
        more = rng.choices(_KINDS, _WEIGHTS)[0](rng)
        fact = Fact(f"{fact.text} {more.text}", fact.subject, fact.questions)
    return fact


def ask(rng: Random, fact: Fact) -> str:
    """A question that the fact answers."""
    roll = rng.random()
    if roll < 0.4:
        return _capital(rng.choice(PHRASES["about"]).format(fact.subject))
    return rng.choice(fact.questions) if roll < 0.88 else _from_its_words(rng, fact)


def _from_its_words(rng: Random, fact: Fact) -> str:
    """A question that shares some words with the fact and follows no pattern else."""
    sentence = fact.text.split(".")[0].split()
    start = rng.randint(0, max(0, len(sentence) - 3))
    part = " ".join(sentence[start : start + rng.randint(2, 4)]).strip(",;")
    return rng.choice(PHRASES["about_part"]).format(part)


def echo(asked: str, speech: str) -> str:
    """Speech that first says again what it is about.

    A small model decides better so: whether a thing is here is seen at its name, not before anything was said.
    """
    return f"{_capital(asked)}? {speech}"


def told(fact: Fact, question: str) -> str:
    """The fact as an answer: where the question names its subject, the answer says that again first."""
    subject = fact.subject.removeprefix("the ")
    return echo(fact.subject, fact.text) if subject.lower() in question.lower() else fact.text


def ask_about(rng: Random, subject: str) -> str:
    """A question about something, known or not."""
    return _capital(rng.choice(PHRASES["about"]).format(subject))
