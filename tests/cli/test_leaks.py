"""`npc check --leaks`: says what was asked, fails on a leak, and names both places."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from npc_sdk.cli.check import check
from npc_sdk.errors import ContentError, NpcError, SettingsError

PERSONAS = Path(__file__).parents[2] / "personas"
PERSONA = "name: {name}\nrole: a farmer\nvoice: {{style: gruff and short}}\n"
FACT = "The golden crown lies buried under the third apple tree."

app = typer.Typer()
app.command()(check)


def _check(*arguments: Path | str) -> Result:
    result = CliRunner().invoke(app, [*map(str, arguments), "--leaks"])
    if isinstance(result.exception, NpcError):
        raise result.exception
    return result


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ada knows where the crown is; the cellar is open to all who were given the quest."""
    files = {
        "world/world.yaml": "name: Testland\nquests: {cellar: [not given, given]}\n",
        "world/lore/places.md": f"## The crown\nkeys: crown\nnpcs: ada\n{FACT}\n\n"
        "## The cellar\nkeys: cellar\nwhen: quests.cellar == 'given'\nThe cellar holds barrels of old black beer.\n",
        "ada/persona.yaml": PERSONA.format(name="Ada"),
        "bob/persona.yaml": PERSONA.format(name="Bob"),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_the_village_is_tight() -> None:
    result = _check(PERSONAS)
    assert result.exit_code == 0
    pairs = re.search(r"([\d,]+) pairs of a character and a fact .* none leaked", result.stdout)
    assert pairs is not None
    assert int(pairs[1].replace(",", "")) >= 100


def test_a_leak_fails_and_names_both_places(root: Path) -> None:
    path = root / "bob/persona.yaml"
    path.write_text(f"{PERSONA.format(name='Bob')}goals:\n  - sleep\nknows:\n  - {FACT}\n", encoding="utf-8")
    result = _check(root)
    assert result.exit_code == 1
    first = result.stdout.splitlines()[0].replace(f"{root}/", "")
    assert first == (
        "world/lore/places.md:1: places.the-crown: leak: bob must not know this and is told 'the golden crown lies"
        " buried under the third apple tree' in bob.knows[0] (bob/persona.yaml:7; take the words out there, or let bob"
        " know this)"
    )


def test_the_place_of_a_kinds_line_is_in_the_kinds_file(root: Path) -> None:
    (root / "world/kinds").mkdir()
    (root / "world/kinds/folk.yaml").write_text(
        f'relationships:\n  player:\n    words:\n      4: "{FACT}"\n', encoding="utf-8"
    )
    with (root / "bob/persona.yaml").open("a", encoding="utf-8") as file:
        file.write("extends: folk\n")
    first = _check(root).stdout.splitlines()[0].replace(f"{root}/", "")
    assert "in bob.relationships.player.words.4 (world/kinds/folk.yaml:4;" in first


def test_a_secret_is_told_with_the_place_in_its_persona(root: Path) -> None:
    (root / "ada/persona.yaml").write_text(
        PERSONA.format(name="Ada") + "secrets:\n  - You buried the crown of the old king.\n", encoding="utf-8"
    )
    with (root / "world/lore/places.md").open("a", encoding="utf-8") as page:
        page.write("\n## Gossip\nSomebody buried the crown of the old king.\n")
    first = _check(root).stdout.splitlines()[0].replace(f"{root}/", "")
    assert first.startswith("ada/persona.yaml:5:5: ada.secrets[0]: leak: bob must not know this")
    assert "in places.gossip (world/lore/places.md:11;" in first


def test_leaks_are_findings_in_json_too(root: Path) -> None:
    (root / "bob/persona.yaml").write_text(f"{PERSONA.format(name='Bob')}knows: ['{FACT}']\n", encoding="utf-8")
    (found,) = json.loads(_check(root, "--format", "json").stdout)
    assert (found["rule"], found["severity"], found["field"]) == ("content/leak", "error", "places.the-crown")


def test_the_state_decides_what_is_hidden(root: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.yaml"
    state.write_text("quests: {cellar: given}\n", encoding="utf-8")
    # Bob and the crown; without the state, both and the cellar too.
    assert "3 pairs of" in _check(root).stdout
    assert "1 pair of" in _check(root, "--state", state).stdout


def test_mistakes_are_told_before_anybody_is_asked(root: Path) -> None:
    (root / "bob/persona.yaml").write_text("name: Bob\n", encoding="utf-8")
    result = _check(root)
    assert result.exit_code == 1
    assert "pairs of" not in result.stdout


def test_a_single_character_cannot_be_asked(root: Path) -> None:
    with pytest.raises(SettingsError, match="is no content folder"):
        _check(root / "ada")


def test_a_state_that_cannot_be_read_is_told(root: Path) -> None:
    with pytest.raises((SettingsError, ContentError), match="does not exist"):
        _check(root, "--state", root / "no.yaml")
