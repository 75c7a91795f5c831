"""The file that an eval goes on from: whole lines only, one setting, the same rows. And what figures depend on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from npc_sdk.engine.interface import EngineInfo
from npc_sdk.errors import SettingsError
from npc_sdk.evals.bfcl.ask import Asking
from npc_sdk.evals.bfcl.category import Category
from npc_sdk.evals.bfcl.result import CallMade, Result
from npc_sdk.evals.bfcl.setting import setting_of, thumbprint
from npc_sdk.evals.bfcl.store import ResultFile
from npc_sdk.evals.bfcl.verdict import Reason
from npc_sdk.requests import Sampling
from npc_sdk.settings import EngineSettings

SETTING: dict[str, Any] = {"model": "hearth", "seed": None, "temperature": 0.0}
RIGHT = Result(row_id="a", category=Category.SIMPLE, digest="1", reason=None)
WRONG = Result(
    row_id="b",
    category=Category.PARALLEL,
    digest="2",
    reason=Reason.WRONG_VALUE,
    detail="ring.times: 4 is none of [3]",
    calls=[CallMade(name="ring", arguments={"times": 4, "to": ["Wehr\n", None, 0.5]})],
    text="Brötchen\u2028銀",
    took_s=0.25,
)


def _file(path: Path, **changes: Any) -> ResultFile:
    return ResultFile(path, {**SETTING, **changes})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two results."""
    path = tmp_path / "out.jsonl"
    file = _file(path)
    assert file.resume() == []
    file.add(RIGHT)
    file.add(WRONG)
    return path


def test_results_are_read_back_as_they_were(path: Path) -> None:
    assert _file(path).resume() == [RIGHT, WRONG]


def test_a_file_cut_anywhere_keeps_its_whole_lines_and_can_be_gone_on_with(path: Path) -> None:
    whole = path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = max(0, sum(end <= cut for end in ends) - 1)
        assert _file(path).resume() == [RIGHT, WRONG][:kept]
        _file(path).add(WRONG)
        assert _file(path).resume() == [*[RIGHT, WRONG][:kept], WRONG]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "other"}, "model was 'hearth' and is 'other'"),
        ({"seed": 4}, "seed was None and is 4"),
        ({"more": 1}, "more was None and is 1"),
    ],
    ids=str,
)
def test_a_file_of_another_setting_is_refused_and_left_alone(path: Path, changes: dict[str, Any], told: str) -> None:
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=told) as caught:
        _file(path, **changes).resume()
    assert "--out" in caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        "notes of mine",
        "notes of mine\n",
        "[]\n",
        "{}\n",
        '{"eval": "ifeval", "setting": {}}\n',
        '{"eval": "bfcl", "setting": 3}\n',
        json.dumps({"eval": "bfcl", "setting": SETTING}) + "\n{}\n",
        json.dumps({"eval": "bfcl", "setting": SETTING}) + "\nhalf a line, but not the last\nmore\n",
    ],
    ids=lambda text: text[:30],
)
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match="is no file of such results"):
        _file(path).resume()
    assert path.read_text(encoding="utf-8") == content


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot keep results in .*no such folder"):
        _file(tmp_path / "no such folder" / "out.jsonl").resume()


INFO = EngineInfo("hearth", 2048, "nemotron", "nemotron", "cpu")


def test_a_setting_survives_being_written() -> None:
    setting = setting_of(INFO, EngineSettings(model="scripted"), Asking())
    assert json.loads(json.dumps(setting)) == setting


@pytest.mark.parametrize(
    ("info", "asking"),
    [
        (replace(INFO, name="other"), Asking()),
        (replace(INFO, context_tokens=4096), Asking()),
        (replace(INFO, chat_format="chatml"), Asking()),
        (replace(INFO, device="cuda"), Asking()),
        (INFO, Asking(is_constrained=False)),
        (INFO, Asking(sampling=Sampling(temperature=0.5, max_new_tokens=512))),
        (INFO, Asking(sampling=Sampling(temperature=0.0, max_new_tokens=100))),
    ],
    ids=["name", "window", "format", "device", "free", "temperature", "reply"],
)
def test_whatever_changes_figures_changes_the_setting(info: EngineInfo, asking: Asking) -> None:
    chosen = EngineSettings(model="scripted")
    assert setting_of(info, chosen, asking) != setting_of(INFO, chosen, Asking())


def test_other_weights_of_the_same_size_are_told_apart(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(bytes(300_000))
    first = thumbprint(tmp_path)
    weights.write_bytes(bytes(299_999) + b"\1")
    assert thumbprint(tmp_path) != first
