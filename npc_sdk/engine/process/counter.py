"""Counts prompt tokens without the model: the same tokenizer, loaded a second time, beside the child that has its own.

A session counts many small parts while it fits a prompt, so that each count through the pipe would be a round trip.
Loads no torch. Called by engine.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from npc_sdk.engine.local.config import load_config
from npc_sdk.engine.local.profile import read_profile
from npc_sdk.engine.local.tokenizer import ModelTokenizer
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.requests import Segment
from npc_sdk.settings import model_folder

Counter: TypeAlias = Callable[[Sequence[Segment]], int]


def token_counter(kind_or_path: str, *, tokenizer: Path | str | None = None, chat_format: str | None = None) -> Counter:
    """The count of the engine that create_engine makes of the same arguments. Raises: ModelFormatError."""
    if kind_or_path == "scripted":
        return ScriptedEngine("").count_tokens
    folder = model_folder(kind_or_path)
    words_folder = folder if tokenizer is None else Path(tokenizer)
    profile = read_profile(
        folder, load_config(folder), tokenizer_folder=words_folder, chat_format=chat_format, tool_format=None
    )
    words = ModelTokenizer(words_folder, has_bos=profile.has_bos)
    return lambda segments: len(words.encode(segments))
