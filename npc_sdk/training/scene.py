"""A generated moment: one character, its tools and what the game's state says. Mutable, because exchanges change it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from npc_sdk.messages import ToolSpec
from npc_sdk.persona.schema import Persona, Voice, WorldFile
from npc_sdk.training import vocabulary as words
from npc_sdk.training.fact import Fact, make_fact
from npc_sdk.training.style import STYLES, Style
from npc_sdk.training.vocabulary import PHRASES

# For each kind of action: names, argument names, descriptions. The first of each is what the sample village uses.
_TOOLS: dict[str, tuple[str, str, str]] = {
    "give": ("give_item|hand_over|give|offer_item|pass_item|transfer_item", "item|thing|object|what",
             "Hand over an item you hold.|Give the player one of your things.|Pass an item to the player."),
    "take": ("take_item|accept_item|receive|collect|take_from_player", "item|thing|object|what",
             "Take an item from the player.|Receive what the player offers.|Accept a thing from the player."),
    "sell": ("sell_item|sell|trade_item|make_sale", "item,price|thing,coins|goods,cost|item,amount",
             "Sell an item you hold for coins.|Trade a thing for the player's coins.|Sell goods at a price."),
    "open": ("open_door|unlock_door|open|open_way|unbar", "door|entrance|which|target",
             "Open a door for the player.|Unlock a door.|Let the player through a door."),
    "start": ("start_quest|give_quest|begin_task|offer_job", "quest|task|job|name",
              "Give the player a quest.|Begin a task for the player.|Hire the player for a job."),
    "finish": ("finish_quest|complete_quest|end_task|reward_job", "quest|task|job|name",
               "End a quest that the player has done and pay the reward.|Close a task that is done.|Pay for a job."),
    "follow": ("follow_player|go_along|accompany|join_player", "",
               "Go with the player.|Follow the player.|Walk along with the player."),
    "stay": ("stay_here|wait_here|stop_following|stand_still", "",
             "Stop following and wait here.|Stay where you are.|Wait at this place."),
}  # fmt: skip


@dataclass(slots=True)
class Quest:
    name: str
    status: str
    task: str
    reward: str


@dataclass(slots=True)
class Scene:
    """tools maps the kind of an action (give, sell, …) to the declaration that this character has for it."""

    persona: Persona
    world: WorldFile
    style: Style
    player: str
    tools: dict[str, ToolSpec]
    deeds: list[tuple[str, str, ToolSpec]]
    holds: list[str] = field(default_factory=list)
    prices: dict[str, int] = field(default_factory=dict)
    player_holds: list[str] = field(default_factory=list)
    player_coins: int | None = None
    place: str = ""
    doors: list[str] = field(default_factory=list)
    quest: Quest | None = None
    known: list[Fact] = field(default_factory=list)
    goals: list[str] = field(default_factory=list)

    def situation(self) -> str:
        """The moment in the words that the village's personas use (personas/*/persona.yaml, key situation)."""
        lines = [f"You are talking to {self.player}."]
        if self.place:
            lines.append(f"Place: {self.place}.")
        lines.append(holds_line(self.holds))
        if self.prices:
            lines.append(prices_line(self.prices))
        if self.doors:
            lines.append(f"Doors here: {_listed(self.doors)}.")
        if self.player_coins is not None:
            lines.append(f"The player holds: {_listed(self.player_holds)}. The player has {self.player_coins} coins.")
        if self.quest:
            lines.append(f"Quest: {self.quest.name}: {self.quest.status}.")
        return "\n".join(lines)

    def hand_over(self, thing: str, price: int = 0) -> None:
        """The thing goes to the player, coins for it leave the purse. Mutates: the scene."""
        self.holds.remove(thing)
        self.prices.pop(thing, None)
        self.player_holds.append(thing)
        if self.player_coins is not None:
            self.player_coins = max(0, self.player_coins - price)

    def receive(self, thing: str) -> None:
        """The thing comes from the player. Mutates: the scene."""
        if thing in self.player_holds:
            self.player_holds.remove(thing)
        self.holds.append(thing)

    def specs(self) -> tuple[ToolSpec, ...]:
        return (*self.tools.values(), *(spec for _, _, spec in self.deeds))


def holds_line(things: list[str]) -> str:
    """The character's things, as the village's personas put it."""
    return f"You hold: {_listed(things)}."


def prices_line(prices: dict[str, int]) -> str:
    """What is for sale, as the village's personas put it."""
    return f"Prices: {', '.join(f'{thing}: {coins} coins' for thing, coins in prices.items())}."


def _listed(things: list[str]) -> str:
    return ", ".join(things) or "nothing"


def _pick(rng: Random, options: str) -> str:
    """One of the options; mostly the village's own wording."""
    choices = options.split("|")
    return choices[0] if rng.random() < 0.7 else rng.choice(choices)


