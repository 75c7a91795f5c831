"""The house rules: imports only go down the floors, no circles, a true map, pinned public names, small files."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import npc_sdk

ROOT = Path(__file__).parents[1]
NOT_OURS = {"build", "dist", "runs", "shared"}  # made by tools, never part of the project
PACKAGES = ("npc_sdk", "game_bridge", "samples")
VALUES = {
    *(f"npc_sdk.{name}" for name in ("messages", "events", "requests", "errors", "settings", "tool", "type_hint"))
}

FLOORS = {
    **dict.fromkeys(VALUES, 0),
    "npc_sdk.persona": 1,
    **dict.fromkeys(("npc_sdk.lore", "npc_sdk.memory", "npc_sdk.guard", "npc_sdk.decoding", "npc_sdk.vision"), 2),
    **dict.fromkeys(("npc_sdk.prompt", "npc_sdk.engine", "npc_sdk.cards"), 3),
    "npc_sdk.session": 4,
    "npc_sdk.world": 5,
    "npc_sdk.watch": 6,
    **dict.fromkeys(("npc_sdk.cli", "npc_sdk.studio", "npc_sdk.evals", "npc_sdk.bench", "npc_sdk.training"), 6),
    "game_bridge": 7,
    "samples": 8,
}
NEIGHBOURS_APART = {2, 3}  # on these floors, packages of the same floor do not know each other
ENGINE_MAY_USE = {*VALUES, "npc_sdk.engine", "npc_sdk.decoding", "npc_sdk.vision"}

# `npc serve` starts the bridge, `npc top` asks it, `npc bench` measures and attacks it: the steps up, taken when a
# command runs and not when it is imported.
STEPS_UP = {
    ("npc_sdk.cli.attack", "game_bridge.attack.catalog"),
    ("npc_sdk.cli.attack", "game_bridge.attack.verdict"),
    ("npc_sdk.cli.bench", "game_bridge.bench.run"),
    ("npc_sdk.cli.serve", "game_bridge.credential"),
    ("npc_sdk.cli.serve", "game_bridge.edit"),
    ("npc_sdk.cli.serve", "game_bridge.server"),
    ("npc_sdk.cli.serve", "game_bridge.settings"),
    ("npc_sdk.cli.top", "game_bridge.client"),
    ("npc_sdk.cli.top", "game_bridge.message"),
}


@dataclass(frozen=True)
class Import:
    """One import statement. is_deferred: it stands in a function or under TYPE_CHECKING."""

    importer: str
    imported: str
    is_deferred: bool


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {_module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def _imports(module: str) -> Iterator[Import]:
    tree = ast.parse(SOURCES[module].read_text(encoding="utf-8"))
    top_level = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            names = [f"{base}.{a.name}" if f"{base}.{a.name}" in SOURCES else base for a in node.names]
        for name in names:
            if name.partition(".")[0] in PACKAGES:
                yield Import(module, name, is_deferred=id(node) not in top_level)


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = SOURCES[module].name == "__init__.py"
    parts = module.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, node.module] if node.module else base)


def _room(module: str) -> str:
    """The part of the house that a module belongs to, "" for a package's own front door."""
    return next((room for room in FLOORS if module == room or module.startswith(f"{room}.")), "")


ALL_IMPORTS = [found for module in SOURCES for found in _imports(module)]


def test_every_module_has_a_floor() -> None:
    homeless = [module for module in SOURCES if not _room(module) and module != "npc_sdk"]
    assert homeless == []


def test_imports_only_go_down() -> None:
    wrong = []
    for found in ALL_IMPORTS:
        above, below = _room(found.importer), _room(found.imported)
        if not above or not below or above == below or (found.importer, found.imported) in STEPS_UP:
            continue
        is_apart = FLOORS[above] == FLOORS[below] and FLOORS[above] in NEIGHBOURS_APART
        if FLOORS[below] > FLOORS[above] or is_apart:
            wrong.append(f"{found.importer} imports {found.imported}")
    assert wrong == []


def test_the_step_up_is_taken_only_when_the_command_runs() -> None:
    taken = {(found.importer, found.imported) for found in ALL_IMPORTS if found.is_deferred}
    at_once = {(found.importer, found.imported) for found in ALL_IMPORTS if not found.is_deferred}
    assert taken >= STEPS_UP, "an exception that nobody needs any more"
    assert not at_once & STEPS_UP


