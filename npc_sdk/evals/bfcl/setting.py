"""What a run's figures depend on besides the rows: the model, its weights, its window, and how it is asked.

Results of different settings never stand in one file. Called by cli/eval.py.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from npc_sdk.engine.interface import EngineInfo
from npc_sdk.evals.bfcl.ask import INSTRUCTIONS, Asking
from npc_sdk.settings import EngineSettings, model_folder

_EDGE_BYTES = 1 << 16


def setting_of(info: EngineInfo, chosen: EngineSettings, asking: Asking) -> dict[str, Any]:
    """By name, so that a difference can be told; values as JSON gives them back."""
    sampling = asking.sampling
    return {
        "model": info.name,
        "weights": thumbprint(model_folder(chosen.model)),
        "device": info.device,
        "dtype": chosen.dtype,
        "cache_dtype": chosen.cache_dtype,
        "context_tokens": info.context_tokens,
        "chat_format": info.chat_format,
        "tool_format": info.tool_format,
        "is_constrained": asking.is_constrained,
        "temperature": sampling.temperature,
        "seed": sampling.seed,
        "reply_tokens": sampling.max_new_tokens,
        "instructions": hashlib.sha256(INSTRUCTIONS.encode()).hexdigest()[:16],
    }


def thumbprint(folder: Path) -> str:
    """Names, sizes and both ends of a model's files: tells another training apart without reading gigabytes."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.glob("*") if path.is_file()):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            digest.update(file.read(_EDGE_BYTES))
            file.seek(max(0, path.stat().st_size - _EDGE_BYTES))
            digest.update(file.read())
    return digest.hexdigest()[:16]
