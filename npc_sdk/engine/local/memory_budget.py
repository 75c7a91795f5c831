"""What a model will take in memory, from its headers and config alone, held against a budget before anything loads.

Counts weights, the cache's pool and a step's workspace on the device; not what Python and torch take by themselves.
Called by create.py.
"""

from __future__ import annotations

import ctypes
import logging
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from npc_sdk.engine.local import DEFAULT_CACHE_BYTES, attention_cpu
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, CacheShape, blocks_for
from npc_sdk.engine.local.checkpoint import Checkpoint
from npc_sdk.engine.local.config import ModelConfig, load_config
from npc_sdk.engine.local.int4_cpu import usable_kernels
from npc_sdk.engine.local.int4_wide import RESTORED_ROWS
from npc_sdk.engine.local.limits import DEFAULT_LIMITS
from npc_sdk.engine.local.loader import choose_device, choose_dtype
from npc_sdk.engine.local.scheduler import CHUNK_TOKENS
from npc_sdk.engine.local.tensor_file import TensorSpec
from npc_sdk.engine.local.weight_names import EMBEDDING, HEAD, IGNORED_SUFFIX
from npc_sdk.errors import SettingsError
from npc_sdk.settings import CacheDtype

log = logging.getLogger(__name__)

MB = 2**20
FLOAT_BYTES = 4
MEMINFO = Path("/proc/meminfo")
DECODING_ROWS = 64  # beside a prompt's chunk: replies under way, with what they guess ahead


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Units: bytes. cache_bytes is the setting to load with; pool_bytes what comes of it, a whole window at least."""

    weight_bytes: int
    pool_bytes: int
    workspace_bytes: int
    cache_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weight_bytes + self.pool_bytes + self.workspace_bytes

    def __str__(self) -> str:
        parts = (("weights", self.weight_bytes), ("cache", self.pool_bytes), ("workspace", self.workspace_bytes))
        sums = " + ".join(f"{name} {_mb(count)} MB" for name, count in parts)
        return f"{sums} = {_mb(self.total_bytes)} MB"


def plan_memory(
    folder: Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    context_tokens: int | None = None,
    cache_bytes: int | None = None,
    cache_dtype: CacheDtype | None = None,
    memory_mb: int | None = None,
) -> MemoryPlan:
    """What a model folder will take with these settings; a cache that nobody set shrinks to what the budget leaves.

    Warns in the log where the machine or card has less than that free.
    Raises: SettingsError where the budget is too small; ModelFormatError.
    """
    config = load_config(folder)
    where = choose_device(device)
    compute_dtype = choose_dtype(config, where, dtype)
    is_int8 = cache_dtype == "int8"
    shape = CacheShape(config.layers, config.kv_heads, config.head_dim, compute_dtype, where, is_int8)
    context = min(context_tokens or config.context_tokens, config.context_tokens)
    weights = _folder_weight_bytes(folder, config, compute_dtype)
    has_kernels = usable_kernels(where, compute_dtype) is not None and attention_cpu.fits(config)
    is_compiled = has_kernels and config.int4_group_size is not None
    workspace = workspace_bytes(config, compute_dtype, context, is_compiled=is_compiled)
    wanted = DEFAULT_CACHE_BYTES if cache_bytes is None else cache_bytes
    if memory_mb is not None and cache_bytes is None:
        wanted = max(0, min(wanted, memory_mb * MB - weights - workspace))
    plan = MemoryPlan(weights, pool_bytes(shape, context, wanted), workspace, wanted)
    if memory_mb is not None and plan.total_bytes > memory_mb * MB:
        hints = _hints(plan, memory_mb * MB, shape, config, context, is_cache_set=cache_bytes is not None)
        raise SettingsError(f"engine.memory_mb is {memory_mb!r}, but {folder} takes {plan}", hint=hints)
    _compare_with_free(plan, where, folder)
    return plan


def pool_bytes(shape: CacheShape, context_tokens: int, cache_bytes: int) -> int:
    """The blocks that an engine makes: the cache's, or one whole window and a block to copy into where that is more."""
    return max(cache_bytes // shape.block_bytes, blocks_for(context_tokens) + 1) * shape.block_bytes


def weight_bytes(specs: dict[str, TensorSpec], config: ModelConfig, dtype: torch.dtype) -> int:
    """What the loader keeps of a checkpoint's tensors: the embedding's rows stay on the disk."""
    is_head_own = HEAD in specs or f"{HEAD}.int4" in specs
    total = 0
    for name, spec in specs.items():
        values = math.prod(spec.shape)
        if name in (f"{EMBEDDING}.int8", EMBEDDING):
            total += 0 if is_head_own or not config.has_tied_embeddings else values * dtype.itemsize
        elif name.endswith(".int4") or name == f"{EMBEDDING}.scale":
            total += spec.byte_count
        elif not name.endswith(IGNORED_SUFFIX):
            total += values * dtype.itemsize
    return total


def workspace_bytes(config: ModelConfig, dtype: torch.dtype, context_tokens: int, *, is_compiled: bool) -> int:
    """The most that one step has in hand besides: activations of a chunk, logits, and what torch's kernels need more.

    Those restore weights, gather keys and values and make masks; the compiled ones quantize their input.
    """
    rows = CHUNK_TOKENS + DECODING_ROWS
    query, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
    up = config.intermediate_size * (2 if config.mlp == "swiglu" else 1)
    logits = 2 * DECODING_ROWS * config.vocab_size
    if is_compiled:
        attention = rows * (2 * config.hidden_size + 2 * query + 2 * keys)
        mlp = rows * (2 * config.hidden_size + 2 * up)
        quantized = rows * max(config.hidden_size, up, query)
        return (max(attention, mlp) + quantized + logits) * dtype.itemsize
    mlp = rows * (3 * config.hidden_size + 3 * up)  # in and out of each part, and what the activation makes on its way
    scores = BLOCK_TOKENS * config.heads * context_tokens * (2 * FLOAT_BYTES // dtype.itemsize + 1)
    attention = rows * (3 * config.hidden_size + 3 * (query + 2 * keys)) + scores
    restored = 3 * RESTORED_ROWS * max(config.hidden_size, config.intermediate_size, query)
    gathered = 2 * DEFAULT_LIMITS.running * context_tokens * keys  # one call may read the blocks of all replies
    masks = (CHUNK_TOKENS // BLOCK_TOKENS + 1) * BLOCK_TOKENS * (config.heads // config.kv_heads) * context_tokens
    return (max(mlp, attention) + restored + gathered + masks + logits) * dtype.itemsize


def free_bytes(device: torch.device) -> int | None:
    """What the card, or the machine, has left; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if MEMINFO.exists():
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text(encoding="ascii").splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return _windows_free_bytes()


def _windows_free_bytes() -> int | None:
    """GlobalMemoryStatusEx's ullAvailPhys; never ran here."""
    if sys.platform != "win32" or os.name != "nt":
        return None
    status = (ctypes.c_uint64 * 8)()
    ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
    return int(status[2]) if ctypes.windll.kernel32.GlobalMemoryStatusEx(status) else None


def _folder_weight_bytes(folder: Path, config: ModelConfig, dtype: torch.dtype) -> int:
    """weight_bytes of the folder's files, of which only the headers are read."""
    checkpoint = Checkpoint(folder)
    try:
        return weight_bytes({name: checkpoint.spec(name) for name in checkpoint.names()}, config, dtype)
    finally:
        checkpoint.close()


def _hints(
    plan: MemoryPlan, budget: int, shape: CacheShape, config: ModelConfig, context: int, *, is_cache_set: bool
) -> str:
    """What would make it fit, with figures."""
    left = budget - plan.weight_bytes - plan.workspace_bytes
    window = pool_bytes(shape, context, 0)
    hints = [f"raise it to {_mb(plan.total_bytes)}"]
    if is_cache_set and plan.cache_bytes > window and left >= window:
        hints.append(f"lower cache_bytes to {left}")
    if window > left and not shape.is_int8:
        hints.append("set cache_dtype to int8")
    fitting = (left // shape.block_bytes - 1) * BLOCK_TOKENS
    if window > left and fitting >= BLOCK_TOKENS:
        hints.append(f"lower context_tokens to {fitting} (the cache holds a whole window at least)")
    if config.int4_group_size is None:
        hints.append("quantize the model: npc models quantize")
    return "; ".join(hints)


def _compare_with_free(plan: MemoryPlan, device: torch.device, folder: Path) -> None:
    """A word in the log where less is free than will be taken: it may still be made free, so nothing is refused."""
    free = free_bytes(device)
    if free is not None and plan.total_bytes > free:
        message = "%s takes %s, and %s has %s MB free: set engine.memory_mb, or free some"
        log.warning(message, folder, plan, "the card" if device.type == "cuda" else "the machine", _mb(free))


def _mb(count: int) -> int:
    """Whole megabytes, rounded up."""
    return -(-count // MB)
