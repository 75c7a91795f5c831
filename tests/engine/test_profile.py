"""A model's formats and stops are found, overridden, or refused with a hint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from npc_sdk.engine.local.config import ModelConfig, load_config
from npc_sdk.engine.local.profile import Profile, find_stops, read_profile
from npc_sdk.engine.local.tokenizer import ModelTokenizer
from npc_sdk.errors import ModelFormatError, SettingsError

from .checkpoints import SPECIAL
from .conftest import Zoo

LLAMA3 = "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}{% endfor %}"
MISTRAL = "{{- bos_token }}[INST] {{ m }}[/INST]"
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}"


@pytest.fixture
def folder(zoo: Zoo, tmp_path: Path) -> Path:
    """A Llama folder without a profile, to be written to."""
    shutil.copytree(zoo.full("llama")[0], tmp_path / "model")
    (tmp_path / "model" / "npc_model.json").unlink()
    return tmp_path / "model"


def _read(folder: Path, **settings: Any) -> Profile:
    options = {"tokenizer_folder": folder, "chat_format": None, "tool_format": None, **settings}
    return read_profile(folder, load_config(folder), **options)


def test_the_architecture_decides_where_there_is_no_template(zoo: Zoo) -> None:
    nemotron, qwen2 = _read(zoo.full("nemotron")[0]), _read(zoo.full("qwen2")[0])
    assert (nemotron.chat_format, nemotron.tool_format, nemotron.has_bos) == ("nemotron", "nemotron", False)
    assert (qwen2.chat_format, qwen2.tool_format) == ("chatml", "hermes")


@pytest.mark.parametrize("place", ["chat_template.jinja", "tokenizer_config.json"])
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param(CHATML, ("chatml", "hermes", False), id="chatml"),
        pytest.param("<extra_id_1>User", ("nemotron", "nemotron", False), id="nemotron"),
        pytest.param(LLAMA3, ("llama3", "llama3", True), id="llama3"),
        pytest.param(MISTRAL, ("mistral", "mistral", True), id="mistral"),
    ],
)
def test_a_template_decides(folder: Path, place: str, template: str, expected: tuple[str, str, bool]) -> None:
    content = template if place.endswith("jinja") else json.dumps({"chat_template": template})
    (folder / place).write_text(content)
    profile = _read(folder)
    assert (profile.chat_format, profile.tool_format, profile.has_bos) == expected


def test_the_profile_file_decides_about_the_begin_token_too(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(LLAMA3)
    (folder / "npc_model.json").write_text(json.dumps({"add_bos": False}))
    assert not _read(folder).has_bos


UNKNOWN = {
    "no template": None,
    "unknown template": "### Instruction: {{ m }}",
    "Llama 2": "[INST] <<SYS>>{{ s }}<</SYS>> {{ m }} [/INST]",
    "later Mistral": "[SYSTEM_PROMPT]{{ s }}[/SYSTEM_PROMPT][INST]{{ m }}[/INST]",
}


@pytest.mark.parametrize("template", UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_format_is_refused_with_a_hint(folder: Path, template: str | None) -> None:
    if template:
        (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelFormatError) as caught:
        _read(folder)
    assert "npc_model.json" in caught.value.hint


def test_the_profile_file_decides_and_settings_override_it(folder: Path) -> None:
    stored = {"name": "mara-4b", "chat_format": "nemotron", "tool_format": "hermes", "add_bos": True}
    (folder / "npc_model.json").write_text(json.dumps(stored))
    assert _read(folder) == Profile("mara-4b", "nemotron", "hermes", True)
    assert _read(folder, chat_format="chatml", tool_format="nemotron") == Profile("mara-4b", "chatml", "nemotron", True)


@pytest.mark.parametrize("wrong", [{"chat_format": "alpaca"}, {"chat_formt": "chatml"}, {"add_bos": []}], ids=str)
def test_a_wrong_profile_file_is_refused_by_key(folder: Path, wrong: dict[str, Any]) -> None:
    (folder / "npc_model.json").write_text(json.dumps(wrong))
    with pytest.raises(ModelFormatError, match=next(iter(wrong))):
        _read(folder)


@pytest.mark.parametrize("key", ["chat_format", "tool_format"])
def test_a_wrong_setting_is_refused(folder: Path, key: str) -> None:
    with pytest.raises(SettingsError, match="'alpaca'"):
        _read(folder, **{key: "alpaca"})


def _stops(folder: Path, chat_format: str, config: ModelConfig | None = None) -> tuple[set[int], tuple[str, ...]]:
    profile = Profile("m", chat_format, "nemotron", False)
    stops = find_stops(profile, config or load_config(folder), ModelTokenizer(folder), folder)
    return set(stops.ids), stops.texts


def test_stops_are_gathered_from_every_file(folder: Path) -> None:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [9, 11]}))
    assert _stops(folder, "nemotron") == ({2, 9, 11, SPECIAL.index("<extra_id_1>")}, ())
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 12}))
    assert _stops(folder, "chatml") == ({2, 12, SPECIAL.index("<|im_end|>")}, ())


def test_one_of_two_ends_of_turn_is_enough(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    (token,) = [token for token in tokenizer["added_tokens"] if token["content"] == "<extra_id_1>"]
    token["content"] = "<|eom_id|>"
    path.write_text(json.dumps(tokenizer))
    end_id = ModelTokenizer(folder).token_id("<|eom_id|>")
    assert _stops(folder, "llama3") == ({2, end_id}, ())
    token["content"] = "<|other|>"
    path.write_text(json.dumps(tokenizer))
    assert _stops(folder, "llama3") == ({2}, ("<|eot_id|>",))


def test_an_end_of_turn_without_a_token_becomes_a_stop_string(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["added_tokens"] = [t for t in tokenizer["added_tokens"] if t["content"] != "<extra_id_1>"]
    path.write_text(json.dumps(tokenizer))
    assert _stops(folder, "nemotron")[1] == ("<extra_id_1>",)
