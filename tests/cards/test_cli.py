"""`npc import` and `npc export` as a writer uses them."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from npc_sdk.cli.export import export
from npc_sdk.cli.import_ import import_
from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.lore.content import inspect_world
from tests.cards import sample

app = typer.Typer()
app.command("import")(import_)
app.command("export")(export)


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return sample.content_folder(tmp_path)


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return sample.file_of(tmp_path, "aldous.png", sample.contained(sample.V3, "png"))


def test_a_card_is_imported_with_its_report_and_exported_again(tmp_path: Path, root: Path, card: Path) -> None:
    said = run("import", card, "--into", root)
    assert "approximated" in said or "mapped" in said
    assert "kept in card.json" in said
    assert f"written: {root / 'aldous'}" in said
    assert inspect_world(root).problems == ()
    said = run("export", "aldous", "--out", tmp_path / "out.png", "--personas", root, "--version", 2)
    assert "what was not edited since the import, as it came" in said
    run("import", tmp_path / "out.png", "--into", root, "--as", "al", "--ours")
    assert (root / "al" / "persona.yaml").read_text() == (root / "aldous" / "persona.yaml").read_text()


def test_a_dry_run_writes_nothing(root: Path, card: Path) -> None:
    assert "nothing written" in run("import", card, "--into", root, "--dry-run")
    assert sorted(path.name for path in root.iterdir()) == ["world"]


def test_what_is_there_is_not_overwritten(root: Path, card: Path) -> None:
    run("import", card, "--into", root)
    with pytest.raises(ContentError, match="there already"):
        run("import", card, "--into", root)
    run("import", card, "--into", root, "--force")


def test_two_cards_of_one_name_get_two_folders(tmp_path: Path, root: Path, card: Path) -> None:
    other = sample.file_of(tmp_path, "b.json", sample.V1)
    run("import", card, other, "--into", root)
    assert {path.name for path in root.iterdir()} == {"world", "aldous", "aldous_2"}


def test_a_lorebook_goes_to_the_world_or_to_one(tmp_path: Path, root: Path, card: Path) -> None:
    book = sample.file_of(tmp_path, "News.json", sample.WORLD_INFO)
    run("import", card, "--into", root)
    run("import", book, "--into", root)
    run("import", book, "--into", root, "--for", "aldous")
    assert (root / "world" / "lore" / "news.yaml").is_file()
    assert (root / "aldous" / "lore" / "news.yaml").is_file()
    assert inspect_world(root).problems == ()
    with pytest.raises(ContentError, match="no NPC 'bert'"):
        run("import", book, "--into", root, "--for", "bert")


@pytest.mark.parametrize("words", [("--as", "Al"), ("--for", "no such"), ("--as", "world")])
def test_a_name_that_is_no_id_is_told(root: Path, card: Path, words: tuple[str, str]) -> None:
    with pytest.raises(SettingsError, match="is no NPC id"):
        run("import", card, "--into", root, *words)


def test_one_name_for_two_cards_is_told(root: Path, card: Path) -> None:
    with pytest.raises(SettingsError, match="one by one"):
        run("import", card, card, "--into", root, "--as", "al")
