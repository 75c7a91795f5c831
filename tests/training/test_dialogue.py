"""The generated dialogues: the same for the same seed, in the game's own words, true to their scene."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.lore.content import load_world
from npc_sdk.persona.situation import render_situation
from npc_sdk.settings import bundled_personas
from npc_sdk.training.dialogue import make_dialogue
from npc_sdk.training.evaluate import Answer, call_key, cases, is_right
from npc_sdk.training.exchange import turned
from npc_sdk.training.mix import make_exchange
from npc_sdk.training.piece import plain_text
from npc_sdk.training.scene import Quest, Scene, make_scene
from npc_sdk.training.style import STYLES

SCENES = 300


def test_a_seed_repeats_its_dialogues_and_another_does_not() -> None:
    first, again, other = (plain_text(make_dialogue(Random(seed))) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_call_is_declared_and_holds_all_its_arguments() -> None:
    rng, called = Random(0), 0
    for _ in range(SCENES):
        scene = make_scene(rng)
        declared = {spec.name: spec for spec in scene.specs()}
        for message in make_exchange(scene, rng).answer:
            for call in message.tool_calls:
                assert set(call.arguments) == set(declared[call.name].parameters["required"])
                called += 1
    assert called > SCENES / 4


def test_speech_holds_no_markers_and_facts_are_in_the_prompt() -> None:
    rng, facts = Random(1), 0
    for _ in range(SCENES):
        scene = make_scene(rng)
        exchange = make_exchange(scene, rng)
        assert not any("<" in message.text or "{" in message.text for message in exchange.answer)
        if exchange.kind == "fact":
            known = [*exchange.passages, *scene.persona.knows]
            assert set(exchange.must_say) <= set(known)
            facts += 1
    assert facts > 10


def test_an_answer_that_is_expected_counts_as_right_and_a_changed_one_does_not() -> None:
    for case in islice(cases(3), SCENES):
        message = case.exchange.answer[0]
        calls = tuple(call_key(c.name, dict(c.arguments)) for c in message.tool_calls)
        assert is_right(case.exchange, Answer(message.text, calls, is_malformed=False))
        assert not is_right(case.exchange, Answer(message.text, (*calls, ("fly", "{}")), is_malformed=False))
        if case.exchange.must_say:
            assert not is_right(case.exchange, Answer("Well.", (), is_malformed=False))


@pytest.mark.parametrize(
    ("told", "tells"),
    [
        ("You do not hold a lantern.", "I do not hold a lantern."),
        ("The player has only 1 coins.", "You have only 1 coins."),
        ("The player has not offered you the cup.", "You have not offered me the cup."),
        (
            "The cup is for sale, for 3 coins. You do not give it away.",
            "The cup is for sale, for 3 coins. I do not give it away.",
        ),
        ("You follow the player already.", "I follow you already."),
        ("The gate is open already.", "The gate is open already."),
    ],
)
def test_a_reason_is_told_from_the_characters_side(told: str, tells: str) -> None:
    assert turned(told) == tells


def _village_scene() -> Scene:
    scene = make_scene(Random(0))
    scene.player, scene.place = "Robin", "the forge"
    scene.holds, scene.prices = ["iron sword", "lantern"], {"iron sword": 12, "lantern": 4}
    scene.doors, scene.player_holds, scene.player_coins = ["cellar door"], [], 10
    scene.quest = Quest("the lost hammer", "given", "", "")
    return scene


def test_the_moment_reads_as_the_villages_personas_put_it() -> None:
    scene = _village_scene()
    state = {
        "place": "the forge", "holds": scene.holds, "prices": scene.prices, "doors": scene.doors, "player_holds": [],
        "player_coins": 10, "quest": "the lost hammer: given",
    }  # fmt: skip
    trained = scene.situation().split("\n")
    for npc_id, persona in load_world(bundled_personas()).personas.items():
        lines = render_situation(persona, state, "Robin")[0].split("\n")
        assert lines == [line for line in trained if line in lines], npc_id
        assert len(lines) >= 4, npc_id


def test_the_village_speaks_in_styles_that_are_trained() -> None:
    styles = {persona.voice.style for persona in load_world(bundled_personas()).personas.values()}
    assert styles <= set(STYLES)
    assert len(styles) == 5


def test_written_calls_are_read_back_by_the_tool_format() -> None:
    format_, rng, read = tool_format("nemotron"), Random(4), 0
    for _ in range(SCENES):
        text = plain_text(make_dialogue(rng, longest=3))
        for written in text.split("<toolcall>")[1:]:
            parsed = format_.parse(written.split("</toolcall>")[0])
            assert isinstance(parsed, tuple)
            assert len(parsed) == 1
            read += 1
    assert read > 50
