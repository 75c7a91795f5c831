"""Written evenings: the ones that ship are sound, and mistakes in others are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.errors import ContentError
from samples.tavern_text.evening import EVENINGS, FIRST, Do, Evening, Say, load_evening
from samples.tavern_text.game import Game
from samples.tavern_text.rule import RULES
from samples.tavern_text.village import VILLAGERS

SHIPPED = sorted(EVENINGS.glob("*.yaml"))


def npcs_of(evening: Evening) -> list[str]:
    """Whom each line is said to."""
    partner, out = "", []
    for step in evening.steps:
        if isinstance(step, Say):
            out.append(partner)
        elif step.do.startswith("talk "):
            partner = step.do.removeprefix("talk ").casefold()
    return out


def test_at_least_two_evenings_ship() -> None:
    assert len(SHIPPED) >= 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_evenings_hope_for_tools_of_the_game_and_talk_to_its_people(path: Path) -> None:
    evening = load_evening(path)
    hopes = [step.until.tool for step in evening.steps if isinstance(step, Say) and step.until]
    assert set(hopes) <= RULES.keys()
    assert set(npcs_of(evening)) <= VILLAGERS.keys()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_evenings_use_only_commands_that_the_game_knows(path: Path) -> None:
    for step in load_evening(path).steps:
        if isinstance(step, Do) and step.do != "bye":
            assert "do not know how" not in Game().command(step.do).text


def test_first_evening_has_a_dozen_lines_to_three_people() -> None:
    people = npcs_of(load_evening(FIRST))
    assert len(people) >= 12
    assert len(set(people)) >= 3


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("title: A\nsteps: []", "steps", "at least 1 item"),
        ("title: A\nsteps: [{do: look, say: hi}]", "steps.0", "Extra inputs"),
        ("title: A\nsteps: [{say: hi, otherwise: [ho]}]", "steps.0", "otherwise needs until"),
        ("title: A\nsteps: [{say: a, until: {tool: t}, otherwise: [b, c, d, e]}]", "steps.0", "at most 3 items"),
        ("title: A\nsteps: [{do: look}]\nspeed: 3", "speed", "Extra inputs"),
        ("title: A\nseed: -1\nsteps: [{do: look}]", "seed", "greater than or equal to 0"),
        ("[", "", "not YAML"),
        ("", "", "valid dictionary"),
    ],
    ids=["no steps", "two kinds", "no until", "too patient", "unknown key", "bad seed", "no yaml", "empty"],
)
def test_mistakes_name_file_and_step(tmp_path: Path, text: str, field: str, message: str) -> None:
    script = tmp_path / "night.yaml"
    script.write_text(text, encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        load_evening(script)
    assert str(script) in str(caught.value)
    assert message in str(caught.value)
    assert caught.value.field.startswith(field)
    assert caught.value.hint


def test_missing_script_names_those_that_ship(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"first\.yaml"):
        load_evening(tmp_path / "nothing.yaml")
