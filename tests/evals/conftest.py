"""Our own rows in the leaderboard's format, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.evals.bfcl.category import Category
from npc_sdk.evals.bfcl.row import Row, read_rows

from .rows import write_leaderboard


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as --data names it."""
    return write_leaderboard(tmp_path_factory.mktemp("bfcl") / "data")


@pytest.fixture(scope="session")
def rows(folder: Path) -> list[Row]:
    """The rows of every category."""
    return [row for category in Category for row in read_rows(folder, category)]
