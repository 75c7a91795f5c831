"""The child's end of child.py: ``python -m npc_sdk.bench.runner KIND`` answers orders until its input closes."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import Any

from npc_sdk.bench.runner.interface import Runner
from npc_sdk.engine.create import calm_openmp

OURS = {
    "ours": "npc_sdk.bench.runner.ours:OurRunner",
    "beside-game": "npc_sdk.bench.runner.beside:GameRunner",
    "calls": "npc_sdk.bench.runner.calls:CallsRunner",
    "village": "npc_sdk.bench.runner.village:VillageRunner",
    "lore": "npc_sdk.bench.runner.lore:LoreRunner",
    "tavern-ours": "npc_sdk.bench.tavern.runner:OurTavern",
}
PEERS = {
    "llama.cpp": "npc_sdk.bench.runner.llama:LlamaRunner",
    "onnxruntime-genai": "npc_sdk.bench.runner.ort:OrtRunner",
    "transformers": "npc_sdk.bench.runner.hf:HfRunner",
    "tavern-server": "npc_sdk.bench.tavern.runner:ServerTavern",
}


def make_runner(kind: str) -> Runner:
    """A runner by its name; imports only that engine. Mutates: for ours, how OpenMP waits, as a game's start does."""
    if kind in OURS:
        calm_openmp()
    module, _, name = {**OURS, **PEERS}[kind].partition(":")
    runner: Runner = getattr(importlib.import_module(module), name)()
    return runner


def answer(runner: Runner, order: dict[str, Any]) -> dict[str, Any]:
    """One order's answer; what goes wrong is an answer too."""
    try:
        name = order.pop("do")
        return {"ok": runner.start(order["options"]) if name == "start" else runner.do(name, order)}
    except Exception as exc:
        traceback.print_exc()
        while isinstance(exc, ExceptionGroup):  # of what failed together, the first
            exc = exc.exceptions[0]
        return {"error": f"{type(exc).__name__}: {exc}"}


def main() -> None:
    """Answers on the real standard output; whatever else prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    runner = make_runner(sys.argv[1])
    for line in sys.stdin:
        answers.write(json.dumps(answer(runner, json.loads(line))) + "\n")
        answers.flush()
    runner.close()


if __name__ == "__main__":
    main()
