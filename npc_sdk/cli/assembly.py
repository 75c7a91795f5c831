"""Puts a world together for a subcommand: settings, engine, personas; and reads a file of game state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.settings import Settings

if TYPE_CHECKING:
    from npc_sdk.engine.interface import Engine
    from npc_sdk.lore.semantic import Embedder
    from npc_sdk.world import World

Progress = Callable[[int, int, str], None]

LONG_TO_INDEX = 5000  # entries of lore; fewer are indexed before anybody could read how far it is


def read_settings(path: Path | None, *, engine: str | None = None, personas: Path | None = None) -> Settings:
    """The file's and the environment's settings under those of the command line. Raises: SettingsError."""
    settings = Settings.load(path)
    changes: dict[str, Any] = {}
    if engine:
        changes["engine"] = settings.engine.model_copy(update={"model": engine})
    if personas:
        changes["personas"] = personas
    return settings.model_copy(update=changes)


def open_world(settings: Settings, on_progress: Progress | None = None, *, seed: int | None = None) -> World:
    """A loaded world with its engine. The caller closes it. Raises: NpcError."""
    from npc_sdk.lore.content import load_world
    from npc_sdk.world import World

    content = load_world(settings.personas_dir())  # first, because its mistakes are found at once
    session = settings.session if seed is None else settings.session.model_copy(update={"lore_seed": seed})
    named = {persona.model for persona in content.personas.values() if persona.model}
    models = {
        name: _seeded(open_engine(settings, on_progress, model=model), seed)
        for name, model in settings.models.items()
        if name in named
    }
    engine = _seeded(open_engine(settings, on_progress), seed)
    embedder = open_embedder(session.lore_model)
    is_long = len(content.lore) >= LONG_TO_INDEX or embedder is not None
    told = on_progress if is_long else None
    return World(content, engine, session, models=models, embedder=embedder, on_progress=told)


def _seeded(engine: Engine, seed: int | None) -> Engine:
    if seed is None:
        return engine
    from npc_sdk.cli.seeded import SeededEngine

    return SeededEngine(engine, seed)


def open_embedder(folder: Path | None) -> Embedder | None:
    """The model that finds lore by meaning, where one is set. Raises: ModelFormatError."""
    if folder is None:
        return None
    from npc_sdk.lore.sentence_model import SentenceModel

    return SentenceModel(folder)


def open_engine(settings: Settings, on_progress: Progress | None = None, *, model: str | None = None) -> Engine:
    """The chosen engine, or another model with the same settings, loaded. The caller closes it. Raises: NpcError."""
    from npc_sdk.engine.create import create_engine

    chosen = settings.engine
    return create_engine(
        model or chosen.model,
        device=chosen.device,
        threads=chosen.threads,
        cores=chosen.cores,
        priority=chosen.priority,
        context_tokens=chosen.context_tokens,
        memory_mb=chosen.memory_mb,
        cache_bytes=chosen.cache_bytes,
        cache_dtype=chosen.cache_dtype,
        governor=settings.governor,
        dtype=chosen.dtype,
        tokenizer=chosen.tokenizer,
        on_progress=on_progress,
    )


def read_state(path: Path | None) -> dict[str, Any]:
    """The variables of a YAML or JSON file, read as authored files are. Raises: SettingsError."""
    from npc_sdk.persona.yaml_reader import read_yaml

    if path is None:
        return {}
    try:
        values = read_yaml(path).value
    except ContentError as exc:
        raise SettingsError(f"cannot read the state: {exc}", hint="name a YAML or JSON file") from exc
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: holds {type(values).__name__}, not variables", hint='write "place: the forge"')
    return values
