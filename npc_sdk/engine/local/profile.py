"""How a model wants to be spoken to: chat and tool format, begin token, stop tokens.

From npc_model.json where a folder has one, else deduced; settings override both. Called by engine.py at load.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from npc_sdk.engine.local.config import ModelConfig, read_json, token_ids
from npc_sdk.engine.local.tokenizer import ModelTokenizer
from npc_sdk.errors import ModelFormatError, SettingsError

ChatFormat: TypeAlias = Literal["nemotron", "chatml", "llama3", "mistral"]
ToolFormat: TypeAlias = Literal["nemotron", "hermes", "llama3", "mistral"]

PROFILE_FILE = "npc_model.json"
# The dialect that a chat format goes with, and the texts that end its turns.
TOOL_FORMATS: dict[str, ToolFormat] = {
    "nemotron": "nemotron",
    "chatml": "hermes",
    "llama3": "llama3",
    "mistral": "mistral",
}
TURN_ENDS = {
    "nemotron": ("<extra_id_1>",),
    "chatml": ("<|im_end|>",),
    "llama3": ("<|eot_id|>", "<|eom_id|>"),
    "mistral": ("</s>",),
}
TEMPLATE_MARKS: dict[str, ChatFormat] = {
    "<|im_start|>": "chatml",
    "<extra_id_1>": "nemotron",
    "<|start_header_id|>": "llama3",
    "[INST]": "mistral",
}
# Llama 2 and Mistral's later models write [INST] too, but not in the form that we know.
OTHER_MARKS = ("<<SYS>>", "[SYSTEM_PROMPT]")
BOS_MARK = "bos_token"  # a template that writes it was trained with it
ARCHITECTURE_FORMATS: dict[str, ChatFormat] = {"NemotronForCausalLM": "nemotron", "Qwen2ForCausalLM": "chatml"}


class ProfileFile(BaseModel):
    """npc_model.json; every key may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = None
    chat_format: ChatFormat | None = None
    tool_format: ToolFormat | None = None
    add_bos: bool | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What the engine tells sessions about its model, and whether prompts begin with the begin token."""

    name: str
    chat_format: str
    tool_format: str
    has_bos: bool


@dataclass(frozen=True, slots=True)
class Stops:
    """What ends a reply: token ids, and texts where the vocabulary has no token for them."""

    ids: frozenset[int]
    texts: tuple[str, ...]


def read_profile(
    folder: Path, config: ModelConfig, *, tokenizer_folder: Path, chat_format: str | None, tool_format: str | None
) -> Profile:
    """The profile of a model folder. Raises: SettingsError, ModelFormatError."""
    _check_choice("chat_format", chat_format, tuple(TURN_ENDS))
    _check_choice("tool_format", tool_format, tuple(TOOL_FORMATS.values()))
    stored = _stored(folder / PROFILE_FILE)
    template = _template(tokenizer_folder) or _template(folder)
    chat = chat_format or stored.chat_format or _deduce(folder, template, config)
    tool = tool_format or stored.tool_format or TOOL_FORMATS[chat]
    has_bos = BOS_MARK in template if stored.add_bos is None else stored.add_bos
    return Profile(stored.name or folder.resolve().name, chat, tool, has_bos)


def find_stops(profile: Profile, config: ModelConfig, tokenizer: ModelTokenizer, folder: Path) -> Stops:
    """Every end token that config, generation_config and tokenizer name, and the chat format's end of turn."""
    ids = set(config.eos_ids)
    if tokenizer.eos_id is not None:
        ids.add(tokenizer.eos_id)
    path = folder / "generation_config.json"
    if path.exists():
        ids.update(token_ids(read_json(path), "eos_token_id", str(path)))
    ends = TURN_ENDS[profile.chat_format]
    end_ids = {end_id for end in ends if (end_id := tokenizer.token_id(end)) is not None}
    return Stops(frozenset(ids | end_ids), () if end_ids else ends[:1])


def _check_choice(key: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Raises: SettingsError."""
    if value is not None and value not in choices:
        raise SettingsError(f"{key} is {value!r}", hint=f"choose {' or '.join(choices)}")


def _stored(path: Path) -> ProfileFile:
    """npc_model.json, or its defaults. Raises: ModelFormatError."""
    if not path.exists():
        return ProfileFile()
    try:
        return ProfileFile.model_validate(read_json(path))
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(map(str, first["loc"]))
        hint = f"keys: {', '.join(ProfileFile.model_fields)}"
        raise ModelFormatError(f"{path}: {place} is {first['input']!r}: {first['msg']}", hint=hint) from exc


def _deduce(folder: Path, template: str, config: ModelConfig) -> str:
    """The format that the chat template or, without one, the architecture speaks. Raises: ModelFormatError."""
    is_other = any(mark in template for mark in OTHER_MARKS)
    for mark, name in TEMPLATE_MARKS.items():
        if mark in template and not is_other:
            return name
    if not template and config.architecture in ARCHITECTURE_FORMATS:
        return ARCHITECTURE_FORMATS[config.architecture]
    hint = f'write {{"chat_format": "…"}} into {PROFILE_FILE} there, or set chat_format: {" or ".join(TURN_ENDS)}'
    raise ModelFormatError(f"{folder}: its chat template is in no format that we know", hint=hint)


def _template(folder: Path) -> str:
    """The text of the chat template, wherever this version of transformers put it; empty where there is none."""
    path = folder / "chat_template.jinja"
    if path.exists():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ModelFormatError(f"{path} is not readable text: {exc}", hint="copy the model folder again") from exc
    path = folder / "tokenizer_config.json"
    return str(read_json(path).get("chat_template") or "") if path.exists() else ""
