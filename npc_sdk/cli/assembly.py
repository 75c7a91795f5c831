"""Puts a world together for a subcommand: settings, engine, personas; and reads a file of game state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.settings import Settings

if TYPE_CHECKING:
    from npc_sdk.engine.interface import Engine
    from npc_sdk.lore.content import WorldContent
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

    content = load_world(settings.personas_dir())  # first, because its mistakes are found at once
    models = {name: open_engine(settings, on_progress, model=model) for name, model in _models(settings, content)}
    return _assemble(settings, content, open_engine(settings, on_progress), models, on_progress, seed)


async def open_isolated_world(settings: Settings, on_progress: Progress | None = None, *, seed: int | None) -> World:
    """As open_world, with each model in a process of its own, unless the settings keep them here. Raises: NpcError."""
    from npc_sdk.lore.content import load_world

    content = load_world(settings.personas_dir())
    models: dict[str, Engine] = {}
    try:
        for name, model in (*_models(settings, content), ("", settings.engine.model)):
            models[name] = await open_isolated_engine(settings, on_progress, model=model)
        return _assemble(settings, content, models[""], models, on_progress, seed)
    except BaseException:  # a second model that cannot be loaded leaves no process behind
        for engine in models.values():
            await engine.close()
        raise


def _models(settings: Settings, content: WorldContent) -> list[tuple[str, str]]:
    """The other models that a persona names, each with its name."""
    named = {persona.model for persona in content.personas.values() if persona.model}
    return [(name, model) for name, model in settings.models.items() if name in named]


def _assemble(
    settings: Settings,
    content: WorldContent,
    engine: Engine,
    models: Mapping[str, Engine],
    on_progress: Progress | None,
    seed: int | None,
) -> World:
    """A world of what is loaded, with every draw from the seed, where there is one. Raises: NpcError."""
    from npc_sdk.world import World

    session = settings.session if seed is None else settings.session.model_copy(update={"lore_seed": seed})
    others = {name: _seeded(one, seed) for name, one in models.items() if name}
    embedder = open_embedder(session.lore_model)
    is_long = len(content.lore) >= LONG_TO_INDEX or embedder is not None
    told = on_progress if is_long else None
    return World(content, _seeded(engine, seed), session, models=others, embedder=embedder, on_progress=told)


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

    name = model or settings.engine.model
    return create_engine(name, governor=settings.governor, on_progress=on_progress, **_engine_options(settings))


async def open_isolated_engine(settings: Settings, on_progress: Progress | None = None, *, model: str) -> Engine:
    """As open_engine, in a process of its own; a scripted one stays here, as does every one where the settings say so.

    Raises: NpcError.
    """
    from npc_sdk.engine.process.engine import ProcessEngine

    if model == "scripted" or not settings.engine.isolated:
        return open_engine(settings, on_progress, model=model)
    return await ProcessEngine.start(
        model,
        governor=settings.governor,
        hang_s=settings.engine.hang_s,
        on_progress=on_progress,
        **_engine_options(settings),
    )


def _engine_options(settings: Settings) -> dict[str, Any]:
    """What create_engine takes of the settings, but for the governor's."""
    cpu = ("device", "threads", "cores", "priority", "dtype")
    memory = ("context_tokens", "memory_mb", "cache_bytes", "cache_dtype")
    return {name: getattr(settings.engine, name) for name in (*cpu, *memory, "tokenizer")}


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
