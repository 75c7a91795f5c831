"""`npc new`: what it writes is right as it is, with every example put to use, and writes over nothing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from npc_sdk.cli.app import app
from npc_sdk.cli.starter import uncommented
from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.lore.content import inspect_world, load_world
from npc_sdk.lore.publish import SCHEMAS
from npc_sdk.lore.schema import LoreItem
from npc_sdk.persona.load import read_persona, read_world_file
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.yaml_reader import read_yaml

GUIDE = (Path(__file__).parents[2] / "personas/README.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^ *#(?=[^\s#]|  )")
MADE = {
    "world": ["world/world.yaml", "world/kinds/villager.yaml", "world/lore/places.md", "wren/persona.yaml",
              "wren/lore/own.md"],
    "persona": ["old_brann/persona.yaml", "ida/persona.yaml"],
    "kind": ["world/kinds/guard.yaml"],
    "lore": ["world/lore/tales.md"],
    "lore yaml": ["world/lore/rumours.yaml"],
    "lore for": ["wren/lore/private.md", "wren/lore/hidden.yaml"],
}  # fmt: skip


def _npc(*arguments: str) -> Result:
    """Runs the command; a mistake of the user's is raised as the program's own error."""
    result = CliRunner().invoke(app, [*arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world with one of each thing that can be made."""
    root = tmp_path_factory.mktemp("made") / "village"
    at = ("--personas", str(root))
    _npc("new", "world", str(root), "--name", "Elmford")
    _npc("new", "persona", "old_brann", "--extends", "villager", *at)
    _npc("new", "persona", "ida", *at)
    _npc("new", "kind", "guard", *at)
    _npc("new", "lore", "tales", *at)
    _npc("new", "lore", "rumours", "--format", "yaml", *at)
    _npc("new", "lore", "private", "--for", "wren", *at)
    _npc("new", "lore", "hidden", "--for", "wren", "--format", "yaml", *at)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(made, tmp_path / "village"))


def _told(root: Path) -> list[str]:
    return [str(problem) for problem in inspect_world(root).problems]


def test_what_is_made_is_right_and_leaks_nothing(root: Path) -> None:
    assert all((root / name).is_file() for names in MADE.values() for name in names)
    result = CliRunner().invoke(app, ["check", str(root), "--strict", "--leaks"])
    assert result.exit_code == 0, result.stdout
    content = load_world(root)
    assert (content.world.name, content.personas["old_brann"].name) == ("Elmford", "Old Brann")
    assert content.personas["old_brann"].voice.style


@pytest.mark.parametrize("name", [name for names in MADE.values() for name in names])
def test_every_example_of_a_file_is_right_when_it_is_put_to_use(root: Path, name: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    used = uncommented(text)
    assert used != text, "there is no example"
    (root / name).write_text(used, encoding="utf-8")
    assert _told(root) == []


@pytest.mark.parametrize("name", [name for names in MADE.values() for name in names])
def test_each_example_is_right_alone(root: Path, name: str) -> None:
    """An example is what stands between two blank lines; in lore it is a line."""
    lines = (root / name).read_text(encoding="utf-8").splitlines()
    for first, last in _examples(lines, is_line="lore" in name):
        used = [*lines[:first], *uncommented("\n".join(lines[first:last])).splitlines(), *lines[last:]]
        (root / name).write_text("\n".join(used), encoding="utf-8")
        assert _told(root) == [], lines[first:last]


def _examples(lines: list[str], *, is_line: bool) -> list[tuple[int, int]]:
    if is_line:
        return [(at, at + 1) for at, line in enumerate(lines) if EXAMPLE.match(line)]
    ends = [at for at, line in enumerate(lines) if not line.strip()] + [len(lines)]
    starts = [0, *(end + 1 for end in ends)]
    return [
        (start, end)
        for start, end in zip(starts, ends, strict=False)
        if any(EXAMPLE.match(line) for line in lines[start:end])
    ]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        pytest.param("old_brann/persona.yaml", Persona, id="persona"),
        pytest.param("world/world.yaml", WorldFile, id="world"),
    ],
)
def test_every_key_has_an_example(root: Path, name: str, model: type[Persona] | type[WorldFile]) -> None:
    (root / name).write_text(uncommented((root / name).read_text(encoding="utf-8")), encoding="utf-8")
    value = read_yaml(root / name).value
    assert isinstance(value, dict)
    assert sorted(set(model.model_fields) - set(value)) == []


def test_every_common_attribute_of_lore_has_an_example(root: Path) -> None:
    path = root / "world/lore/rumours.yaml"
    path.write_text(uncommented(path.read_text(encoding="utf-8")), encoding="utf-8")
    value = read_yaml(path).value
    assert isinstance(value, dict)
    rare = {
        "until", "scan_depth", "group_first", "group_scored", "exclude_recursion", "prevent_recursion",
        "delay_until_recursion", "ignore_budget", "always", "source",
    }  # fmt: skip
    assert set(LoreItem.model_fields) - set(value["entries"][0]) <= rare


