"""Rules that hold over several turns: sticky, cooldown, delay, and draws that agree with themselves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.lore.entry import NO_TIMERS, LoreEntry, Rules, Timers
from npc_sdk.lore.timing import advanced, started
from tests.lore.turns import after, ids, lore, reasons, turn


def _chat(entries: Sequence[LoreEntry], said: Sequence[str], step: int = 1) -> list[list[str]]:
    """Who is in at each turn of a conversation that grows by step messages a turn."""
    messages: list[str] = []
    timers = NO_TIMERS
    out = []
    for words in said:
        messages += ["…"] * (step - 1) + [words]
        found = turn(entries, *messages, timers=timers)
        timers = after(entries, found, len(messages))
        out.append(ids(entries, found))
    return out


def _in(entry: LoreEntry, said: Sequence[str], step: int = 1) -> str:
    """``x`` for each turn in which it is in."""
    return "".join("x" if found else "." for found in _chat([entry], said, step))


GOLD_ONCE = ["gold", *["well"] * 9]
GOLD_ALWAYS = ["gold"] * 10


@pytest.mark.parametrize(
    ("rules", "said", "step", "seen"),
    [
        pytest.param({}, GOLD_ONCE, 1, "x.........", id="no rule"),
        pytest.param({"sticky": 3}, GOLD_ONCE, 1, "xxx.......", id="sticky ends at chat length + n"),
        pytest.param({"sticky": 1}, GOLD_ONCE, 1, "x.........", id="sticky of one message"),
        pytest.param({"sticky": 3}, GOLD_ONCE, 2, "xx........", id="sticky counts messages, not turns"),
        pytest.param({"sticky": 4}, GOLD_ONCE, 2, "xx........", id="sticky ends at its message"),
        pytest.param({"sticky": 5}, GOLD_ONCE, 2, "xxx.......", id="sticky over its message"),
        pytest.param({"sticky": 3}, GOLD_ALWAYS, 1, "xxxxxxxxxx", id="sticky begins again"),
        pytest.param({"cooldown": 3}, GOLD_ALWAYS, 1, "x..x..x..x", id="cooldown ends at chat length + n"),
        pytest.param({"cooldown": 1}, GOLD_ALWAYS, 1, "xxxxxxxxxx", id="cooldown of one message"),
        pytest.param({"cooldown": 3}, GOLD_ALWAYS, 2, "x.x.x.x.x.", id="cooldown counts messages"),
        pytest.param(
            {"sticky": 2, "cooldown": 3}, GOLD_ALWAYS, 1, "xx...xx...", id="cooldown begins where sticky ends"
        ),
        pytest.param({"sticky": 3, "cooldown": 2}, GOLD_ONCE, 1, "xxx.......", id="sticky, then nothing said"),
        pytest.param(
            {"sticky": 3, "cooldown": 4}, GOLD_ALWAYS, 2, "xx..xx..xx", id="cooldown from the very end of sticky"
        ),
        pytest.param({"delay": 4}, GOLD_ALWAYS, 1, "...xxxxxxx", id="delay holds while the chat is shorter"),
        pytest.param({"delay": 4, "sticky": 3}, GOLD_ONCE, 1, "..........", id="a delayed entry is not made sticky"),
        pytest.param({"delay": 3, "cooldown": 2}, GOLD_ALWAYS, 1, "..x.x.x.x.", id="delay, then cooldown"),
        pytest.param(
            {"cooldown": 3, "is_constant": True}, ["…"] * 10, 1, "x..x..x..x", id="a constant with a cooldown"
        ),
        pytest.param({"sticky": 3, "probability": 0}, GOLD_ALWAYS, 1, "..........", id="who fails is not sticky"),
    ],
)
def test_timed_rules_over_a_conversation(rules: dict[str, int], said: list[str], step: int, seen: str) -> None:
    assert _in(lore("a", "gold", scan_depth=1, **rules), said, step) == seen


@given(st.integers(1, 12), st.integers(0, 12), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_sticky_and_cooldown_make_one_rhythm(sticky: int, cooldown: int, step: int) -> None:
    entry = lore("a", "gold", scan_depth=1, sticky=sticky, cooldown=cooldown)
    seen = _in(entry, ["gold"] * 20, step)
    begun = step  # the length of the chat when it came in
    for at, mark in enumerate(seen):
        length = (at + 1) * step
        if length >= begun + sticky + cooldown:
            begun = length
        assert (mark == "x") == (length < begun + sticky), (seen, at)


@pytest.mark.parametrize(
    ("timers", "length", "left"),
    [
        pytest.param(Timers({"a": 9}, {}), 8, Timers({"a": 9}, {}), id="sticky still holds"),
        pytest.param(Timers({"a": 9}, {}), 9, Timers({}, {"a": 13}), id="its end begins the cooldown"),
        pytest.param(Timers({"a": 9}, {}), 12, Timers({}, {"a": 13}), id="noticed late, not begun late"),
        pytest.param(Timers({"a": 9}, {}), 13, Timers(), id="both over"),
        pytest.param(Timers({"a": 9}, {}), 2, Timers(), id="messages were taken back"),
        pytest.param(Timers({}, {"a": 9}), 8, Timers({}, {"a": 9}), id="cooldown holds"),
        pytest.param(Timers({}, {"a": 9}), 9, Timers(), id="cooldown over"),
        pytest.param(Timers({}, {"a": 9}), 4, Timers(), id="messages were taken back from a cooldown"),
        pytest.param(Timers({"gone": 9}, {"left": 9}), 3, Timers({"gone": 9}, {"left": 9}), id="entries elsewhere"),
        pytest.param(Timers({"gone": 9}, {"left": 9}), 9, Timers(), id="entries elsewhere end in time"),
        pytest.param(Timers({"plain": 9}, {"plain": 9}), 3, Timers(), id="rules that an edit took away"),
    ],
)
def test_timers_go_on(timers: Timers, length: int, left: Timers) -> None:
    rules = {"a": Rules(sticky=5, cooldown=4), "plain": Rules()}
    assert advanced(timers, length, rules.get) == left


def test_a_turn_changes_no_timers_that_it_was_given() -> None:
    before = Timers({}, {})
    entries = [lore("a", "gold", sticky=3)]
    first = turn(entries, "gold", timers=before)
    assert before == Timers({}, {})
    assert turn(entries, "gold", timers=before) == first


def test_a_running_sticky_is_not_drawn_out() -> None:
    entries = [lore("a", "gold", sticky=3)]
    again = turn(entries, "gold", "gold", timers=Timers({"a": 4}, {}))
    assert after(entries, again, 2).sticky == {"a": 4}


def test_what_came_in_starts_no_timer_before_a_prompt_holds_it() -> None:
    entries = [lore("a", "gold", sticky=3), lore("b", "gold", cooldown=3)]
    found = turn(entries, "gold")
    assert found.timers == NO_TIMERS
    assert after(entries, found, 1) == Timers({"a": 4}, {"b": 4})
    assert started(NO_TIMERS, entries[1:], 1) == Timers({}, {"b": 4})


ENTRIES = [
    *(lore(f"g{n}", "gold", groups=("g",), group_weight=n) for n in range(1, 5)),
    *(lore(f"p{n}", "gold", probability=10 * n, sticky=n) for n in range(1, 10)),
]
CHANCES = st.text(max_size=8)


@given(CHANCES, st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_the_same_turn_comes_out_the_same(chance: str, before: int) -> None:
    messages = [*["…"] * before, "gold"]
    assert turn(ENTRIES, *messages, chance=chance) == turn(list(ENTRIES), *messages, chance=chance)


@given(CHANCES)
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_entries_changes_no_draw(chance: str) -> None:
    turned = ENTRIES[::-1]
    one, other = turn(ENTRIES, "gold", chance=chance), turn(turned, "gold", chance=chance)
    assert ids(ENTRIES, one) == ids(turned, other)
    assert reasons(ENTRIES, one) == reasons(turned, other)


def test_each_turn_and_each_conversation_draws_anew() -> None:
    entries = [lore("a", "gold", probability=50, scan_depth=1)]
    by_turn = {bool(turn(entries, *["gold"] * length).hits) for length in range(1, 30)}
    by_chance = {bool(turn(entries, "gold", chance=str(chance)).hits) for chance in range(30)}
    assert by_turn == by_chance == {True, False}
