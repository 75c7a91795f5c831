"""What can be set without touching code: the engine, the sessions and the server.

Read from a YAML file and NPC_* environment variables (NPC_SERVER_PORT sets server.port; the environment wins).
An unknown name is a mistake and says which name comes nearest. Called by the command line and by games.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from npc_sdk.errors import SettingsError

ENV_PREFIX = "NPC_"

ProcessPriority: TypeAlias = Literal["normal", "below_normal", "low"]
CacheDtype: TypeAlias = Literal["int8"]


class Group(BaseModel):
    """Base of every settings group: unknown names are mistakes, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineSettings(Group):
    """The model and where it runs. Units: cache_bytes is what may be kept of finished prompts; hang_s in seconds."""

    model: str = Field(default="hearth", description="A model that ships, a model's folder, or 'scripted'.")
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N.")
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="On the CPU; the physical cores, fewer beside a busy game, if unset."
    )
    cores: int | tuple[int, ...] | None = Field(
        default=None, description="How many cores the model may take, or which ([0, 1]); any if unset."
    )
    priority: ProcessPriority = Field(
        default="below_normal", description="Of the model's threads against the game's: normal, below_normal or low."
    )
    context_tokens: int | None = Field(default=None, ge=64, description="A smaller window than the model's own.")
    memory_mb: int | None = Field(
        default=None, ge=1, description="The most that weights, cache and workspace may take together; 2^20 bytes each."
    )
    cache_bytes: int | None = Field(
        default=None, ge=0, description="Memory for prompts that may come again; 256 MiB, or what memory_mb leaves."
    )
    cache_dtype: CacheDtype | None = Field(
        default=None, description="int8 holds twice the prompts in the same memory, a little rounded."
    )
    dtype: Literal["float32", "bfloat16"] | None = Field(default=None, description="The model's own if unset.")
    tokenizer: Path | None = Field(default=None, description="A folder with tokenizer.json, if the model's has none.")
    isolated: bool = Field(
        default=True, description="npc serve runs the model in a process of its own, which may crash alone."
    )
    hang_s: float | None = Field(
        default=None, gt=0, le=3600, description="How long that process may show no progress; learned if unset."
    )

    @field_validator("cores", mode="before")
    @classmethod
    def _read_cores(cls, value: object) -> object:
        """A count or a list; from the environment "2" or "0,1". Raises: ValueError."""
        if isinstance(value, str):
            numbers = [int(part) if part.strip().isdecimal() else -1 for part in value.split(",")]
            value = numbers if "," in value else numbers[0]
        chosen, least = (list(value), 0) if isinstance(value, list | tuple) else ([value], 1)
        are_counts = all(isinstance(one, int) and not isinstance(one, bool) and one >= least for one in chosen)
        if value is not None and not (chosen and are_counts):
            raise ValueError("should be a count of cores or a list of their numbers")
        return value


class GovernorSettings(Group):
    """How the engine gives way to a game that reports its frame times. Units: seconds, tokens."""

    is_on: bool = Field(default=True, description="Whether late frames slow the engine.")
    frame_budget_s: float = Field(default=1 / 60, gt=0, le=1, description="What a frame may take; 1/60 unless set.")
    tolerance: float = Field(default=1.2, ge=1, le=10, description="A frame is late over so many budgets.")
    min_share: float = Field(
        default=0.25, gt=0, le=1, description="The part of its speed that a reply keeps however late frames are."
    )
    min_chunk_tokens: int = Field(default=64, ge=1, le=4096, description="A prompt gets no fewer in a step.")


class SessionSettings(Group):
    """How a conversation runs. Units: seconds, tokens, passages."""

    tool_rounds: int = Field(default=4, ge=0, le=32)
    repair_rounds: int = Field(
        default=1,
        ge=0,
        le=8,
        description="How often in a reply a model may try again after calls or a value that are wrong.",
    )
    tool_timeout_s: float = Field(default=20.0, gt=0, le=3600)
    confirm_timeout_s: float = Field(
        default=60.0, gt=0, le=3600, description="How long a player may think about an act that they must agree to."
    )
    reply_timeout_s: float = Field(default=120.0, gt=0, le=3600)
    reply_tokens: int = Field(default=160, ge=1, le=4096)
    lore_limit: int = Field(
        default=3, ge=0, le=32, description="The most entries that words and keys bring in; constant ones come on top."
    )
    lore_model: Path | None = Field(
        default=None, description="A sentence-transformers folder, to find lore by meaning too; none if unset."
    )
    lore_min_similarity: float = Field(
        default=0.25, ge=-1, le=1, description="Lore whose meaning is less like the words than this is not brought in."
    )
    lore_cache_dir: Path | None = Field(
        default=None, description="A folder where the lore's index is kept, so that the next start reads it."
    )
    lore_seed: int | None = Field(
        default=None, ge=0, description="What lore entries of chance are drawn from; drawn anew at each start if unset."
    )
    fronts_dir: Path | None = Field(
        default=None, description="A folder where warmed-up prompts are kept, so that the next start reads them."
    )
    reads_ahead: bool = Field(default=True, description="After a reply, prepare the next prompt while nobody asks.")


