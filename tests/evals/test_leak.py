"""Leak proof: planted leaks of every kind are found with both places, and what is meant to be known is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from npc_sdk.evals.leak.fact import Eyes, State, facts_of
from npc_sdk.evals.leak.moment import moments
from npc_sdk.evals.leak.question import Question, questions_about
from npc_sdk.evals.leak.run import Ask, Leak, LeakReport, find_leaks
from npc_sdk.evals.leak.text import plain, repeated
from npc_sdk.lore.content import WorldContent, load_world
from npc_sdk.lore.knowledge import Knowledge, Known
from npc_sdk.lore.scan import Viewer
from npc_sdk.lore.word import plain_words
from npc_sdk.prompt.compile import CompiledPrompt
from npc_sdk.prompt.trace import Part
from npc_sdk.requests import Segment

PERSONAS = Path(__file__).parents[2] / "personas"
WORLD = "name: Testland\npremise: A quiet land.\nquests: {hammer: [not given, given, done]}\n"
PERSONA = "name: {name}\nrole: a farmer\nvoice: {{style: gruff and short}}\n"
LORE = (
    "## The treasure\nkeys: gold\nnpcs: ada\nThe golden crown lies buried under the third apple tree.\n\n"
    "## The apples\nkeys: apple, apple tree\nApples ripen in the month of Harvest.\n"
)
SECRET = "You sold the mayor's horse to the river people."
CLOSED = (
    "secrets: [{id: fire, text: You lit the fire in the old mill., when: \"quests.hammer == 'done'\","
    " hint: You hide something.}]\n"
)
CROWN = "Everybody knows that the golden crown lies buried under the third apple tree in the garden."


def _write(root: Path, **changes: str) -> Path:
    """A small world; changes add lines to a file: ada, bob, world, lore or more (another page)."""
    files = {
        "world/world.yaml": WORLD + changes.get("world", ""),
        "world/lore/places.md": LORE + changes.get("lore", ""),
        "ada/persona.yaml": PERSONA.format(name="Ada") + changes.get("ada", ""),
        "bob/persona.yaml": PERSONA.format(name="Bob") + changes.get("bob", ""),
    }
    if "more" in changes:
        files["ada/lore/own.md"] = changes["more"]
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def _found(report: LeakReport) -> list[tuple[str, str, str]]:
    return [(leak.npc_id, leak.fact.fact_id, leak.passage.name if leak.passage else "") for leak in report.leaks]


def test_the_sample_village_leaks_nothing() -> None:
    report = find_leaks(load_world(PERSONAS))
    assert report.leaks == []
    assert report.pairs >= 100
    assert report.questions >= 4 * report.pairs


def test_every_hidden_fact_is_asked_for(tmp_path: Path) -> None:
    content = load_world(_write(tmp_path, ada=f'secrets: ["{SECRET}"]\nknows: [The well is deep.]\n', bob=CLOSED))
    report = find_leaks(content)
    assert report.leaks == []
    # bob: the treasure, ada's secret and what she knows; ada: bob's secret; bob again: his own while it is closed.
    assert report.pairs == 5
    assert report.states == 2


@pytest.mark.parametrize(
    ("changes", "leak"),
    [
        pytest.param({"lore": f"\n## Gossip\n{CROWN}\n"}, ("bob", "places.the-treasure", "places.gossip"), id="lore"),
        pytest.param(
            {"bob": f'knows: ["{CROWN}"]\n'}, ("bob", "places.the-treasure", "bob.knows[0]"), id="what another knows"
        ),
        pytest.param(
            {"world": f'rules: ["{CROWN}"]\n'}, ("bob", "places.the-treasure", "rules[0]"), id="rule of the world"
        ),
        pytest.param(
            {"bob": f'description: "{CROWN}"\n'}, ("bob", "places.the-treasure", "bob.description"), id="description"
        ),
        pytest.param(
            {"bob": f'barks: ["{CROWN}"]\n'}, ("bob", "places.the-treasure", "bob.barks[0]"), id="its own mouth"
        ),
        pytest.param(
            {"bob": 'knows: ["The GOLDEN crown: lies buried, under the third (apple) tree!"]\n'},
            ("bob", "places.the-treasure", "bob.knows[0]"),
            id="other dress",
        ),
        pytest.param(
            {"bob": 'knows: ["A golden crown lies buried under the third of our trees."]\n'},
            ("bob", "places.the-treasure", "bob.knows[0]"),
            id="the better part of it",
        ),
        pytest.param(
            {"bob": f'taboos: ["{CROWN}"]\n'}, ("bob", "places.the-treasure", "bob.taboos[0]"), id="what it shuns"
        ),
        pytest.param(
            {"bob": f'greeting: "{CROWN}"\n'}, ("bob", "places.the-treasure", "bob.greeting"), id="first words"
        ),
        pytest.param(
            {"bob": f'relationships: {{player: {{words: {{4: "{CROWN}"}}}}}}\n'},
            ("bob", "places.the-treasure", "bob.relationships.player.words.4"),
            id="words about the player",
        ),
        pytest.param(
            {"bob": f'secrets: [{{id: s, text: You are ill., when: hurt, hint: "{CROWN}"}}]\n'},
            ("bob", "places.the-treasure", "bob.secrets[0].hint"),
            id="hint of a secret",
        ),
        pytest.param(
            {"world": f'tools: [{{name: dig, description: "{CROWN}"}}]\n'},
            ("bob", "places.the-treasure", "tools.dig"),
            id="description of an act",
        ),
        pytest.param(
            {"ada": f'secrets: ["{SECRET}"]\n', "lore": f"\n## Horse\nIs it so? {SECRET}\n"},
            ("bob", "ada.secrets[0]", "places.horse"),
            id="secret of another",
        ),
        pytest.param(
            {"bob": CLOSED + "goals: [forget how you lit the fire in the old mill]\n"},
            ("bob", "bob.fire", "bob.goals[0]"),
            id="own closed secret",
        ),
        pytest.param(
            {
                "more": "## Pass\nkeys: pass\nThe secret pass begins behind the waterfall.\n",
                "lore": "\n## Falls\nThey say the secret pass begins behind the waterfall.\n",
            },
            ("bob", "ada.own.pass", "places.falls"),
            id="own lore",
        ),
    ],
)
def test_a_fact_told_twice_is_found_with_both_places(
    tmp_path: Path, changes: dict[str, str], leak: tuple[str, str, str]
) -> None:
    assert leak in _found(find_leaks(load_world(_write(tmp_path, **changes))))


@pytest.mark.parametrize("key", ["style", "examples"])
def test_a_voice_can_give_a_fact_away(tmp_path: Path, key: str) -> None:
    root = _write(tmp_path)
    said = f'style: "{CROWN}"' if key == "style" else f'style: gruff\n  examples: ["{CROWN}"]'
    (root / "bob/persona.yaml").write_text(f"name: Bob\nrole: a farmer\nvoice:\n  {said}\n", encoding="utf-8")
    ((npc_id, _, passage),) = _found(find_leaks(load_world(root)))
    assert (npc_id, passage) == ("bob", "bob.voice.style" if key == "style" else "bob.voice.examples[0]")


def test_what_a_kind_says_is_told_to_all_who_are_of_it(tmp_path: Path) -> None:
    root = _write(tmp_path, bob="extends: folk\n", ada="extends: folk\n")
    (root / "world/kinds").mkdir()
    (root / "world/kinds/folk.yaml").write_text(f'taboos: ["{CROWN}"]\n', encoding="utf-8")
    assert _found(find_leaks(load_world(root))) == [("bob", "places.the-treasure", "bob.taboos[0]")]


def test_no_model_is_needed_that_a_persona_names(tmp_path: Path) -> None:
    report = find_leaks(load_world(_write(tmp_path, bob="model: big\n")))
    assert (report.leaks, report.pairs) == ([], 1)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"ada": "knows: [The well is deep.]\n", "bob": "knows: [The well is deep.]\n"}, id="told to both"),
        pytest.param(
            {"ada": "knows: [Apples ripen in the month of Harvest.]\n"}, id="one knows what is known to all anyway"
        ),
        pytest.param({"ada": f'secrets: ["{SECRET}"]\n', "bob": f'secrets: ["{SECRET}"]\n'}, id="a shared secret"),
        pytest.param({"bob": "knows: [The old horse stands under the third apple tree.]\n"}, id="a place in common"),
        pytest.param({"ada": "knows: [The golden crown lies buried under the third apple tree.]\n"}, id="may know it"),
    ],
)
def test_what_is_meant_to_be_known_is_no_leak(tmp_path: Path, changes: dict[str, str]) -> None:
    assert _found(find_leaks(load_world(_write(tmp_path, **changes)))) == []


def _asking(content: WorldContent, change: Ask) -> list[Leak]:
    return find_leaks(content, ask=change).leaks


def _empty(parts: tuple[Part, ...] = (), told: str = "") -> CompiledPrompt:
    from npc_sdk.prompt.trace import Trace

    return CompiledPrompt((Segment(told),), (), (), (), Trace(parts, 0, 1, 1), 0, 0)


def test_a_prompt_that_names_a_hidden_entry_is_a_leak(tmp_path: Path) -> None:
    content = load_world(_write(tmp_path))

    def ask(npc_id: str, question: Question, _state: State) -> CompiledPrompt:
        is_in = npc_id == "bob" and "gold" in question.words
        return _empty((Part("lore", "places.the-treasure", 9, is_in, "key 'gold' was said"),))

    (leak,) = _asking(content, ask)
    assert (leak.npc_id, leak.fact.fact_id) == ("bob", "places.the-treasure")
    assert leak.question is not None
    assert "gold" in leak.question.words


def test_a_prompt_that_holds_the_words_is_a_leak_whatever_names_them(tmp_path: Path) -> None:
    content = load_world(_write(tmp_path, bob=CLOSED))
    told = "Facts:\n* you LIT the fire, in the old mill\n"
    (leak,) = _asking(content, lambda npc_id, *_: _empty(told=told if npc_id == "bob" else ""))
    assert leak.fact.fact_id == "bob.fire"


@pytest.fixture
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that takes everything for known."""
    seen_by = Knowledge.seen_by

    def all_seen(knowledge: Knowledge, viewer: Viewer) -> Known:
        known = seen_by(knowledge, viewer)
        known.mask[:] = True
        return known

    monkeypatch.setattr(Knowledge, "seen_by", all_seen)