@pytest.mark.parametrize("name", [name for names in MADE.values() for name in names if name.endswith(".yaml")])
def test_each_file_names_a_schema_that_is_there_and_that_it_fits(root: Path, name: str) -> None:
    path = root / name
    first, _, _ = path.read_text(encoding="utf-8").partition("\n")
    schema = path.parent / first.removeprefix("# yaml-language-server: $schema=")
    Draft202012Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(read_yaml(path).value)
    assert schema.name in SCHEMAS


def test_the_next_steps_are_told(tmp_path: Path) -> None:
    result = _npc("new", "world", str(tmp_path / "elm-ford"))
    assert f"next: npc check {tmp_path / 'elm-ford'}" in result.stdout
    assert load_world(tmp_path / "elm-ford").world.name == "Elm Ford"


def test_nothing_is_written_over(root: Path) -> None:
    path = root / "wren/persona.yaml"
    path.write_text("name: Mine\n", encoding="utf-8")
    for command in (("world", str(root)), ("persona", "wren", "--personas", str(root))):
        with pytest.raises((SettingsError, ContentError), match=r"is there already|role: is missing"):
            _npc("new", *command)
    assert path.read_text(encoding="utf-8") == "name: Mine\n"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        pytest.param(["persona", "Old Brann"], "a letter first: old_brann", id="blank and capitals"),
        pytest.param(["persona", "Élodie"], "a letter first: elodie", id="accent"),
        pytest.param(["persona", "7 dwarfs"], "a letter first: dwarfs", id="digit first"),
        pytest.param(["persona", "世"], "a letter first: character", id="other script"),
        pytest.param(["persona", "world"], "a letter first: world_1", id="taken"),
        pytest.param(["persona", "../x"], "a letter first: x", id="path"),
        pytest.param(["lore", "../../x"], "a letter first: x", id="path of lore"),
        pytest.param(["persona", "ada", "--extends", "vilager"], "did you mean 'villager'?", id="kind"),
        pytest.param(["lore", "x", "--for", "wrem"], "did you mean 'wren'?", id="npc"),
        pytest.param(["persona", "old_brann"], "is there already", id="there already"),
    ],
)
def test_a_wrong_name_is_told_with_a_better_one(root: Path, command: list[str], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _npc("new", *command, "--personas", str(root))
    assert told in str(caught.value)


def test_a_folder_without_a_world_is_told_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="begin with: npc new world personas"):
        _npc("new", "persona", "ada", "--personas", str(tmp_path))


@pytest.mark.parametrize("name", ["No: yes", '"Quoted" #1', "O'Brien", "true", "12", "Ünal", "{Brace}"])
def test_any_name_is_written_so_that_it_is_read_back(root: Path, name: str) -> None:
    _npc("new", "persona", "ada", "--name", name, "--personas", str(root))
    assert load_world(root).personas["ada"].name == name


def test_examples_use_the_names_of_the_world_and_become_comments_where_it_has_none(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    world = "name: Bare\nfactions: {guild: the guild}\n"
    (tmp_path / "world/world.yaml").write_text(world, encoding="utf-8")
    _npc("new", "persona", "ada", "--personas", str(tmp_path))
    text = (tmp_path / "ada/persona.yaml").read_text(encoding="utf-8")
    assert "#factions: [guild]" in text
    assert "##home: village" in text
    (tmp_path / "ada/persona.yaml").write_text(uncommented(text), encoding="utf-8")
    assert _told(tmp_path) == []


@pytest.mark.parametrize("model", [Persona, WorldFile, LoreItem], ids=lambda model: str(model.__name__))
def test_the_guide_for_writers_names_every_key(model: type[Persona] | type[WorldFile] | type[LoreItem]) -> None:
    assert [key for key in model.model_fields if not re.search(rf"\b{key}\b", GUIDE)] == []


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL), ids=lambda block: block[:20])
def test_the_guides_examples_are_right(tmp_path: Path, block: str) -> None:
    """Each is a part of a persona or of world.yaml."""
    as_world, as_persona = tmp_path / "world.yaml", tmp_path / "persona.yaml"
    tools = "" if "tools:" in block else "tools: []\n"
    as_world.write_text(f"name: W\n{tools}{block}", encoding="utf-8")
    as_persona.write_text(f"name: A\nrole: r\nvoice: {{style: s}}\n{block}", encoding="utf-8")
    worlds = [problem for problem in read_world_file(as_world).problems if "has no tool" not in problem.message]
    assert [] in (worlds, list(read_persona(as_persona).problems))