class ServerSettings(Group):
    """Where the bridge listens, and who may connect; port 0 takes any free one."""

    host: str = "127.0.0.1"
    port: int = Field(default=5577, ge=0, le=65535, description="0 takes any free port.")
    token: str | None = Field(
        default=None, repr=False, description="What clients of this machine must show; a new one each start if unset."
    )
    curve_key: Path | None = Field(
        default=None, description="The server's secret key file, needed to listen beyond this machine."
    )
    curve_clients: Path | None = Field(
        default=None, description="The folder with the public .key file of each client that may connect by CURVE."
    )


class Settings(Group):
    """All of it, as one settings file holds it."""

    engine: EngineSettings = EngineSettings()
    governor: GovernorSettings = GovernorSettings()
    session: SessionSettings = SessionSettings()
    server: ServerSettings = ServerSettings()
    models: dict[str, str] = Field(
        default_factory=dict, max_length=8, description="Other models by the name that a persona's 'model' gives them."
    )
    personas: Path | None = Field(default=None, description="The folder of personas; the bundled village if unset.")

    @classmethod
    def load(cls, path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
        """The file's values under the environment's. Raises: SettingsError."""
        values = _read(path) if path else {}
        _overlay(values, os.environ if environ is None else environ)
        try:
            return cls.model_validate(values)
        except ValidationError as exc:
            raise _first_mistake(exc, path) from exc

    def personas_dir(self) -> Path:
        """The folder to load: the chosen one, or the village that ships."""
        return self.personas or bundled_personas()


def bundled_personas() -> Path:
    """The village that ships: beside the package in a checkout, inside it in a wheel. Raises: SettingsError."""
    package = Path(__file__).parent
    for folder in (package / "_personas", package.parent / "personas"):
        if (folder / "world" / "world.yaml").is_file():
            return folder
    raise SettingsError("this installation holds no personas", hint="name a folder with --personas")


def bundled_models() -> dict[str, Path]:
    """The models that ship, by name."""
    folder = Path(__file__).parent / "models"
    return {config.parent.name: config.parent for config in sorted(folder.glob("*/config.json"))}


def model_folder(name: str) -> Path:
    """The folder of a model that ships, where the name is one's; else the name is the folder's."""
    return bundled_models().get(name, Path(name).expanduser())


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"cannot read the settings {str(path)!r}: {exc}", hint="name a readable YAML file") from exc
    except yaml.YAMLError as exc:
        raise SettingsError(f"{path}: not YAML: {exc}", hint="write groups of name: value") from exc
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: holds {type(values).__name__}, not groups", hint="begin with engine:, for one")
    return values


def _overlay(values: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Mutates: values takes every NPC_* variable. Raises: SettingsError for a name that stands for nothing."""
    places = _env_names()
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX):
            continue
        if name not in places:
            raise SettingsError(f"the environment variable {name!r} sets nothing", hint=_nearest(name, places))
        group, field = places[name]
        target = values if group is None else values.setdefault(group, {})
        if not isinstance(target, dict):
            raise SettingsError(
                f"{group}: {target!r} is not a group of settings", hint=f"write {group}: and {field}: below it"
            )
        target[field] = environ[name]


def _env_names() -> dict[str, tuple[str | None, str]]:
    names: dict[str, tuple[str | None, str]] = {}
    for group, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            for inner in field.annotation.model_fields:
                names[f"{ENV_PREFIX}{group}_{inner}".upper()] = (group, inner)
        else:
            names[f"{ENV_PREFIX}{group}".upper()] = (None, group)
    return names


def _first_mistake(exc: ValidationError, path: Path | None) -> SettingsError:
    """A setting that is none, or one with a value that it cannot have."""
    error = exc.errors()[0]
    place = ".".join(str(part) for part in error["loc"])
    source = str(path) if path else "settings"
    if error["type"] == "extra_forbidden":
        return SettingsError(f"{source}: {place!r} is no setting", hint=_nearest(place, _dotted()))
    told = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    wanted = told.partition(", unable to parse")[0]
    if error["type"] == "model_type":
        wanted = "should be a group of settings"
    return SettingsError(f"{source}: {place}: {wanted}, not {error['input']!r}", hint=_meaning(place))


def _meaning(place: str) -> str:
    """What a setting is for, where that is written down."""
    group, _, field = place.partition(".")
    found = Settings.model_fields.get(group)
    model = found.annotation if found else None
    inner = model.model_fields.get(field) if isinstance(model, type) and issubclass(model, Group) else found
    return (inner.description if inner else None) or ""


def _dotted() -> list[str]:
    """Every name that a settings file may hold."""
    inner = [f"{group}.{field}" for group, field in _env_names().values() if group]
    return [*Settings.model_fields, *inner]


def _nearest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"
