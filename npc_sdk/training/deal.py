"""Exchanges in which the player wants something done: things change hands, doors open, quests begin and end."""

from __future__ import annotations

from random import Random

from npc_sdk.training import vocabulary as words
from npc_sdk.training.exchange import Act, Exchange, Maker, accepted, cannot, refused, spoken
from npc_sdk.training.fact import echo
from npc_sdk.training.scene import Scene
from npc_sdk.training.style import talk
from npc_sdk.training.vocabulary import PHRASES


def _named(rng: Random, phrases: str, asked: str, thing: str) -> str:
    """Words before an act; a thing that was called by its whole name may be "it" from then on."""
    is_it = asked == thing and rng.random() < 0.7
    return echo(f"the {asked}", rng.choice(PHRASES[f"{phrases}_it"]) if is_it else _said(rng, phrases, thing))


def _said(rng: Random, phrases: str, thing: str, **gaps: object) -> str:
    """One of the phrases with its gaps filled."""
    return rng.choice(PHRASES[phrases]).format(thing, a=words.article(thing), **gaps)


def _maybe(rng: Random, **content: object) -> dict[str, object] | None:
    """What a game may tell or leave out."""
    return rng.choice((None, content))


def _short(rng: Random, thing: str, among: list[str]) -> str:
    """The thing as a player would call it: often only its last word, where that is clear enough."""
    last = thing.split()[-1]
    is_clear = sum(other.split()[-1] == last for other in among) == 1
    return last if is_clear and rng.random() < 0.35 else thing


def _lack(scene: Scene, rng: Random, line: str, body: str, is_there: bool) -> Exchange | None:
    """Asked for what is not there; None where chance drew something that is."""
    return None if is_there else spoken(scene, rng, "lack", line, body, body)


def give(scene: Scene, rng: Random) -> Exchange | None:
    """Asked for a thing: handed over if held and not for sale."""
    if rng.random() < 0.3 or not scene.holds:
        thing = words.item(rng)
        return _lack(scene, rng, _said(rng, "want", thing), echo(f"the {thing}", "I have none."), thing in scene.holds)
    thing = rng.choice(scene.holds)
    asked = _short(rng, thing, scene.holds)
    line = _said(rng, "want", asked)
    if thing in scene.prices and "sell" in scene.tools:
        return _tell_price(scene, rng, line, asked, thing)
    tool = scene.tools.get("give")
    if tool is None:
        return cannot(scene, rng, line)
    act = Act("give", line, _named(rng, "give_speech", asked, thing), tool, (thing,))
    if rng.random() < 0.2:
        return refused(
            scene, rng, act, f"You do not hold {words.article(thing)}.", f"You do not give the {thing} away."
        )
    scene.hand_over(thing)
    return accepted(scene, rng, act, _maybe(rng, item=thing), _said(rng, "give_after", thing))


def wares(scene: Scene, rng: Random) -> Exchange:
    things = [words.article(thing) for thing in scene.holds]
    last = f" and {things.pop()}" if len(things) > 1 else ""
    body = f"I have {', '.join(things) or 'nothing'}{last}."
    return spoken(scene, rng, "wares", rng.choice(PHRASES["wares"]), body, *scene.holds)


def price(scene: Scene, rng: Random) -> Exchange | None:
    if not scene.prices:
        return None
    thing = rng.choice(list(scene.prices))
    asked = _short(rng, thing, scene.holds)
    return _tell_price(scene, rng, _said(rng, "price", asked), asked, thing)


def _tell_price(scene: Scene, rng: Random, line: str, asked: str, thing: str) -> Exchange:
    coins = f"{scene.prices[thing]} coins"
    body = echo(f"the {asked}", _said(rng, "price_speech", thing, n=coins))
    return spoken(scene, rng, "price", line, body, thing, coins)


def sell(scene: Scene, rng: Random) -> Exchange | None:
    """A sale at the marked price or at the player's offer; the game may refuse the price, and the character says so."""
    tool = scene.tools.get("sell")
    if not tool or not scene.prices:
        return None
    thing = rng.choice(list(scene.prices))
    listed = scene.prices[thing]
    price = listed if rng.random() < 0.35 else max(1, rng.randint(1, listed + 5))
    asks = "buy" if price == listed and rng.random() < 0.8 else "offer"
    asked = _short(rng, thing, scene.holds)
    line = _said(rng, asks, asked, n=price)
    act = Act("sell", line, echo(f"the {asked}", _said(rng, "sell_speech", thing, n=price)), tool, (thing, price))
    roll = rng.random()
    if price < listed and roll < 0.6:
        least = f"{rng.randint(price + 1, listed)} coins"
        return refused(
            scene, rng, act, f"The least you take for it is {least}.", f"The least you take for the {thing} is {least}."
        )
    if roll < 0.15:
        return refused(scene, rng, act, f"The player has only {rng.randint(0, max(0, price - 1))} coins.")
    scene.hand_over(thing, price)
    content = _maybe(rng, paid=price) or _maybe(rng, item=thing, paid=price)
    return accepted(scene, rng, act, content, _said(rng, "sell_after", thing))


