"""The village as it is built: places, doors, people, prices, bargains and quests. Values only; see state.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PLAYER = "player"
START_PLACE = "square"
START_COINS = 10


@dataclass(frozen=True, slots=True)
class Exit:
    """A way to another place; a door bars it until its keeper opens it."""

    place_id: str
    door: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere the player can stand; exits are by direction."""

    name: str
    look: str
    exits: Mapping[str, Exit]


@dataclass(frozen=True, slots=True)
class Door:
    """A door that only its keeper opens, standing in the same place."""

    keeper: str
    place_id: str


@dataclass(frozen=True, slots=True)
class Villager:
    """Somebody to talk to. prices are asked for goods; bargains name what must have been received for an item."""

    name: str
    place_id: str
    holds: tuple[str, ...]
    prices: Mapping[str, int] = field(default_factory=dict)
    bargains: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quest:
    """An errand: the giver wants an item and pays with another, or in coins where that one is gone.

    task is how the giver puts it.
    """

    giver: str
    wanted: str
    reward: str
    reward_coins: int
    task: str


PLACES: Mapping[str, Place] = {
    "square": Place(
        "the village square",
        "Lamps burn round the dry fountain of Alderwick. People hurry home.",
        {"north": Exit("forge"), "west": Exit("inn"), "south": Exit("hut"), "east": Exit("gate")},
    ),
    "forge": Place("the forge", "Coals glow, and half-made blades hang from the beams.", {"south": Exit("square")}),
    "inn": Place(
        "the Gilded Goose",
        "A warm room full of talk. Behind the bar a low door leads down to the cellar.",
        {"east": Exit("square"), "down": Exit("cellar", "cellar door")},
    ),
    "cellar": Place(
        "the inn cellar", "Casks stand in the dark, and it smells of apples.", {"up": Exit("inn", "cellar door")}
    ),
    "hut": Place("the herb hut", "Bundles of dried plants hang over a small fire.", {"north": Exit("square")}),
    "gate": Place(
        "the east gate",
        "Two towers of old stone, and between them a heavy gate of oak.",
        {"west": Exit("square"), "east": Exit("road", "gate")},
    ),
    "road": Place(
        "the east road",
        "Fields lie grey in the moonlight. A path turns north.",
        {
            "west": Exit("gate", "gate"),
            "north": Exit("well"),
        },
    ),
    "well": Place("the old well", "Moss covers the stones. Something pale grows at the rim.", {"south": Exit("road")}),
}

DOORS: Mapping[str, Door] = {"cellar door": Door("tobin", "inn"), "gate": Door("corvin", "gate")}

VILLAGERS: Mapping[str, Villager] = {
    "mara": Villager("Mara", "forge", ("iron sword", "lantern", "knife"), {"iron sword": 12, "lantern": 4, "knife": 6}),
    "tobin": Villager("Tobin", "inn", ("honey cake", "bread", "ale"), {"honey cake": 2, "bread": 2, "ale": 3}),
    "elsbeth": Villager("Elsbeth", "hut", ("healing potion", "mint tea"), {"healing potion": 8, "mint tea": 2}),
    "corvin": Villager("Corvin", "gate", ("map",)),
    "pip": Villager("Pip", "square", ("silver hammer", "lucky stone"), bargains={"silver hammer": "honey cake"}),
}

LYING_ABOUT: Mapping[str, str] = {"moonpetal": "well", "apple": "cellar", "rope": "road"}

QUESTS: Mapping[str, Quest] = {
    "the lost hammer": Quest("mara", "silver hammer", "iron sword", 12, "Bring me the silver hammer."),
    "moonpetals": Quest("elsbeth", "moonpetal", "healing potion", 8, "Bring me a moonpetal from the old well."),
}
