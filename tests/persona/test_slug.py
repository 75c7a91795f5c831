"""Ids made of what people wrote, in any script."""

from __future__ import annotations

import pytest

from npc_sdk.persona.slug import slug
from npc_sdk.persona.timeline import TimelineEntry


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The old mill", "the-old-mill"),
        ("Mara's forge!", "mara-s-forge"),
        ("Le Café de l’Été", "le-cafe-de-lete"),
        ("塔", "塔"),
        ("城", "城"),
        ("Старый Йод", "старый-йод"),
        ("की", "की"),
        ("the_mill — twice", "the-mill-twice"),
        ("!!! …", ""),
        ("x" * 90, "x" * 60),
    ],
)
def test_a_text_as_an_id(text: str, name: str) -> None:
    assert slug(text) == name


def test_so_many_words() -> None:
    assert slug("One two three", 2) == "one-two"


def test_what_happened_is_named_by_its_first_words_in_any_script() -> None:
    told = [TimelineEntry(date="1", text=text).slug for text in ("Башня упала.", "Мост упал.", "The flood of all.")]
    assert told == ["башня-упала", "мост-упал", "the-flood-of-all"]
