"""Attention by the compiled kernels against torch's, over the same pools."""

from __future__ import annotations

import copy
import random

import pytest
import torch

from npc_sdk.engine.local import attention_cpu
from npc_sdk.engine.local.attention import TorchAttention
from npc_sdk.engine.local.attention_cpu import CpuAttention
from npc_sdk.engine.local.batch import Batch, Work
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, CacheShape
from npc_sdk.engine.local.config import ModelConfig, RopeConfig
from npc_sdk.engine.local.kv_cache import KVCache
from npc_sdk.engine.local.layers import Rotary
from npc_sdk.engine.local.native import library
from tests.engine.test_native_kernels import AVX2, AVX512, needs_kernels, ours

pytestmark = needs_kernels
CPU = torch.device("cpu")


def _config(heads: int, kv_heads: int, head_dim: int, turned: int) -> ModelConfig:
    return ModelConfig(
        architecture="test",
        vocab_size=8,
        hidden_size=heads * head_dim,
        intermediate_size=64,
        layers=2,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        context_tokens=1024,
        norm="rms_norm",
        norm_eps=1e-6,
        mlp="relu2",
        rope=RopeConfig(10_000.0, turned),
        has_tied_embeddings=False,
        stored_dtype="bfloat16",
        bos_id=None,
        eos_ids=(),
    )


def _caches(pool: BlockPool, lengths: list[int], rng: random.Random) -> list[KVCache]:
    """Sequences of some lengths, their blocks all over the pool."""
    blocks = list(range(pool.blocks))
    rng.shuffle(blocks)
    caches = [KVCache(pool) for _ in lengths]
    for cache, length in zip(caches, lengths, strict=True):
        for _ in range(length // BLOCK_TOKENS + 3):
            cache._append(pool.allocate(blocks.pop() - 1))
        cache.length = length
    return caches


@pytest.mark.parametrize("level", [AVX2, AVX512], ids=["avx2", "avx512"])
@pytest.mark.parametrize("is_int8", [False, True], ids=["bf16", "int8"])
@pytest.mark.parametrize(
    "shape", [(6, 2, 64, 32), (4, 4, 16, 16), (3, 1, 128, 128), (2, 1, 80, 40)], ids=["gqa", "mha", "wide", "odd"]
)
def test_heads_see_what_torch_has_them_see(shape: tuple[int, int, int, int], level: int, is_int8: bool) -> None:
    assert ours is not None
    if level > ours.level:
        pytest.skip("this CPU has no AVX-512 VNNI")
    config = _config(*shape)
    kernels = copy.copy(ours)
    kernels.level = level
    cache_shape = CacheShape(2, config.kv_heads, config.head_dim, torch.bfloat16, CPU, is_int8)
    rotary = Rotary(config.rope, CPU, torch.bfloat16)
    counts = [(0, 1), (0, 130), (63, 2), (64, 1), (200, 1), (130, 70)]
    pools = [BlockPool(cache_shape, 40) for _ in range(2)]
    generator = torch.Generator().manual_seed(1)
    for tensors in zip(*(pool.tensors for pool in pools), strict=True):
        filled = torch.randn(tensors[0].shape, generator=generator) if tensors[0].dtype != torch.int8 else None
        for tensor in tensors:
            tensor.copy_(torch.full_like(tensor, 1) if filled is None else filled.abs() * 0.5)
    rows = sum(count for _, count in counts)
    qkv = torch.randn(rows, (config.heads + 2 * config.kv_heads) * config.head_dim, generator=generator).bfloat16()
    found = []
    for pool, attention in zip(
        pools, (TorchAttention(config, cache_shape), CpuAttention(kernels, config)), strict=True
    ):
        caches = _caches(pool, [length for length, _ in counts], random.Random(5))
        works = [Work(cache, [1] * count) for cache, (_, count) in zip(caches, counts, strict=True)]
        attending = attention.begin(Batch.of(works, CPU), pool, rotary)
        found.append([attending(layer, qkv.clone()) for layer in range(2)])
    for expected, ours_found in zip(*found, strict=True):
        error = (ours_found.float() - expected.float()).abs().amax()
        assert error <= 0.02 * expected.float().abs().amax()


def test_heads_that_are_no_whole_vectors_are_left_to_torch() -> None:
    assert attention_cpu.fits(_config(2, 2, 48, 48))
    assert not attention_cpu.fits(_config(2, 2, 24, 24))


def test_the_library_is_not_taken_when_its_sources_are_newer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(library, "source_digest", lambda: "newer")
    library.kernels.cache_clear()
    try:
        assert library.kernels() is None
    finally:
        library.kernels.cache_clear()
    assert "older than its sources" in caplog.text
