"""Settings: the file, the environment over it, and mistakes that are named with the nearest right name."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk import settings
from npc_sdk.errors import SettingsError
from npc_sdk.settings import Settings, bundled_models, bundled_personas, model_folder


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "npc.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_need_no_file() -> None:
    loaded = Settings.load(environ={})
    assert (loaded.session.tool_rounds, loaded.session.tool_timeout_s) == (4, 20)
    assert (loaded.session.repair_rounds, loaded.session.confirm_timeout_s) == (1, 60)
    assert (loaded.session.reply_timeout_s, loaded.session.reply_tokens, loaded.session.lore_limit) == (
        120,
        160,
        3,
    )
    assert loaded.server.port == 5577
    assert loaded.engine.model == "hearth"


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "server: {port: 6000}\nsession: {reply_tokens: 80}\n")
    loaded = Settings.load(path, {"NPC_SERVER_PORT": "7000", "NPC_ENGINE_THREADS": "2", "HOME": "/"})
    assert (loaded.server.port, loaded.session.reply_tokens, loaded.engine.threads) == (7000, 80, 2)


@pytest.mark.parametrize(
    ("written", "read"),
    [("2", 2), ("0,1", (0, 1)), (" 3", 3), ("1, 4", (1, 4))],
    ids=["count", "list", "space", "both"],
)
def test_cores_are_a_count_or_a_list_in_the_environment_too(written: str, read: object) -> None:
    assert Settings.load(environ={"NPC_ENGINE_CORES": written}).engine.cores == read


def test_the_governors_bounds_are_settings() -> None:
    loaded = Settings.load(environ={"NPC_GOVERNOR_MIN_SHARE": "0.5", "NPC_GOVERNOR_IS_ON": "false"})
    assert (loaded.governor.min_share, loaded.governor.is_on) == (0.5, False)


def test_personas_can_be_set_at_the_top(tmp_path: Path) -> None:
    assert Settings.load(environ={"NPC_PERSONAS": str(tmp_path)}).personas_dir() == tmp_path


def test_empty_file_sets_nothing(tmp_path: Path) -> None:
    assert Settings.load(written(tmp_path, ""), {}) == Settings()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("server: {prot: 1}", "did you mean 'server.port'?"),
        ("sesion: {}", "did you mean 'session'?"),
        ("qqqq: 1", "known: engine"),
        ("server: {port: 70000}", "server.port: should be less than or equal to 65535, not 70000 (0 takes any"),
        ("session: {reply_tokens: many}", "session.reply_tokens: should be a valid integer, not 'many'"),
        ("engine: {dtype: int8}", "engine.dtype: should be 'float32' or 'bfloat16', not 'int8' (The model's own"),
        ("engine: 3", "engine: should be a group of settings, not 3"),
        ("engine: {cores: 0}", "engine.cores: should be a count of cores or a list of their numbers, not 0 (How many"),
        (
            "engine: {cores: [0, -1]}",
            "engine.cores: should be a count of cores or a list of their numbers, not [0, -1]",
        ),
        ("engine: {cores: '0,x'}", "engine.cores: should be a count of cores or a list of their numbers, not '0,x'"),
        ("engine: {priority: high}", "engine.priority: should be 'normal', 'below_normal' or 'low', not 'high'"),
        ("engine: {memory_mb: 0}", "engine.memory_mb: should be greater than or equal to 1, not 0"),
        ("governor: {min_share: 0}", "governor.min_share: should be greater than 0, not 0 (The part of its speed"),
        ("[1, 2]", "holds list, not groups"),
        ("a: [", "not YAML"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        Settings.load(path, {})
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("NPC_SERVER_PROT", "1", "did you mean 'NPC_SERVER_PORT'?"),
        ("NPC_SERVER_PORT", "door", "server.port: should be a valid integer, not 'door' (0 takes any free port.)"),
    ],
)
def test_mistakes_in_the_environment_are_named(name: str, value: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(environ={name: value})
    assert told in str(caught.value)


def test_group_that_is_no_group_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="server: 5577 is not a group"):
        Settings.load(written(tmp_path, "server: 5577"), {"NPC_SERVER_PORT": "1"})


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml"):
        Settings.load(tmp_path / "nowhere.yaml", {})


def test_bundled_personas_hold_the_village() -> None:
    assert (bundled_personas() / "mara" / "persona.yaml").is_file()


def test_models_that_ship_are_found_by_their_folder_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "__file__", str(tmp_path / "settings.py"))
    for name in ("ember", "unfinished"):
        (tmp_path / "models" / name).mkdir(parents=True)
    (tmp_path / "models" / "ember" / "config.json").touch()
    assert bundled_models() == {"ember": tmp_path / "models" / "ember"}
    assert model_folder("ember") == tmp_path / "models" / "ember"
    assert model_folder("elsewhere/ember") == Path("elsewhere/ember")


def test_installation_without_personas_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "__file__", str(tmp_path / "npc_sdk" / "settings.py"))
    with pytest.raises(SettingsError, match="--personas"):
        bundled_personas()