@pytest.mark.usefixtures("_forgetful")
def test_a_search_that_forgets_scopes_is_found_out(tmp_path: Path) -> None:
    content = load_world(_write(tmp_path))
    assert ("bob", "places.the-treasure", "") in _found(find_leaks(content))


@pytest.mark.usefixtures("_forgetful")
def test_what_a_draw_or_a_delay_keeps_out_is_found_all_the_same(tmp_path: Path) -> None:
    content = load_world(_write(tmp_path))
    ruled = [
        dataclasses.replace(entry, rules=dataclasses.replace(entry.rules, probability=0.0, delay=99))
        for entry in content.lore
    ]
    report = find_leaks(dataclasses.replace(content, lore=tuple(ruled)))
    assert ("bob", "places.the-treasure", "") in _found(report)


def test_each_condition_is_tried_in_a_state_in_which_it_holds(tmp_path: Path) -> None:
    lore = (
        "\n## Key\nkeys: key\nnpcs: ada\nwhen: quests.hammer == 'done' and relation.player >= 4\nThe key hangs here.\n"
    )
    content = load_world(_write(tmp_path, lore=lore, ada="relationships: {player: {start: 0}}\n"))
    facts = facts_of(content)
    first, second = moments(facts, {"weather": "rain"})
    assert first == {"weather": "rain"}
    assert second == {"weather": "rain", "quests": {"hammer": "done"}, "relation": {"player": 10}}
    key = next(fact for fact in facts if fact.fact_id == "places.key")
    assert Eyes(content, "ada", second).may_know(key)
    assert not Eyes(content, "ada", first).may_know(key)
    assert not Eyes(content, "bob", second).may_know(key)
    assert find_leaks(content).leaks == []


def test_no_question_holds_the_fact_that_it_asks_for() -> None:
    for fact in facts_of(load_world(PERSONAS)):
        questions = questions_about(fact)
        assert len(questions) >= 4, fact.fact_id
        for question in questions:
            words = " ".join((question.words, *(message.text for message in question.history)))
            assert plain(fact.text) not in plain(words), fact.fact_id


@pytest.mark.parametrize(
    ("fact", "other", "run"),
    [
        ("The crown is gold.", "See: the crown is gold!", "the crown is gold"),
        ("The crown is gold.", "The crown is lost.", ""),
        ("The wolf tracks lead to the ruin of the north tower.", "Ivy covers the ruin of the north tower.", ""),
        ("Gold.", "golden", ""),
        ("", "anything", ""),
    ],
)
def test_half_of_the_meaning_in_a_row_gives_a_fact_away(fact: str, other: str, run: str) -> None:
    assert repeated(plain_words(fact), plain(other)) == run
