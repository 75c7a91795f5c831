"""Names that players and characters write, and the things they mean."""

from __future__ import annotations

import pytest

from samples.tavern_text.naming import find, is_named, listed, with_article

THINGS = ("iron sword", "silver hammer", "honey cake", "moonpetal", "iron nail")


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        ("iron sword", "iron sword"),
        ("The Iron Sword", "iron sword"),
        ("sword", "iron sword"),
        ("swords", "iron sword"),
        ("sword of iron", "iron sword"),
        ("moonpetal flower", "moonpetal"),
        ("moonpetals", "moonpetal"),
        ("iron", None),
        ("gold sword", None),
        ("", None),
        ("the", None),
    ],
)
def test_a_name_means_one_thing_or_none(name: str, thing: str | None) -> None:
    assert find(name, THINGS) == thing


@pytest.mark.parametrize(
    ("item", "text", "is_in"),
    [
        ("honey cake", "Here is a cake!", True),
        ("honey cake", "HONEY CAKES?", True),
        ("honey cake", "I like honey.", False),
        ("ale", "A sale!", False),
        ("ale", "One ale, please.", True),
    ],
)
def test_an_item_is_named_by_its_last_word(item: str, text: str, is_in: bool) -> None:
    assert is_named(item, text) is is_in


def test_lists_and_articles_read_well() -> None:
    assert [listed(names) for names in ((), ("a",), ("a", "b"), ("a", "b", "c"))] == [
        "nothing",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [with_article(name) for name in ("axe", "lantern")] == ["an axe", "a lantern"]
