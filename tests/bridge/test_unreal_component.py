"""Unreal's plugin over stand-ins of the engine's API (stand_ins/unreal): compiled, and played as the engine does.

It has never seen the engine. That the stand-ins say what Unreal does was checked against its API reference.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

import game_bridge
from game_bridge.conformance.run import run_client

_PLUGINS = Path(game_bridge.__file__).parent / "plugins"
_MODULE = _PLUGINS / "unreal" / "Source" / "NpcBridge"
_STAND_INS = Path(__file__).parent / "stand_ins" / "unreal"
_FOLDERS = (_STAND_INS, _MODULE / "Public", _MODULE / "Private", _PLUGINS / "cpp" / "include")
# the engine builds without both, and takes a name that hides another for an error
_STRICT = ["-Wall", "-Wextra", "-Wshadow", "-Werror", "-fno-exceptions", "-fno-rtti", "-DNPCBRIDGE_API="]
_BUILD_S = 300.0
_PLAYED = [
    "connects", "streams", "accepts", "refuses", "is_busy", "barks", "barks_and_is_gone", "cancels", "cancels_early",
    "cancels_at_the_greeting", "is_destroyed_by_the_greeting", "ends_play", "ends_play_early",
    "is_destroyed_by_a_word", "disconnects", "disconnects_in_a_word", "connects_in_a_word", "quits",
    "is_not_connected", "asks_early", "talks_to_another", "has_no_hands", "shows_a_wrong_token", "writes_json",
    "is_cut", "is_restarted",
]  # fmt: skip

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(900),  # the compiler and run_client have a patience of their own
    pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++; CI installs it"),
]


def _compile(sources: Sequence[Path], *options: str) -> None:
    """A warning of the compiler is an error."""
    folders = [f"-I{folder}" for folder in _FOLDERS]
    command = ["g++", *_STRICT, *folders, *options, *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_S)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("standard", ["c++17", "c++20"])
def test_each_file_compiles_by_itself(standard: str) -> None:
    """As in a build without unity files, where each must include what it needs."""
    sources = sorted(_MODULE.glob("Private/*.cpp"))
    assert len(sources) > 1
    _compile(sources, f"-std={standard}", "-fsyntax-only")


def test_the_plugin_lives_as_the_engine_has_it(tmp_path: Path) -> None:
    """All of its files in one, as the engine builds them; the first wrong access to memory ends it."""
    built = tmp_path / "play"
    _compile([_STAND_INS / "Play.cpp"], "-std=c++17", "-O0", "-fsanitize=address", "-o", str(built))
    lines = run_client([str(built)], token="s3cret")
    assert lines == [*(f"ok {step}" for step in _PLAYED), "done"]


def test_a_class_of_the_engine_includes_what_the_header_tool_makes_last() -> None:
    for header in sorted(_MODULE.glob("Public/*.h")):
        *_, last = re.findall(r'#include "(.*)"', header.read_text(encoding="utf-8"))
        assert last == f"{header.stem}.generated.h"
