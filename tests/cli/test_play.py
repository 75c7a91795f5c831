"""`npc play`: the game and its server together, as a player starts them."""

from __future__ import annotations

from pathlib import Path

from test_npc_command import npc


def test_without_a_terminal_the_first_evening_is_played_from_any_folder(tmp_path: Path) -> None:
    done = npc("play", "--engine", "scripted", "--transcript", "kept.txt", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "The lost hammer" in done.stdout
    assert "The evening in figures" in done.stdout
    assert "Mara" in (tmp_path / "kept.txt").read_text(encoding="utf-8")


def test_settings_reach_the_server(tmp_path: Path) -> None:
    settings = tmp_path / "npc.yaml"
    settings.write_text("engine: {model: scripted}\n", encoding="utf-8")
    script = tmp_path / "short.yaml"
    script.write_text("title: T\nsteps:\n- do: talk Pip\n- say: Hello.\n", encoding="utf-8")
    done = npc("play", "--settings", str(settings), "--script", str(script))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Pip: I have nothing to say." in done.stdout


def test_server_that_fails_is_told_and_exits_with_1() -> None:
    done = npc("play", "--engine", "no-such-model")
    assert done.returncode == 1
    assert "the NPC server ended with exit code 1 before it was ready" in done.stdout
    assert "no-such-model" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_missing_script_is_told_and_exits_with_1(tmp_path: Path) -> None:
    done = npc("play", "--script", str(tmp_path / "no.yaml"))
    assert done.returncode == 1
    assert "no.yaml" in done.stdout.replace("\n", "")
    assert "Traceback" not in done.stdout + done.stderr
