"""Engines by kind or folder, and the command line over model folders."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from npc_sdk.cli.models import app
from npc_sdk.engine.create import create_engine
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import ModelFormatError, SettingsError

from .conftest import Zoo


def test_scripted_by_name() -> None:
    assert isinstance(create_engine("scripted", script="Aye."), ScriptedEngine)


def test_a_folder_becomes_a_local_engine(zoo: Zoo) -> None:
    engine = create_engine(str(zoo.int4("nemotron")[0]), device="cpu", context_tokens=64)
    assert isinstance(engine, LocalEngine)
    assert engine.info.context_tokens == 64
    asyncio.run(engine.close())


def test_an_unknown_name_suggests_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "nemotron-mini").mkdir()
    with pytest.raises(SettingsError, match="'scripted'"):
        create_engine("scriptd")
    with pytest.raises(SettingsError, match="nemotron-mini'"):
        create_engine(tmp_path / "nemotron-mni")
    with pytest.raises(SettingsError, match="kinds: scripted"):
        create_engine(tmp_path / "nowhere" / "qqq")


@pytest.mark.parametrize(("own", "expected"), [(None, "passive"), ("active", "active")], ids=["unset", "set"])
def test_openmp_is_calmed_before_torch_loads(zoo: Zoo, own: str | None, expected: str) -> None:
    code = (
        "import os, sys; from npc_sdk.engine.create import create_engine\n"
        "assert 'torch' not in sys.modules\n"
        "create_engine(sys.argv[1], device='cpu', threads=1)\n"
        "assert 'torch' in sys.modules and 'transformers' not in sys.modules\n"
        "print(os.environ['OMP_WAIT_POLICY'])"
    )
    env = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    if own is not None:
        env["OMP_WAIT_POLICY"] = own
    command = [sys.executable, "-c", code, str(zoo.int4("nemotron")[0])]
    result = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == expected


def test_the_command_line_quantizes_and_describes(zoo: Zoo, tmp_path: Path) -> None:
    source, out = str(zoo.full("nemotron")[0]), str(tmp_path / "out")
    runner = CliRunner()
    done = runner.invoke(app, ["quantize", source, out, "--group-size", "64"])
    assert done.exit_code == 0, done.output
    assert "tensors" in done.output
    facts = runner.invoke(app, ["info", out])
    assert facts.exit_code == 0
    assert "NemotronForCausalLM" in facts.output
    assert "int4, groups of 64" in facts.output
    assert "cpu, " in facts.output or "cuda, " in facts.output
    again = runner.invoke(app, ["quantize", source, out])
    assert isinstance(again.exception, SettingsError)
    assert "not an empty folder" in str(again.exception)


def test_the_command_line_names_what_is_wrong(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["info", str(tmp_path)])
    assert isinstance(result.exception, ModelFormatError)
    assert "config.json" in str(result.exception)
