"""Exchanges in which nothing is done: small talk, who somebody is, what is known and what is not."""

from __future__ import annotations

from random import Random

from npc_sdk.messages import Message
from npc_sdk.training import vocabulary as words
from npc_sdk.training.exchange import Exchange, Maker, spoken
from npc_sdk.training.fact import Fact, ask, ask_about, echo, make_fact, told
from npc_sdk.training.scene import Scene
from npc_sdk.training.style import talk
from npc_sdk.training.vocabulary import PHRASES


def _small_talk(intent: str) -> Maker:
    def make(scene: Scene, rng: Random) -> Exchange:
        line = rng.choice(PHRASES[f"talk_{intent}"]).format(name=scene.persona.name, player=scene.player)
        reply = talk(rng, scene.style, intent)
        if intent in ("hello", "bye", "thanks") and rng.random() < 0.3:
            named = f"{reply[:-1]}, {scene.player}{reply[-1]}"
            return Exchange("named", line, [Message("assistant", named)], must_say=(scene.player,))
        return Exchange("talk", line, [Message("assistant", reply)])

    return make


def _absurd(scene: Scene, rng: Random) -> Exchange:
    line = rng.choice(PHRASES["absurd"]).format(rng.choice(words.ABSURD))
    return Exchange("absurd", line, [Message("assistant", talk(rng, scene.style, "absurd"))])


def who(scene: Scene, rng: Random) -> Exchange:
    body = rng.choice(("I am {n}, {r}.", "{n} is my name. I am {r}.", "They call me {n}, {r}."))
    line = rng.choice(PHRASES["who"]).format(t=rng.choice(words.TRADES))
    name = body.format(n=scene.persona.name, r=scene.persona.role)
    return spoken(scene, rng, "who", line, name, scene.persona.name)


def goal(scene: Scene, rng: Random) -> Exchange:
    body = rng.choice(("I want to {}.", "I wish to {}.", "I must {}.")).format(scene.goals[0])
    return spoken(scene, rng, "goal", rng.choice(PHRASES["want_of_life"]), body, scene.goals[0])


def moment(scene: Scene, rng: Random) -> Exchange | None:
    """A question about what the game has told: the place, the player's purse and bag."""
    if rng.random() < 0.4 and scene.place:
        return spoken(scene, rng, "moment", rng.choice(PHRASES["where"]), f"This is {scene.place}.", scene.place)
    if scene.player_coins is None:
        return None
    if rng.random() < 0.5:
        coins = f"{scene.player_coins} coins"
        return spoken(scene, rng, "moment", rng.choice(PHRASES["my_coins"]), f"You have {coins}.", coins)
    bag = ", ".join(scene.player_holds) or "nothing"
    return spoken(scene, rng, "moment", rng.choice(PHRASES["my_bag"]), f"You hold: {bag}.", bag)


def fact(scene: Scene, rng: Random) -> Exchange:
    """A question that one of several passages answers; now and then one that is always known."""
    if scene.known and rng.random() < 0.25:
        known, passages = rng.choice(scene.known), [make_fact(rng).text for _ in range(rng.choice((0, 0, 1)))]
    else:
        known = make_fact(rng)
        passages = [known.text, *(make_fact(rng).text for _ in range(rng.choice((0, 1, 1, 2))))]
        rng.shuffle(passages)
    return _told(scene, rng, known, passages)


def again(scene: Scene, rng: Random) -> Exchange:
    """Three passages: only reading tells which one was asked for."""
    facts = [make_fact(rng) for _ in range(3)]
    return _told(scene, rng, rng.choice(facts), [each.text for each in facts])


def _told(scene: Scene, rng: Random, known: Fact, passages: list[str]) -> Exchange:
    line = ask(rng, known)
    made = spoken(scene, rng, "fact", line, told(known, line), known.text)
    made.passages = passages
    return made


def unknown(scene: Scene, rng: Random) -> Exchange:
    subject = make_fact(rng).subject
    body = echo(subject, rng.choice(PHRASES["unknown"]))
    made = spoken(scene, rng, "unknown", ask_about(rng, subject), body, subject)
    made.passages = [make_fact(rng).text for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))]
    return made


_INTENTS = ("hello", "how", "bye", "thanks", "insult", "praise", "secret", "chat")
_TALK: tuple[Maker, ...] = (*map(_small_talk, _INTENTS), _absurd, _absurd)


def chat(scene: Scene, rng: Random) -> Exchange | None:
    """Any kind of small talk."""
    return rng.choice(_TALK)(scene, rng)
