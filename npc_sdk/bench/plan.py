"""What every bench is given: the models, the board, somebody to tell, and children that end when it ends.

Called by the command line, which makes one, and by the benches.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npc_sdk.bench.board import Board, Watch
from npc_sdk.bench.child import Child
from npc_sdk.bench.machine import describe_machine, usable_cores
from npc_sdk.bench.shape import Shape, find_shape
from npc_sdk.bench.store import Store, default_work
from npc_sdk.bench.vocabulary import Prompt, Words
from npc_sdk.errors import SettingsError

CONTEXT_TOKENS = 2048
CACHE_TOKENS = 10_000  # eight conversations of a bench, and some
SEED = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """One bench's surroundings. Made by make()."""

    store: Store
    board: Board
    watch: Watch
    runs: int
    words: Words
    device: str = "cpu"

    @property
    def shape(self) -> Shape:
        """The model's size."""
        return self.store.shape

    def prompt(self, purpose: str, run: int, tokens: int) -> Prompt:
        """Words at random, always the same for a purpose and a run."""
        return self.words.draw(random.Random(f"{SEED} {purpose} {run}"), tokens)

    def ours(self, stack: ExitStack, name: str = "ours", kind: str = "ours", **options: Any) -> Child:
        """Our engine in a child of its own, closed with the stack. kind: what it can be told to do."""
        settings = {
            "model": str(self.store.int4()),
            "device": self.device,
            "context_tokens": min(CONTEXT_TOKENS, self.shape.context),
            "cache_bytes": CACHE_TOKENS * self.shape.kv_bytes,
            # Random weights repeat themselves, which guessing ahead would turn into a speed that no text has.
            "limits": {"draft_tokens": 0},
            **options,
        }
        return self.child(stack, name, kind, settings)

    def child(self, stack: ExitStack, name: str, kind: str, options: Mapping[str, Any]) -> Child:
        """A runner of a kind in a child of its own, closed with the stack."""
        self.watch.say(f"starting {name}")
        log = self.store.folder / f"{name.replace(' ', '-').replace(',', '')}.log"
        return stack.enter_context(Child(name, kind, options, log))


def make(
    bench: str,
    shape_name: str,
    *,
    work: Path | None,
    json_path: Path | None,
    runs: int,
    watch: Watch,
    device: str = "cpu",
    settings: Mapping[str, Any] | None = None,
) -> Plan:
    """Prepares a bench; an interrupted one with the same settings is gone on from. Raises: SettingsError."""
    if runs < 1:
        raise SettingsError(f"runs is {runs!r}", hint="1 or more")
    shape = find_shape(shape_name)
    store = Store((work or default_work()).expanduser().resolve(), shape, watch.say)
    described = {"shape": shape_name, "runs": runs, "device": device, "cores": usable_cores(), **(settings or {})}
    board = Board(bench, described, describe_machine(), json_path)
    kept = board.resume()
    if kept:
        board.notes.append(f"{kept} values are from a bench that was interrupted")
    return Plan(store, board, watch, runs, Words(store.int4()), device)
