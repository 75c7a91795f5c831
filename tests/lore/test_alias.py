"""Other names of people and places: a search hears the name itself, and a chat is as long as all of its messages."""

from __future__ import annotations

import numpy as np
import pytest

from npc_sdk.lore.activation import Activator
from npc_sdk.lore.alias import Aliases
from npc_sdk.lore.entry import LoreEntry, Rules
from npc_sdk.lore.scan import Scan, Viewer

NAMES = {"Ysolde": ("the lady", "my lady of the land"), "the forge": ("smithy",), "Old Brann": ("Mara's father",)}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        pytest.param("Who is the lady?", ("Ysolde",), id="one"),
        pytest.param("THE LADY at the smithies", ("Ysolde", "the forge"), id="two, in any case and number"),
        pytest.param("the lady and the lady", ("Ysolde",), id="each once"),
        pytest.param("Mara's father", ("Old Brann",), id="with an apostrophe"),
        pytest.param("a lady", (), id="not the whole alias"),
        pytest.param("", (), id="nothing said"),
    ],
)
def test_an_alias_means_its_name(said: str, meant: tuple[str, ...]) -> None:
    assert Aliases(NAMES).names_in(said) == meant


def test_the_name_stands_behind_the_words() -> None:
    assert Aliases(NAMES).expanded("the lady?") == "the lady? (Ysolde)"
    assert Aliases({}).expanded("the lady?") == "the lady?"


@pytest.mark.parametrize(("earlier", "is_in"), [(0, False), (8, False), (9, True)])
def test_messages_that_are_no_longer_at_hand_count(earlier: int, is_in: bool) -> None:
    entry = LoreEntry("a", "Gold.", ("gold",), rules=Rules(delay=10))
    scan = Scan(Viewer("mara"), ("gold",), earlier=earlier)
    assert bool(Activator([entry]).run(scan, np.array([True])).hits) is is_in
