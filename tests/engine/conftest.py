"""Checkpoints of every architecture, written once a run, and the figures that the comparisons measure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from npc_sdk.decoding.sampling import TokenSampler
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.local.loader import load_decoder
from npc_sdk.engine.local.native import library
from npc_sdk.engine.local.quantize import quantize_checkpoint

from .checkpoints import dequantized_model, write_checkpoint
from .streams import Start

FIGURES: dict[str, float] = {}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@dataclass
class Zoo:
    """Folders by kind, made when first asked for."""

    root: Path
    models: dict[str, Any] = field(default_factory=dict)

    def full(self, kind: str, layout: str = "safetensors") -> tuple[Path, Any]:
        """A checkpoint in full precision and its reference model."""
        folder = self.root / f"{kind}-{layout}"
        if not folder.exists():
            self.models[folder.name] = write_checkpoint(folder, kind, layout=layout)
        return folder, self.models[folder.name]

    def int4(self, kind: str) -> tuple[Path, Any]:
        """An int4 checkpoint and the reference model with the same, dequantized, weights."""
        folder = self.root / f"{kind}-int4"
        if not folder.exists():
            quantize_checkpoint(self.full(kind)[0], folder)
            self.models[folder.name] = dequantized_model(folder, kind)
        return folder, self.models[folder.name]


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    """All checkpoints of this run."""
    return Zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def load() -> Iterator[Callable[..., Decoder]]:
    """load_decoder on the CPU, with what it loaded closed after the test."""
    with ExitStack() as stack:
        yield lambda folder, **options: stack.enter_context(
            closing(load_decoder(folder, **{"device": "cpu", **options}))
        )


@pytest.fixture
def torch_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Has models that are loaded from now on take torch's kernels, as where nothing was compiled."""

    def switch() -> None:
        monkeypatch.setenv(library.SWITCH, "off")
        library.kernels.cache_clear()

    yield switch
    library.kernels.cache_clear()


@pytest.fixture
def start(zoo: Zoo) -> Iterator[Start]:
    """Loads engines in float32 and closes them."""
    engines: list[LocalEngine] = []

    def load(kind: str = "nemotron", **options: Any) -> LocalEngine:
        settings = {"device": "cpu", "dtype": "float32", **options}
        engines.append(LocalEngine.load(zoo.int4(kind)[0], **settings))
        return engines[-1]

    yield load
    for engine in engines:
        asyncio.run(engine.close())


@pytest.fixture
def force_tokens(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[int]], None]:
    """Makes the model say these ids, one after the other."""

    def force(ids: list[int]) -> None:
        left = list(ids)

        def choose(_self: TokenSampler, _logits: torch.Tensor, _history: list[int], _mask: object = None) -> int:
            return left.pop(0)

        monkeypatch.setattr(TokenSampler, "choose", choose)

    return force


@pytest.fixture
def note_figure(record_property: Callable[[str, object], None]) -> Callable[[str, float], None]:
    """Keeps a measured figure for the report at the end of the run."""

    def note(name: str, value: float) -> None:
        record_property(name, value)
        FIGURES[name] = value

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the figures, so that they can be quoted."""
    if FIGURES:
        terminalreporter.section("largest differences, float32")
        for name, value in sorted(FIGURES.items()):
            terminalreporter.write_line(f"{name}: {value:.2e}")