def test_the_engine_knows_nothing_of_personas() -> None:
    wrong = [
        f"{found.importer} imports {found.imported}"
        for found in ALL_IMPORTS
        if _room(found.importer) == "npc_sdk.engine" and _room(found.imported) not in ENGINE_MAY_USE
    ]
    assert wrong == []


@pytest.mark.parametrize("face", ["game_bridge.protocol", "game_bridge.client"])
def test_a_games_side_of_the_bridge_uses_values_only(face: str) -> None:
    reached, waiting = set(), [face]
    while waiting:
        module = waiting.pop()
        if module in reached or module not in SOURCES:
            continue
        reached.add(module)
        if module.startswith("game_bridge"):
            waiting += [found.imported for found in ALL_IMPORTS if found.importer == module]
    foreign = {module for module in reached if not module.startswith("game_bridge") and module not in VALUES}
    assert foreign == set()


def test_imports_run_in_no_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in SOURCES}
    for found in ALL_IMPORTS:
        if not found.is_deferred and found.imported in SOURCES and found.imported != found.importer:
            graph[found.importer].add(found.imported)
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError naming the circle
    assert set(order) == set(SOURCES)


@pytest.mark.parametrize("name", ["npc_sdk", "game_bridge.client", "npc_sdk.cli.app", "npc_sdk.world"])
def test_importing_pulls_no_torch_in(name: str) -> None:
    code = f"import sys, {name}; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.stdout.strip(), run.stderr) == ("[]", "")


PUBLIC = """
BridgeError ContentError Emote Engine EngineError Event FunctionCall ImagePart JsonValue Message NpcError Priority
Refuse ReplyFailed ReplyFinished ReplyTimeout RequestError Sampling Sentence Session SessionSettings Settings
SettingsError Structured TextDelta Timings ToolCall ToolResult ToolSettled ToolSpec Toolbox Usage World create_engine
from_openai to_openai tool
"""


def test_public_names_are_pinned() -> None:
    assert npc_sdk.__all__ == PUBLIC.split()
    assert all(getattr(npc_sdk, name) is not None for name in npc_sdk.__all__)


def test_a_name_that_is_not_public_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Wrold'"):
        npc_sdk.Wrold  # noqa: B018


PYTHON_FILES = [*SOURCES.values(), *sorted((ROOT / "tests").rglob("*.py"))]


def test_files_stay_small() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in PYTHON_FILES}
    assert {name: lines for name, lines in sizes.items() if lines > 400} == {}


def test_every_module_says_in_a_few_lines_what_it_owns() -> None:
    wrong = []
    for module, path in SOURCES.items():
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if docstring is None or len(docstring.splitlines()) > 5:
            wrong.append(module)
    assert wrong == ["npc_sdk.errors"], "the error tree is drawn in full; all others keep to five lines"


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    assert [module for module in SOURCES if drawers & set(module.split("."))] == []


def _map_lines() -> list[str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^## Map\n.*?^```\w*\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert found, "README.md has no fenced block under the heading '## Map'"
    return found[1].splitlines()


def _mapped_paths() -> list[str]:
    """Paths of the map: names stand before two spaces or a #, and an indented line lies in the folder line above it."""
    paths: list[str] = []
    folders: list[tuple[int, str]] = [(-1, "")]
    for line in filter(str.strip, _map_lines()):
        indent = len(line) - len(line.lstrip())
        names = re.split(r"\s{2,}|\s#", line.strip())[0].split()
        while folders[-1][0] >= indent:
            folders.pop()
        inside = [folders[-1][1] + name for name in names]
        paths += inside
        if len(inside) == 1 and inside[0].endswith("/"):
            folders.append((indent, inside[0]))
    return paths


def test_every_path_of_the_readmes_map_exists() -> None:
    assert [path for path in _mapped_paths() if not (ROOT / path).exists()] == []


def test_the_readmes_map_lists_every_top_folder_and_every_package() -> None:
    mapped = {path.rstrip("/") for path in _mapped_paths()}
    top = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "._"} - NOT_OURS
    packages = {f"npc_sdk/{path.parent.name}" for path in (ROOT / "npc_sdk").glob("*/__init__.py")}
    assert (top | packages) - mapped == set()
