"""Who knows what: the fast answer for a whole book is the plain one of each entry."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.lore.entry import LoreEntry, Scope
from npc_sdk.lore.knowledge import Knowledge
from npc_sdk.lore.scan import Viewer
from npc_sdk.lore.scope import barred

NAMES = st.sampled_from(("a", "b", "c"))
SETS = st.frozensets(NAMES, max_size=2)
DAYS = st.none() | st.integers(0, 4)
CONDITIONS = st.sampled_from(("", "stage > 2", "quests.hammer == 'done'", "unset"))
SCOPES = st.builds(Scope, npc_ids=SETS, factions=SETS, places=SETS, since=DAYS, until=DAYS, when=CONDITIONS)
VIEWERS = st.builds(
    Viewer,
    npc_id=NAMES,
    factions=SETS,
    place=st.sampled_from(("", "a", "b")),
    today=DAYS,
    variables=st.sampled_from(({}, {"stage": 3}, {"stage": 1, "quests": {"hammer": "done"}})),
    learned=st.frozensets(st.sampled_from(("e0", "e1", "elsewhere")), max_size=2),
)


@settings(max_examples=200, deadline=None)
@given(scopes=st.lists(SCOPES, max_size=8), viewer=VIEWERS)
def test_it_says_what_each_scope_says(scopes: list[Scope], viewer: Viewer) -> None:
    entries = [LoreEntry(f"e{at}", "x", scope=scope) for at, scope in enumerate(scopes)]
    known = Knowledge(entries).seen_by(viewer)
    wanted = ["" if entry.entry_id in viewer.learned else barred(entry.scope, viewer) for entry in entries]
    assert [known.why_not(at) for at in range(len(entries))] == wanted
    assert known.mask.tolist() == [not why for why in wanted]


def test_entries_are_found_by_their_id() -> None:
    knowledge = Knowledge([LoreEntry("mill", "x"), LoreEntry("well", "x")])
    assert (knowledge.place_of("well"), knowledge.place_of("tower")) == (1, None)


def test_very_many_conditions_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 1500  # more than the cache of lines holds
    entries = [LoreEntry(f"e{n}", "x", scope=Scope(when=f"stage == {n}")) for n in range(count)]
    knowledge = Knowledge(entries)
    monkeypatch.setattr("npc_sdk.persona.condition.template_of", None)
    known = knowledge.seen_by(Viewer("a", variables={"stage": 7}))
    assert known.mask.nonzero()[0].tolist() == [7]
    assert known.why_not(8) == "only when stage == 8"


def test_a_condition_that_does_not_parse_lets_nobody_know() -> None:
    known = Knowledge([LoreEntry("e", "x", scope=Scope(when="stage =="))]).seen_by(Viewer("a"))
    assert known.why_not(0).startswith("only when stage ==: does not parse")
