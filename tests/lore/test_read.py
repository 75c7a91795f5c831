"""Lore files: what their names make of the ids of their entries."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.lore.read import read_lore


@pytest.mark.parametrize(
    ("file", "entry_id"),
    [("my tales.md", "my-tales.a"), ("Old_Songs.md", "old_songs.a"), ("…md.md", "md.a"), ("!.md", "lore.a")],
)
def test_a_file_may_have_any_name(tmp_path: Path, file: str, entry_id: str) -> None:
    (tmp_path / file).write_text("## A\nText.\n", encoding="utf-8")
    entries, problems = read_lore(tmp_path)
    assert ([entry.entry_id for entry in entries], problems) == ([entry_id], [])
