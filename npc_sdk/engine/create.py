"""Makes an engine by kind or path, and imports only what that engine needs.

Called by sessions' owners: the world, the CLI, the bridge's server.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from npc_sdk.engine.interface import Engine
from npc_sdk.engine.local.cores import CoreUse, calm_openmp, settle
from npc_sdk.engine.scripted import Script, ScriptedEngine
from npc_sdk.errors import SettingsError
from npc_sdk.settings import CacheDtype, GovernorSettings, ProcessPriority, bundled_models, model_folder

__all__ = ["KINDS", "calm_openmp", "create_engine"]

KINDS = ("scripted",)


def create_engine(
    kind_or_path: str | Path,
    *,
    script: Script = "I have nothing to say.",
    device: str = "auto",
    threads: int | None = None,
    cores: int | tuple[int, ...] | None = None,
    priority: ProcessPriority = "below_normal",
    context_tokens: int | None = None,
    memory_mb: int | None = None,
    cache_bytes: int | None = None,
    cache_dtype: CacheDtype | None = None,
    dtype: str | None = None,
    tokenizer: Path | str | None = None,
    chat_format: str | None = None,
    tool_format: str | None = None,
    governor: GovernorSettings | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Engine:
    """ "scripted", which takes script alone; or a model, which takes the rest: one that ships ("hearth") or a folder.

    Blocks while a model loads. The settings of cores and memory mean what they do in EngineSettings.

    Mutates: the process's OpenMP settings, where the environment has none and torch is not loaded yet; torch's thread
    count; except on Linux, the priority of the whole process.
    Raises: SettingsError for what is neither, or a budget that is too small; ModelFormatError for a folder that cannot
    be loaded.
    """
    if str(kind_or_path) == "scripted":
        return ScriptedEngine(script)
    folder = model_folder(str(kind_or_path))
    if not folder.is_dir():
        raise SettingsError(f"engine is {str(kind_or_path)!r}, neither a kind nor a folder", hint=_nearest(folder))
    use = CoreUse.of(threads, cores, priority)
    calm_openmp()
    from npc_sdk.engine.local.engine import LocalEngine  # torch loads here, after its settings
    from npc_sdk.engine.local.memory_budget import plan_memory

    def load() -> Engine:
        settle(use)
        plan = plan_memory(
            folder,
            device=device,
            dtype=dtype,
            context_tokens=context_tokens,
            cache_bytes=cache_bytes,
            cache_dtype=cache_dtype,
            memory_mb=memory_mb,
        )
        return LocalEngine.load(
            folder,
            device=device,
            threads=use.threads,
            context_tokens=context_tokens,
            cache_bytes=plan.cache_bytes,
            cache_dtype=cache_dtype,
            dtype=dtype,
            tokenizer=tokenizer,
            chat_format=chat_format,
            tool_format=tool_format,
            governor=governor or GovernorSettings(),
            on_progress=on_progress,
        )

    # The model's thread inherits cores and priority from the one that makes it, which therefore is not the caller's.
    with ThreadPoolExecutor(1, "npc-load") as loader:
        return loader.submit(load).result()


def _nearest(folder: Path) -> str:
    """A hint with the names that look most like it, among kinds and the folders beside it."""
    parent = folder.parent
    beside = {path.name: str(path) for path in parent.iterdir() if path.is_dir()} if parent.is_dir() else {}
    kinds = (*KINDS, *bundled_models())
    names = {**{kind: kind for kind in kinds}, **beside}
    close = [names[name] for name in difflib.get_close_matches(folder.name, names, n=3)]
    known = f"kinds: {', '.join(kinds)}; or a folder with config.json"
    return f"did you mean {' or '.join(map(repr, close))}? {known}" if close else known