def take(scene: Scene, rng: Random) -> Exchange | None:
    if rng.random() < 0.85 and scene.player_holds:
        thing, has = rng.choice(scene.player_holds), True
        asked = _short(rng, thing, scene.player_holds)
    else:
        thing, has = words.item(rng), scene.player_coins is None
        asked = thing
    line = _said(rng, "offered", asked)
    tool = scene.tools.get("take")
    if tool is None:
        return cannot(scene, rng, line)
    act = Act("take", line, _named(rng, "take_speech", asked, thing), tool, (thing,))
    if not has:
        return refused(scene, rng, act, f"The player does not hold {words.article(thing)}.")
    scene.receive(thing)
    return accepted(scene, rng, act, _maybe(rng, item=thing), _said(rng, "take_after", thing))


def open_(scene: Scene, rng: Random) -> Exchange | None:
    if rng.random() < 0.15 or not scene.doors:
        name = words.door(rng)
        return _lack(scene, rng, _said(rng, "open", name), echo(f"the {name}", "It is not here."), name in scene.doors)
    name = rng.choice(scene.doors)
    asked = name if len(scene.doors) > 1 or rng.random() < 0.6 else name.split()[-1]
    line = _said(rng, "open", asked)
    tool = scene.tools.get("open")
    if tool is None:
        return cannot(scene, rng, line)
    act = Act("open", line, _named(rng, "open_speech", asked, name), tool, (name,))
    if rng.random() < 0.2:
        reasons = (f"The {name} is stuck.", f"The {name} is open already.", f"You have no key for the {name}.")
        return refused(scene, rng, act, *reasons)
    return accepted(scene, rng, act, _maybe(rng, door=name), _said(rng, "open_after", name))


def work(scene: Scene, rng: Random) -> Exchange:
    line, quest, tool = rng.choice(PHRASES["work"]), scene.quest, scene.tools.get("start")
    if quest is None or (quest.status == "not given" and tool is None):
        return spoken(scene, rng, "no_work", line, "I have no work for you.")
    if quest.status != "not given":
        told = {"given": f"You have work already: {quest.name}.", "done": f"You have done it: {quest.name}."}
        return spoken(scene, rng, "no_work", line, told.get(quest.status, "There is no more work."))
    assert tool is not None
    quest.status = "given"
    act = Act("start", line, _said(rng, "work_speech", quest.name), tool, (quest.name,))
    if rng.random() < 0.3:
        return accepted(scene, rng, act, None, *PHRASES["start_after"])
    return accepted(scene, rng, act, {"task": quest.task}, quest.task)


def done(scene: Scene, rng: Random) -> Exchange | None:
    line, quest, tool = rng.choice(PHRASES["done"]), scene.quest, scene.tools.get("finish")
    if quest is None or tool is None:
        return None
    if quest.status == "given" and rng.random() < 0.5:
        quest.status = "done"
    if quest.status != "done":
        told = {"given": f"It is not done: {quest.name}.", "not given": "I gave you no task."}
        return spoken(scene, rng, "not_done", line, told.get(quest.status, "I paid you already."))
    act = Act("finish", line, _said(rng, "done_speech", quest.name), tool, (quest.name,))
    if rng.random() < 0.15:
        return refused(scene, rng, act, f"The player has not brought the {words.item(rng)}.", "It is not done yet.")
    quest.status = "finished"
    if rng.random() < 0.3:
        return accepted(scene, rng, act, None, *PHRASES["finish_after"])
    return accepted(scene, rng, act, {"reward": quest.reward}, _said(rng, "done_after", quest.reward))


def _walk(kind: str) -> Maker:
    def make(scene: Scene, rng: Random) -> Exchange:
        line, tool = rng.choice(PHRASES[kind]), scene.tools.get(kind)
        if tool is None:
            return cannot(scene, rng, line)
        act = Act(kind, line, rng.choice(PHRASES[f"{kind}_speech"]), tool)
        if rng.random() < 0.15:
            return refused(scene, rng, act, "You cannot walk now.", "You follow the player already.")
        return accepted(scene, rng, act, None, *PHRASES[f"{kind}_after"])

    return make


follow = _walk("follow")
stay = _walk("stay")


def deed(scene: Scene, rng: Random) -> Exchange | None:
    """An action that only this scene's declaration explains."""
    if not scene.deeds:
        return None
    verb, thing, tool = rng.choice(scene.deeds)
    known = thing or (rng.choice(scene.holds).split()[-1] if scene.holds and rng.random() < 0.5 else words.item(rng))
    line = rng.choice(PHRASES["deed"]).format(verb, known)
    speech = rng.choice((talk(rng, scene.style, "sure"), f"I {verb} the {known}."))
    act = Act("deed", line[0].upper() + line[1:], speech, tool, (known,) if tool.parameters["required"] else ())
    return accepted(scene, rng, act, None, "It is done.", "There you are.", f"The {known}, as you asked.")
