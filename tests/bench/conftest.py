"""One folder of tiny models for all tests of the benches, made when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from npc_sdk.bench.shape import find_shape
from npc_sdk.bench.store import Store
from npc_sdk.bench.tavern.trace import Line, make_trace
from npc_sdk.bench.vocabulary import Words
from npc_sdk.settings import model_folder


class Silence:
    """Nobody is told how it goes, but what was said is kept."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def advance(self, done: int, total: int, what: str) -> None:
        self.said.append(f"{done}/{total} {what}")


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the models of this run are."""
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="session")
def store(work: Path) -> Store:
    """The tiny shape's models."""
    return Store(work, find_shape("tiny"), lambda _text: None)


@pytest.fixture
def silence() -> Silence:
    return Silence()


@pytest.fixture
def no_peers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """A machine on which no peer is installed."""

    def why(peer: str) -> str:
        return f"not installed ({peer}): pip install -e .[bench]"

    for module in ("npc_sdk.bench.peers", "npc_sdk.bench.tavern.bench"):
        monkeypatch.setattr(f"{module}.why_missing", why)
    return why


@pytest.fixture(scope="session")
def words() -> Words:
    return Words(model_folder("hearth"))


@pytest.fixture(scope="session")
def line(words: Words) -> Line:
    """Something to say."""
    return make_trace(words, turns=1, seed=1).lines[0]
