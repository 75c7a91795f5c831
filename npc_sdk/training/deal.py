"""Exchanges in which the player wants something done: things change hands, doors open, quests begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from npc_sdk.training import vocabulary as words
from npc_sdk.training.exchange import Exchange, Maker, acted, refusal, said
from npc_sdk.training.scene import Scene
from npc_sdk.training.style import frame, talk
from npc_sdk.training.vocabulary import PHRASES


def _sure(scene: Scene, rng: Random) -> str:
    return talk(rng, scene.style, "sure")


def give(scene: Scene, rng: Random) -> Exchange | None:
    """Asked for a thing: handed over if held, otherwise refused in words."""
    tool = scene.tools.get("give")
    if rng.random() < 0.3 or not scene.holds:
        thing = words.item(rng)
        if thing in scene.holds:
            return None
        return Exchange(
            "lack",
            _asked(rng, PHRASES["want"], thing),
            [said(frame(rng, scene.style, f"I have no {thing}."))],
            must_say=(f"no {thing}",),
        )
    thing = rng.choice(scene.holds)
    line = _asked(rng, PHRASES["want"], _short(rng, thing, scene.holds))
    if thing in scene.prices and "sell" in scene.tools:
        body = f"The {thing}: {scene.prices[thing]} coins."
        return Exchange("price", line, [said(frame(rng, scene.style, body))], must_say=(body,))
    if tool is None:
        return Exchange("no_tool", line, [said(talk(rng, scene.style, "cannot"))])
    speech = rng.choice(("Here, the {}.", "Take the {}.", "The {}, for you.", "Here is the {}.")).format(thing)
    if rng.random() < 0.2:
        reason, after = refusal(
            rng, scene, f"You do not hold {words.article(thing)}.", f"You do not give the {thing} away."
        )
        return Exchange("give", line, acted(rng, scene, speech, tool, [thing], "refused", reason, after))
    after = frame(
        rng, scene.style, rng.choice(("The {} is yours now.", "Use the {} well.", "Do not lose the {}.")).format(thing)
    )
    scene.holds.remove(thing)
    scene.prices.pop(thing, None)
    scene.player_holds.append(thing)
    return Exchange(
        "give", line, acted(rng, scene, speech, tool, [thing], "accepted", rng.choice((None, {"item": thing})), after)
    )


def _short(rng: Random, thing: str, among: list[str]) -> str:
    """The thing as a player would call it: often only its last word, where that is clear enough."""
    last = thing.split()[-1]
    is_clear = sum(other.split()[-1] == last for other in among) == 1
    return last if is_clear and rng.random() < 0.35 else thing


def _asked(rng: Random, lines: Sequence[str], thing: str) -> str:
    return rng.choice(lines).format(thing, a=words.article(thing))


def wares(scene: Scene, rng: Random) -> Exchange:
    line = rng.choice(PHRASES["wares"])  # fmt: skip
    body = f"I have {', '.join(scene.holds)}." if scene.holds else "I have nothing."
    return Exchange("wares", line, [said(frame(rng, scene.style, body))], must_say=(body,))


def price(scene: Scene, rng: Random) -> Exchange | None:
    if not scene.prices:
        return None
    thing = rng.choice(list(scene.prices))
    lines = PHRASES["price"]
    body = f"The {thing}: {scene.prices[thing]} coins."
    line = _asked(rng, lines, _short(rng, thing, scene.holds))
    return Exchange("price", line, [said(frame(rng, scene.style, body))], must_say=(body,))


def sell(scene: Scene, rng: Random) -> Exchange | None:
    """A sale at the marked price or at the player's offer; the game may refuse the price, and the character says so."""
    tool = scene.tools.get("sell")
    if not tool or not scene.prices:
        return None
    thing = rng.choice(list(scene.prices))
    listed = scene.prices[thing]
    price = listed if rng.random() < 0.45 else max(1, rng.randint(1, listed + 5))
    lines = PHRASES["buy"] if price == listed and rng.random() < 0.8 else PHRASES["offer"]
    line = rng.choice(lines).format(_short(rng, thing, scene.holds), a=words.article(thing), n=price)
    speech = rng.choice(
        ("The {}, for {} coins.", "{1} coins for the {0}.", "{1} coins, then the {0} is yours.")
    ).format(thing, price)
    roll = rng.random()
    if price < listed and roll < 0.6:
        least = rng.randint(price + 1, listed)
        reason, after = refusal(
            rng,
            scene,
            f"The least you take for it is {least} coins.",
            f"The least you take for the {thing} is {least} coins.",
        )
        return Exchange("sell", line, acted(rng, scene, speech, tool, [thing, price], "refused", reason, after))
    if roll < 0.15:
        coins = rng.randint(0, max(0, price - 1))
        reason, after = refusal(rng, scene, f"The player has only {coins} coins.")
        return Exchange("sell", line, acted(rng, scene, speech, tool, [thing, price], "refused", reason, after))
    after = frame(
        rng, scene.style, rng.choice(("A fair trade.", "The {} is yours.", "Good. Take the {}.")).format(thing)
    )
    del scene.prices[thing]
    scene.holds.remove(thing)
    scene.player_holds.append(thing)
    if scene.player_coins is not None:
        scene.player_coins = max(0, scene.player_coins - price)
    content = rng.choice((None, {"paid": price}, {"item": thing, "paid": price}))
    return Exchange("sell", line, acted(rng, scene, speech, tool, [thing, price], "accepted", content, after))


