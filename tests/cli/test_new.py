"""`npc new`: what it writes is right as it is, with every example put to use, and writes over nothing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from typer.testing import CliRunner, Result

from npc_sdk.cli.app import app
from npc_sdk.cli.starter import uncommented
from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.evals.lore.case import read_cases
from npc_sdk.lore.content import inspect_world, load_world
from npc_sdk.lore.publish import SCHEMAS
from npc_sdk.lore.schema import BookChoice, LoreItem
from npc_sdk.persona.calendar import Calendar
from npc_sdk.persona.load import read_persona, read_world_file
from npc_sdk.persona.mood import Mood
from npc_sdk.persona.schema import Persona, SamplingChoice, Voice, WorldFile
from npc_sdk.persona.secret import Secret
from npc_sdk.persona.timeline import LoreDefaults, TimelineEntry
from npc_sdk.persona.tool import Tool
from npc_sdk.persona.yaml_reader import read_yaml

VILLAGE = Path(__file__).parents[2] / "personas"
GUIDE = (VILLAGE / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
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


@pytest.mark.parametrize(
    ("name", "where", "model", "left_to_the_guide"),
    [
        pytest.param("world/lore/rumours.yaml", "entries", LoreItem, set(), id="lore"),
        pytest.param("world/lore/rumours.yaml", "book", BookChoice, set(), id="book"),
        pytest.param("old_brann/persona.yaml", "voice", Voice, set(), id="voice"),
        pytest.param("old_brann/persona.yaml", "secrets", Secret, set(), id="secret"),
        pytest.param("old_brann/persona.yaml", "mood", Mood, set(), id="mood"),
        pytest.param("old_brann/persona.yaml", "sampling", SamplingChoice, set(), id="sampling"),
        pytest.param("world/world.yaml", "tools", Tool, {"parameters"}, id="tool"),
        pytest.param("world/world.yaml", "calendar", Calendar, set(), id="calendar"),
        pytest.param("world/world.yaml", "lore", LoreDefaults, set(), id="lore defaults"),
        pytest.param(
            "world/world.yaml", "timeline", TimelineEntry, {"id", "npcs", "factions", "places", "when"}, id="timeline"
        ),
    ],
)
def test_every_key_inside_has_an_example_but_what_the_guide_names(
    root: Path, name: str, where: str, model: type[BaseModel], left_to_the_guide: set[str]
) -> None:
    (root / name).write_text(uncommented((root / name).read_text(encoding="utf-8")), encoding="utf-8")
    value = read_yaml(root / name).value
    assert isinstance(value, dict)
    found = value[where]
    shown = {key for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict) for key in one}
    assert set(model.model_fields) - shown == left_to_the_guide


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
        pytest.param(["persona", "world"], "reserved (take another name: world_npc)", id="reserved"),
        pytest.param(["persona", "player"], "reserved (take another name: player_npc)", id="the player"),
        pytest.param(["persona", "Player"], "a letter first: player_npc", id="reserved but for its capital"),
        pytest.param(["persona", "lpt9"], "reserved (take another name: lpt9_npc)", id="device"),
        pytest.param(["lore", "con"], "'con' is reserved", id="lore called as a device"),
        pytest.param(["kind", "nul"], "'nul' is reserved", id="kind called as a device"),
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


def test_a_file_or_a_link_in_the_way_is_told_and_nothing_is_written(root: Path, tmp_path: Path) -> None:
    at = ("--personas", str(root))
    (root / "zed").write_text("mine", encoding="utf-8")
    with pytest.raises(SettingsError, match="zed is a file where a folder belongs"):
        _npc("new", "persona", "zed", *at)
    (tmp_path / "elsewhere").mkdir()
    (root / "ysra").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="ysra is a link"):
        _npc("new", "persona", "ysra", *at)
    (root / "world/lore/lands.md").symlink_to(tmp_path / "elsewhere/x")
    with pytest.raises(SettingsError, match=r"lands\.md is a link"):
        _npc("new", "lore", "lands", *at)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("command", [["world", "n" * 300], ["lore", "x", "--personas", "n" * 300]])
def test_what_the_disk_refuses_is_told_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as caught:
        _npc("new", *command)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_world_is_told_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="begin with: npc new world personas"):
        _npc("new", "persona", "ada", "--personas", str(tmp_path))


@pytest.mark.parametrize("name", ["No: yes", '"Quoted" #1', "O'Brien", "true", "12", "Ünal", "{Brace}"])
def test_any_name_is_written_so_that_it_is_read_back(root: Path, name: str) -> None:
    _npc("new", "persona", "ada", "--name", name, "--personas", str(root))
    assert load_world(root).personas["ada"].name == name


@pytest.mark.parametrize(
    "name", ["V", "No: yes", '"Quoted" #1', "O'Brien", "true", "12", "Ünal", "{Brace}", "@KIND@", "\\"]
)
def test_a_world_of_any_name_can_be_read_and_added_to(tmp_path: Path, name: str) -> None:
    root = tmp_path / "x"
    _npc("new", "world", str(root), "--name", name)
    _npc("new", "persona", "ada", "--extends", "villager", "--personas", str(root))
    _npc("new", "kind", "guard", "--personas", str(root))
    content = load_world(root)
    assert (content.world.name, content.world.places["village"].name) == (name, name)
    assert content.world.premise.startswith(f"{name} lies")
    assert content.personas["ada"].role.endswith(name)
    assert f"older than {name} stands" in " ".join(entry.text for entry in content.lore)


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


def test_the_guide_is_short() -> None:
    assert len(GUIDE.splitlines()) <= 300


def test_the_guides_questions_can_be_asked(tmp_path: Path) -> None:
    (block,) = [block for block in BLOCKS if block.startswith("cases:")]
    (tmp_path / "cases.yaml").write_text(block, encoding="utf-8")
    assert len(read_cases(tmp_path / "cases.yaml", load_world(VILLAGE))) == 3


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if not block.startswith("cases:")], ids=lambda block: block[:20]
)
def test_the_guides_examples_are_right(tmp_path: Path, block: str) -> None:
    """Each is a part of a persona or of world.yaml."""
    as_world, as_persona = tmp_path / "world.yaml", tmp_path / "persona.yaml"
    tools = "" if "tools:" in block else "tools: []\n"
    as_world.write_text(f"name: W\n{tools}{block}", encoding="utf-8")
    as_persona.write_text(f"name: A\nrole: r\nvoice: {{style: s}}\n{block}", encoding="utf-8")
    worlds = [problem for problem in read_world_file(as_world).problems if "has no tool" not in problem.message]
    assert [] in (worlds, list(read_persona(as_persona).problems))
