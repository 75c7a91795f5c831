"""The command line: exit codes, messages without tracebacks, help that says what a thing is for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from npc_sdk.cli.app import app

ROOT = Path(__file__).parents[2]
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "100"}


def npc(*arguments: str, words: str = "", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs the real command."""
    command = [sys.executable, "-m", "npc_sdk.cli", *arguments]
    return subprocess.run(
        command, input=words, capture_output=True, text=True, timeout=90, check=False, env=ENVIRON, cwd=cwd
    )


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], ["play", "chat", "serve", "top", "prompt", "check", "models"]),
        (["play"], ["sample game", "--script", "--seed", "--engine", "--personas", "--transcript", "--settings"]),
        (["chat"], ["NPC", "y or n", "--state", "--engine"]),
        (["serve"], ["--host", "--port", "--ready-file", "ready ADDRESS"]),
        (["top"], ["--once", "--interval", "--port", "npc serve"]),
        (["prompt"], ["--state", "--history", "tokens of each part"]),
        (["check"], ["persona folders", "mistake", "--format", "--strict", "--leaks", "--state"]),
        (["new"], ["world", "persona", "kind", "lore"]),
        (["new", "persona"], ["--extends", "--name", "--personas"]),
        (["models"], ["quantize", "info"]),
    ],
    ids=lambda value: " ".join(value) or "npc",
)
def test_help_says_what_it_is_for(command: list[str], words: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert done.exit_code == 0
    assert [word for word in words if word not in done.output] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["dance"],
        ["chat"],
        ["prompt", "mara"],
        ["serve", "--port", "70000"],
        ["serve", "--prot", "1"],
        ["play", "--seed", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_version_is_told() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.output.startswith("npc-sdk ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["chat", "maro", "--engine", "scripted"], ["there is no NPC 'maro'", "did you mean 'mara'?"]),
        (["prompt", "mara", "hi", "--engine", "no-such-model"], ["'no-such-model'", "Hint: "]),
        (["prompt", "mara", "hi", "--settings", "no.yaml"], ["no.yaml", "Hint: "]),
        (["prompt", "mara", "hi", "--engine", "scripted", "--state", "no.yaml"], ["no.yaml", "Hint: "]),
        (["models", "info", "no-such-model"], ["no-such-model has no config.json", "Hint: "]),
        (["chat", "mara", "--engine", "scripted", "--personas", "tests"], ["tests", "persona.yaml"]),
        (["serve", "--engine", "scripted", "--host", "0.0.0.0"], ["0.0.0.0", "Hint: "]),
        (["serve", "--engine", "scripted", "--port", "0", "--ready-file", "no/dir/f"], ["no/dir/f", "Hint: "]),
    ],
    ids=lambda value: value[0],
)
def test_mistake_exits_with_1_a_message_and_a_hint(arguments: list[str], told: list[str]) -> None:
    done = npc(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert [text for text in told if text not in done.stderr] == []
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback() -> None:
    done = npc("--debug", "chat", "maro", "--engine", "scripted")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "UnknownNpc" in done.stderr


def test_command_line_loads_no_model_code_by_itself() -> None:
    heavy = ("torch", "transformers", "npc_sdk.world", "npc_sdk.engine.local.engine")
    program = f"import sys, npc_sdk.cli.app; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRON)
    assert done.stdout.strip() == "[]"


def test_chat_says_piped_lines_one_by_one() -> None:
    done = npc("chat", "mara", "--engine", "scripted", words="Hello.\nWhat do you sell?\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Mara: I have nothing to say.") == 2
    assert "to the first token" in done.stdout
    assert "\x1b" not in done.stdout


def test_prompt_shows_the_text_and_why_each_part_is_in_or_out(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"holds": ["lantern"], "quest": "the lost hammer: given"}), encoding="utf-8")
    lines = ("--history", "I am back.", "--history", "Aye, so you are.")
    done = npc("prompt", "mara", "Tell me of the old mill.", "--engine", "scripted", "--state", str(state), *lines)
    assert (done.returncode, done.stderr) == (0, "")
    prompt, _, account = done.stdout.partition("─")
    assert prompt.startswith("<extra_id_0>System\n")
    assert prompt.index("I am back.") < prompt.index("Aye, so you are.") < prompt.index("Tell me of the old mill.")
    assert "You hold: lantern." in prompt
    assert "The old mill burned down" in prompt
    rows = [line.split() for line in account.splitlines()]
    assert any(row[:2] == ["lore", "places.the-old-mill"] and "in" in row for row in rows)
    assert any(row[:2] == ["lore", "people.pip"] and "out" in row for row in rows)
    acts = {row[1]: row[-1] for row in rows if row[:1] == ["call"]}
    assert acts["start_quest"] == "state.open_quests"
    assert "give_item" not in acts, "the state names what she holds"
    assert "kept for the reply" in account
