"""Makes an engine by kind or path, and imports only what that engine needs.

Called by sessions' owners: the world, the CLI, the bridge's server.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path

from npc_sdk.engine.interface import Engine
from npc_sdk.engine.local import DEFAULT_CACHE_BYTES
from npc_sdk.engine.scripted import Script, ScriptedEngine
from npc_sdk.errors import SettingsError
from npc_sdk.settings import bundled_models, model_folder

KINDS = ("scripted",)


def create_engine(
    kind_or_path: str | Path,
    *,
    script: Script = "I have nothing to say.",
    device: str = "auto",
    threads: int | None = None,
    context_tokens: int | None = None,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    dtype: str | None = None,
    tokenizer: Path | str | None = None,
    chat_format: str | None = None,
    tool_format: str | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Engine:
    """ "scripted", which takes script alone; or a model, which takes the rest: one that ships ("hearth") or a folder.

    Blocks while a model loads.

    Mutates: the process's OpenMP settings, where the environment has none and torch is not loaded yet.
    Raises: SettingsError for what is neither, ModelFormatError for a folder that cannot be loaded.
    """
    if str(kind_or_path) == "scripted":
        return ScriptedEngine(script)
    folder = model_folder(str(kind_or_path))
    if not folder.is_dir():
        raise SettingsError(f"engine is {str(kind_or_path)!r}, neither a kind nor a folder", hint=_nearest(folder))
    calm_openmp()
    from npc_sdk.engine.local.engine import LocalEngine  # torch loads here, after its settings

    return LocalEngine.load(
        folder,
        device=device,
        threads=threads,
        context_tokens=context_tokens,
        cache_bytes=cache_bytes,
        dtype=dtype,
        tokenizer=tokenizer,
        chat_format=chat_format,
        tool_format=tool_format,
        on_progress=on_progress,
    )


def calm_openmp() -> None:
    """Makes OpenMP threads sleep, not spin, between kernels: beside a busy game, spinning costs them their turns.

    Works only before torch is first imported. Mutates: os.environ, where it has no setting of its own.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _nearest(folder: Path) -> str:
    """A hint with the names that look most like it, among kinds and the folders beside it."""
    parent = folder.parent
    beside = {path.name: str(path) for path in parent.iterdir() if path.is_dir()} if parent.is_dir() else {}
    kinds = (*KINDS, *bundled_models())
    names = {**{kind: kind for kind in kinds}, **beside}
    close = [names[name] for name in difflib.get_close_matches(folder.name, names, n=3)]
    known = f"kinds: {', '.join(kinds)}; or a folder with config.json"
    return f"did you mean {' or '.join(map(repr, close))}? {known}" if close else known