def take(scene: Scene, rng: Random) -> Exchange | None:
    tool = scene.tools.get("take")
    if rng.random() < 0.85 and scene.player_holds:
        thing, has = rng.choice(scene.player_holds), True
        line = _asked(rng, PHRASES["offered"], _short(rng, thing, scene.player_holds))
    else:
        thing, has = words.item(rng), scene.player_coins is None
        line = _asked(rng, PHRASES["offered"], thing)
    if tool is None:
        return Exchange("no_tool", line, [said(talk(rng, scene.style, "cannot"))])
    speech = rng.choice(("Give me the {}.", "The {}, good.", "I take the {}.", "Ah, the {}.")).format(thing)
    if not has:
        reason, after = refusal(rng, scene, f"The player does not hold {words.article(thing)}.")
        return Exchange("take", line, acted(rng, scene, speech, tool, [thing], "refused", reason, after))
    after = frame(
        rng,
        scene.style,
        rng.choice(("Thank you for the {}.", "I can use the {}.", "The {} is mine now.")).format(thing),
    )
    if thing in scene.player_holds:
        scene.player_holds.remove(thing)
    scene.holds.append(thing)
    return Exchange(
        "take", line, acted(rng, scene, speech, tool, [thing], "accepted", rng.choice((None, {"item": thing})), after)
    )


def open_(scene: Scene, rng: Random) -> Exchange | None:
    tool = scene.tools.get("open")
    if rng.random() < 0.15 or not scene.doors:
        name = words.door(rng)
        if name in scene.doors:
            return None
        return Exchange(
            "lack",
            _asked(rng, PHRASES["open"], name),
            [said(frame(rng, scene.style, f"Here is no {name}."))],
            must_say=(f"no {name}",),
        )
    name = rng.choice(scene.doors)
    line = _asked(rng, PHRASES["open"], name if len(scene.doors) > 1 or rng.random() < 0.6 else name.split()[-1])
    if tool is None:
        return Exchange("no_tool", line, [said(talk(rng, scene.style, "cannot"))])
    speech = rng.choice(("I open the {}.", "The {}, very well.", "Here, the {}.")).format(name)
    if rng.random() < 0.2:
        reason, after = refusal(
            rng, scene, f"The {name} is stuck.", f"The {name} is open already.", f"You have no key for the {name}."
        )
        return Exchange("open", line, acted(rng, scene, speech, tool, [name], "refused", reason, after))
    after = frame(
        rng, scene.style, rng.choice(("The {} is open.", "Go through the {}.", "You may pass the {}.")).format(name)
    )
    return Exchange(
        "open", line, acted(rng, scene, speech, tool, [name], "accepted", rng.choice((None, {"door": name})), after)
    )


