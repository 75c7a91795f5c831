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


@pytest.mark.parametrize("words", [("--as", "Al"), ("--for", "no such")])
def test_a_name_that_is_no_id_is_told(root: Path, card: Path, words: tuple[str, str]) -> None:
    with pytest.raises(SettingsError, match="is no NPC id"):
        run("import", card, "--into", root, *words)


@pytest.mark.parametrize("name", ["world", "player", "personas", "con", "com1"])
def test_a_reserved_name_is_told_with_another(root: Path, card: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=rf"is reserved \(take another name: {name}_npc\)"):
        run("import", card, "--into", root, "--as", name)


def test_a_forced_import_says_what_it_removes(tmp_path: Path, root: Path, card: Path) -> None:
    run("import", card, "--into", root)
    plain = sample.file_of(tmp_path, "b.json", sample.V1)
    book = root / "aldous" / "lore" / "book.yaml"
    assert f"it would remove, as the import before wrote it: {book}" in run(
        "import", plain, "--into", root, "--force", "--dry-run"
    )
    assert book.exists()
    assert f"removed, as the import before wrote it: {book}" in run("import", plain, "--into", root, "--force")
    assert not book.exists()


def test_a_filter_by_characters_finds_the_cast_that_is_there(tmp_path: Path, root: Path, card: Path) -> None:
    run("import", card, "--into", root)
    entry = {**sample.WORLD_INFO["entries"]["0"], "characterFilter": {"names": ["Aldous"]}}
    run("import", sample.file_of(tmp_path, "n.json", {"entries": {"0": entry}}), "--into", root)
    content = inspect_world(root).content
    assert content is not None
    assert {npc_id for one in content.lore if one.entry_id.startswith("n.") for npc_id in one.scope.npc_ids} == {
        "aldous"
    }


@pytest.mark.parametrize("is_left_out", [False, True])
def test_secrets_in_a_card_are_told_and_can_be_left_out(tmp_path: Path, root: Path, is_left_out: bool) -> None:
    run("import", sample.file_of(tmp_path, "a.json", sample.V1), "--into", root)
    with (root / "aldous" / "persona.yaml").open("a") as file:
        file.write("secrets: [You sank the ferry., {id: gold, text: The gold is here., when: weather == 'rain'}]\n")
    out = tmp_path / "out.json"
    said = run("export", "aldous", "--out", out, "--personas", root, *(["--without-secrets"] if is_left_out else []))
    assert "2 secrets" in said
    assert ("left out, as asked" in said) == is_left_out == ("gold" not in out.read_text())


def test_one_name_for_two_cards_is_told(root: Path, card: Path) -> None:
    with pytest.raises(SettingsError, match="one by one"):
        run("import", card, card, "--into", root, "--as", "al")