def _tool(rng: Random, kind: str) -> ToolSpec:
    names, arguments, descriptions = _TOOLS[kind]
    fields = [name for name in _pick(rng, arguments).split(",") if name]
    types = {name: {"type": "integer" if at else "string"} for at, name in enumerate(fields)}
    schema = {"type": "object", "properties": types, "required": fields}
    return ToolSpec(_pick(rng, names), _pick(rng, descriptions), schema)


def _deed(rng: Random) -> tuple[str, str, ToolSpec]:
    """An action nobody planned for: ring the bell, polish the shield. Its thing is fixed or an argument."""
    verb = rng.choice(words.VERBS) if rng.random() < 0.8 else words.invented(rng, syllables=1)
    thing = rng.choice(words.ITEM_NOUNS)
    if rng.random() < 0.5:
        schema = {"type": "object", "properties": {}, "required": []}
        return verb, thing, ToolSpec(f"{verb}_{thing}", f"{verb.capitalize()} the {thing}.", schema)
    argument = rng.choice(("item", "target", "thing"))
    schema = {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}
    return verb, "", ToolSpec(f"{verb}_{argument}", f"{verb.capitalize()} something for the player.", schema)


def _filled(rng: Random, template: str) -> str:
    return template.format(
        i=words.item(rng), p=words.place(rng), n=rng.choice(words.NUMBERS), w=words.person(rng),
        a=rng.choice(words.ANIMALS), t=rng.choice(words.TIMES), k=rng.choice(words.ITEM_KINDS),
    )  # fmt: skip


def _quest(rng: Random) -> Quest:
    thing, where = words.item(rng), words.place(rng)
    task = rng.choice(
        (
            f"Bring me the {thing}.", f"Find the {thing} in {where}.", f"Go to {where} and fetch the {thing}.",
            f"Get {words.article(thing)} from {words.person(rng)}.",
            f"Drive the {rng.choice(words.ANIMALS)} from {where}.",
        )
    )  # fmt: skip
    lost = rng.choice(("lost", "missing", "stolen", "last", "secret"))
    name = rng.choice(
        (f"the {lost} {thing}", f"the {thing}", f"{thing}s", f"the {rng.choice(words.ANIMALS)} of {where}")
    )
    return Quest(
        name,
        rng.choice(("not given", "not given", "not given", "given", "done", "done", "finished")),
        task,
        words.item(rng),
    )


def make_scene(rng: Random) -> Scene:
    """A character in a moment; every part may be missing."""
    name, home = words.person(rng), words.town(rng)
    style_name = rng.choice(list(STYLES))
    known = [make_fact(rng) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
    goals = [_filled(rng, rng.choice(PHRASES["goals"])) for _ in range(rng.choice((1, 1, 2)))]
    secrets = [_filled(rng, rng.choice(PHRASES["secrets"])) for _ in range(rng.choice((0, 1)))]
    persona = Persona(
        name=name,
        role=f"the {rng.choice(words.TRADES)} of {home}",
        description=_filled(rng, rng.choice(PHRASES["natures"])),
        voice=Voice(style=style_name),
        goals=tuple(goals),
        secrets=tuple(secrets),
        knows=tuple(fact.text for fact in known),
    )
    premise = (
        f"{home} is a {rng.choice(('village', 'town', 'small place'))} by {words.place(rng)}."
        if rng.random() < 0.7
        else ""
    )
    kinds = rng.sample(list(_TOOLS), rng.choice((2, 3, 3, 4, 4, 5)))
    scene = Scene(
        persona,
        WorldFile(name=home, premise=premise),
        STYLES[style_name],
        words.person(rng),
        {kind: _tool(rng, kind) for kind in kinds},
        [_deed(rng) for _ in range(rng.choice((0, 0, 0, 1)))],
        known=known,
        goals=goals,
    )
    _furnish(rng, scene)
    return scene


def _furnish(rng: Random, scene: Scene) -> None:
    """Gives the scene its state."""
    scene.holds = words.items(rng, rng.choice((0, 1, 2, 2, 3, 3, 4)))
    if scene.holds and ("sell" in scene.tools or rng.random() < 0.2):
        goods = rng.sample(scene.holds, rng.randint(1, len(scene.holds)))
        scene.prices = {thing: rng.randint(1, 60) for thing in goods}
    if rng.random() < 0.8:
        scene.player_holds = words.items(rng, rng.choice((0, 1, 1, 2, 3)))
        scene.player_coins = rng.randint(0, 99)
    if rng.random() < 0.6:
        scene.place = words.place(rng)
    if "open" in scene.tools or rng.random() < 0.1:
        scene.doors = sorted({words.door(rng) for _ in range(rng.choice((1, 1, 2, 3)))})
    if rng.random() < (0.9 if {"start", "finish"} & set(scene.tools) else 0.1):
        scene.quest = _quest(rng)
