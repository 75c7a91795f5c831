"""Exchanges in which nothing is done: small talk, who somebody is, what is known and what is not."""

from __future__ import annotations

from random import Random

from npc_sdk.training import vocabulary as words
from npc_sdk.training.exchange import Exchange, Maker, said
from npc_sdk.training.fact import Fact, ask, ask_about, make_fact
from npc_sdk.training.scene import Scene
from npc_sdk.training.style import frame, talk
from npc_sdk.training.vocabulary import PHRASES


def _small_talk(intent: str) -> Maker:
    def make(scene: Scene, rng: Random) -> Exchange:
        return Exchange(
            "talk",
            rng.choice(PHRASES[f"talk_{intent}"]).format(name=scene.persona.name),
            [said(talk(rng, scene.style, intent))],
        )

    return make


def _absurd(scene: Scene, rng: Random) -> Exchange:
    thing = rng.choice(words.ABSURD)
    line = rng.choice(
        ("What is {}?", "Tell me about {}.", "Do you like {}?", "Can you explain {}?", "Do you have {}?")
    ).format(thing)
    return Exchange("absurd", line, [said(talk(rng, scene.style, "absurd"))])


def who(scene: Scene, rng: Random) -> Exchange:
    line = rng.choice(PHRASES["who"]).format(t=rng.choice(words.TRADES))  # fmt: skip
    body = rng.choice(("I am {n}, {r}.", "{n} is my name. I am {r}.", "They call me {n}, {r}."))
    return Exchange(
        "who",
        line,
        [said(frame(rng, scene.style, body.format(n=scene.persona.name, r=scene.persona.role)))],
        must_say=(scene.persona.name,),
    )


def goal(scene: Scene, rng: Random) -> Exchange:
    line = rng.choice(PHRASES["want_of_life"])  # fmt: skip
    body = rng.choice(("I want to {}.", "I wish to {}.", "I must {}.")).format(scene.goals[0])
    return Exchange("goal", line, [said(frame(rng, scene.style, body))], must_say=(scene.goals[0],))


def fact(scene: Scene, rng: Random) -> Exchange:
    """A question that one of several passages answers; now and then one that is always known."""
    if scene.known and rng.random() < 0.25:
        fact, passages = rng.choice(scene.known), [make_fact(rng).text for _ in range(rng.choice((0, 0, 1)))]
    else:
        fact = make_fact(rng)
        passages = [fact.text, *(make_fact(rng).text for _ in range(rng.choice((0, 1, 1, 2))))]
        rng.shuffle(passages)
    return Exchange("fact", ask(rng, fact), [said(frame(rng, scene.style, fact.text))], passages, (fact.text,))


def again(scene: Scene, rng: Random) -> Exchange:
    """Two passages about the same kind of thing: only reading tells which one was asked for."""
    first = make_fact(rng)
    other: Fact = make_fact(rng)
    passages = [first.text, other.text, make_fact(rng).text]
    rng.shuffle(passages)
    wanted = rng.choice((first, other))
    return Exchange("fact", ask(rng, wanted), [said(frame(rng, scene.style, wanted.text))], passages, (wanted.text,))


def unknown(scene: Scene, rng: Random) -> Exchange:
    subject = make_fact(rng).subject
    passages = [make_fact(rng).text for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))]
    body = rng.choice(
        ("I know nothing about {}.", "I have not heard of {}.", "I cannot tell you about {}.", "I do not know {}.")
    ).format(subject)
    return Exchange("unknown", ask_about(rng, subject), [said(frame(rng, scene.style, body))], passages, (subject,))


_INTENTS = ("hello", "how", "bye", "thanks", "insult", "praise", "secret", "chat")
_TALK: tuple[Maker, ...] = (*map(_small_talk, _INTENTS), _absurd, _absurd)


def chat(scene: Scene, rng: Random) -> Exchange | None:
    """Any kind of small talk."""
    return rng.choice(_TALK)(scene, rng)
