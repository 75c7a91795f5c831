"""`npc check` on tools: what does not fit fails, what only may be misspelt is noted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from npc_sdk.cli.check import check

WORLD = "name: W\ntools: [{name: give, description: Give., params: {item: {from: state.holds}}}]\n"
PERSONA = "name: Ada\nrole: r\nvoice: {style: s}\nsituation: ['You have: {{ hold }}.']\n"

app = typer.Typer()
app.command()(check)


def _check(root: Path, tools: str) -> Result:
    for folder in ("world", "ada"):
        (root / folder).mkdir()
    (root / "world/world.yaml").write_text(WORLD, encoding="utf-8")
    (root / "ada/persona.yaml").write_text(f"{PERSONA}tools: {tools}\n", encoding="utf-8")
    return CliRunner().invoke(app, [str(root)])


def test_a_path_that_may_be_misspelt_is_noted_and_does_not_fail(tmp_path: Path) -> None:
    result = _check(tmp_path, "[give]")
    note, summary = result.stdout.splitlines()
    assert result.exit_code == 0
    assert note.startswith(f"note: {tmp_path / 'world/world.yaml'}:2:58: tools[0].params.item.from: ")
    assert "names 'holds', but one names 'hold'" in note
    assert summary == "1 character, 0 lore entries: no mistakes, 1 note"


@pytest.mark.parametrize("tools", ["[{name: give, limits: {item: {minimum: 1}}}]", "[{name: give, limits: {x: {}}}]"])
def test_a_limit_that_does_not_fit_fails(tmp_path: Path, tools: str) -> None:
    result = _check(tmp_path, tools)
    assert result.exit_code == 1
    assert re.search(r"persona\.yaml:5:\d+: tools\[0\]\.limits\.", result.stdout)