def work(scene: Scene, rng: Random) -> Exchange:
    line, quest, tool = rng.choice(PHRASES["work"]), scene.quest, scene.tools.get("start")
    if quest is None or (quest.status == "not given" and tool is None):
        return Exchange("no_work", line, [said(frame(rng, scene.style, "I have no work for you."))])
    if quest.status != "not given":
        body = {"given": f"You have work already: {quest.name}.", "done": f"You have done it: {quest.name}."}.get(
            quest.status, "There is no more work."
        )
        return Exchange("no_work", line, [said(frame(rng, scene.style, body))])
    assert tool is not None
    quest.status = "given"
    speech = rng.choice(("There is work: {}.", "I have a task: {}.", "You can help me: {}.")).format(quest.name)
    after = frame(rng, scene.style, quest.task)
    return Exchange(
        "start", line, acted(rng, scene, speech, tool, [quest.name], "accepted", {"task": quest.task}, after)
    )


def done(scene: Scene, rng: Random) -> Exchange | None:
    line, quest, tool = rng.choice(PHRASES["done"]), scene.quest, scene.tools.get("finish")
    if quest is None or tool is None:
        return None
    if quest.status == "given" and rng.random() < 0.5:
        quest.status = "done"
    if quest.status != "done":
        body = {"given": f"It is not done: {quest.name}.", "not given": "I gave you no task."}.get(
            quest.status, "I paid you already."
        )
        return Exchange("not_done", line, [said(frame(rng, scene.style, body))])
    speech = rng.choice(("It is done: {}.", "Well done: {}.", "You did it: {}.")).format(quest.name)
    if rng.random() < 0.15:
        reason, after = refusal(
            rng, scene, f"The player has not brought the {words.item(rng)}.", "The quest is not done yet."
        )
        return Exchange("finish", line, acted(rng, scene, speech, tool, [quest.name], "refused", reason, after))
    quest.status = "finished"
    after = frame(
        rng,
        scene.style,
        rng.choice(("Your reward: {}.", "This is for you: {}.", "You have earned it: {}.")).format(quest.reward),
    )
    return Exchange(
        "finish", line, acted(rng, scene, speech, tool, [quest.name], "accepted", {"reward": quest.reward}, after)
    )


def _walk(kind: str, lines: Sequence[str], speeches: tuple[str, ...], afters: tuple[str, ...]) -> Maker:
    def make(scene: Scene, rng: Random) -> Exchange:
        line, tool = rng.choice(lines), scene.tools.get(kind)
        if tool is None:
            return Exchange("no_tool", line, [said(talk(rng, scene.style, "cannot"))])
        speech = rng.choice(speeches)
        if rng.random() < 0.15:
            reason, after = refusal(rng, scene, "You cannot walk now.", "You follow the player already.")
            return Exchange(kind, line, acted(rng, scene, speech, tool, [], "refused", reason, after))
        after = frame(rng, scene.style, rng.choice(afters))
        return Exchange(kind, line, acted(rng, scene, speech, tool, [], "accepted", None, after))

    return make


def deed(scene: Scene, rng: Random) -> Exchange | None:
    """An action that only this scene's declaration explains."""
    if not scene.deeds:
        return None
    verb, thing, tool = rng.choice(scene.deeds)
    known = thing or (rng.choice(scene.holds).split()[-1] if scene.holds and rng.random() < 0.5 else words.item(rng))
    line = rng.choice(
        (
            "Please {} the {}.",
            "Can you {} the {}?",
            "{} the {}.",
            "Would you {} the {} for me?",
            "I want you to {} the {}.",
        )
    )
    line = line.format(verb, known)
    values = [known] if tool.parameters["required"] else []
    after = frame(rng, scene.style, rng.choice(("It is done.", "There you are.", f"The {known}, as you asked.")))
    speech = rng.choice((_sure(scene, rng), f"I {verb} the {known}."))
    return Exchange(
        "deed", line[0].upper() + line[1:], acted(rng, scene, speech, tool, values, "accepted", None, after)
    )


follow = _walk(
    "follow",
    (
        "Come with me.",
        "Follow me.",
        "Will you come with me?",
        "Let us go together.",
        "Walk with me, please.",
        "Come along!",
    ),
    ("I come with you.", "Lead the way.", "I follow you."),
    ("Where do we go?", "I am right behind you.", "Let us go."),
)
stay = _walk(
    "stay",
    (
        "Wait here.",
        "Stay here.",
        "Stop following me.",
        "Please wait here.",
        "You can stay here now.",
        "Stay where you are.",
    ),
    ("I wait here.", "I stay.", "Then I stand here."),
    ("I will not move.", "Come back for me.", "I am waiting."),
)
