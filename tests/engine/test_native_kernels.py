"""The compiled kernels: what they compute, and that nothing but a row itself changes its result."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import torch

from npc_sdk.engine.local.int4 import Int4Rows, dequantize_rows, padded_rows, quantize_rows
from npc_sdk.engine.local.int4_cpu import Int4CpuProjection
from npc_sdk.engine.local.layers import LayerNorm1P, Operation, RMSNorm, relu2, swiglu
from npc_sdk.engine.local.native import library

ours = library.kernels()
needs_kernels = pytest.mark.skipif(
    ours is None, reason="no compiled kernels here: no C compiler, or no x86-64 with AVX2"
)
pytestmark = needs_kernels
AVX2, AVX512 = 2, 3
WIDTH = 192


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _level(level: int) -> library.Kernels:
    """The kernels for one instruction set."""
    assert ours is not None
    if level > ours.level:
        pytest.skip("this CPU has no AVX-512 VNNI")
    kernels = copy.copy(ours)
    kernels.level = level
    return kernels


def _projection(
    rows: int,
    columns: int = WIDTH,
    group: int = 64,
    *,
    level: int | None = None,
    bias: torch.Tensor | None = None,
    operation: Operation | None = None,
) -> tuple[Int4CpuProjection, torch.Tensor]:
    """A projection and the weights that it stands for."""
    plain = quantize_rows(_random(rows, columns, seed=1) * 0.05, group)
    weight = dequantize_rows(plain)
    extra = (0, 0, 0, padded_rows(rows) - rows)
    padded = [torch.nn.functional.pad(part, extra).clone() for part in (plain.codes, plain.scale, plain.zero)]
    kernels = _level(level or (ours.level if ours else AVX2))
    return Int4CpuProjection(kernels, Int4Rows(*padded), rows, bias, operation), weight


def _off(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The relative error."""
    return float((found.float() - expected).norm() / expected.norm())


@pytest.mark.parametrize("level", [AVX2, AVX512], ids=["avx2", "avx512"])
@pytest.mark.parametrize("group", [32, 64, 128])
@pytest.mark.parametrize("rows", [16, 40, 64, 200], ids=["a block", "padded", "a panel", "several, padded"])
@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 7, 33])
def test_it_computes_with_the_dequantized_weights(rows: int, tokens: int, group: int, level: int) -> None:
    columns = 2 * WIDTH if group == 128 else WIDTH
    bias = _random(rows, seed=2).bfloat16()
    projection, weight = _projection(rows, columns, group, level=level, bias=bias)
    x = _random(tokens, columns, seed=3).bfloat16()
    found = projection(x)
    assert found.shape == (tokens, rows)
    assert _off(found, x.float() @ weight.t() + bias.float()) < 0.012


@pytest.mark.parametrize(
    "operation",
    [
        LayerNorm1P(_random(WIDTH).bfloat16() + 1, _random(WIDTH, seed=4).bfloat16(), 1e-5),
        RMSNorm(_random(WIDTH).bfloat16(), 1e-6),
        relu2,
    ],
    ids=["layer norm", "rms norm", "relu2"],
)
def test_norms_and_activations_are_done_on_the_way_in(operation: Operation) -> None:
    projection, weight = _projection(48, operation=operation)
    x = (3 * _random(5, WIDTH, seed=5) + 1).bfloat16()
    assert _off(projection(x), operation(x).float() @ weight.t()) < 0.015


def test_an_activation_that_the_kernels_do_not_know_is_done_by_torch() -> None:
    projection, weight = _projection(48, operation=swiglu)
    x = _random(5, 2 * WIDTH, seed=5).bfloat16()
    assert _off(projection(x), swiglu(x).float() @ weight.t()) < 0.012


def test_a_residual_is_added_before_rounding() -> None:
    projection, weight = _projection(64)
    x, residual = _random(3, WIDTH, seed=6).bfloat16(), 8 * _random(3, 64, seed=7).bfloat16()
    assert _off(projection(x, 0, residual), x.float() @ weight.t() + residual.float()) < 0.005


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_a_row_depends_neither_on_others_nor_on_threads_nor_on_instructions(threads: int) -> None:
    norm = RMSNorm(_random(WIDTH).bfloat16(), 1e-6)
    before = torch.get_num_threads()
    x = _random(70, WIDTH, seed=8).bfloat16()
    alone = torch.cat([_projection(300, level=AVX2, operation=norm)[0](row[None]) for row in x])
    torch.set_num_threads(threads)
    try:
        for level in {AVX2, ours.level if ours else AVX2}:
            projection, _ = _projection(300, level=level, operation=norm)
            assert torch.equal(projection(x), alone)
            cuts = [0, 1, 3, 6, 10, 15, 32, 70]
            parts = [projection(x[first:last].clone()) for first, last in pairwise(cuts)]
            assert torch.equal(torch.cat(parts), alone)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("ill", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("level", [AVX2, AVX512], ids=["avx2", "avx512"])
def test_what_is_no_number_is_passed_on_and_only_in_its_row(ill: float, level: int) -> None:
    projection, _ = _projection(32, level=level)
    x = _random(3, WIDTH, seed=9).bfloat16()
    x[1, 70] = ill
    found = projection(x)
    assert found[1].isnan().all()
    assert found[[0, 2]].isfinite().all()


def test_rows_of_zeros_stay_zero() -> None:
    assert not _projection(32)[0](torch.zeros(2, WIDTH, dtype=torch.bfloat16)).any()


def test_many_threads_may_call_at_once() -> None:
    projection, _ = _projection(512)
    inputs = [_random(1 + number % 9, WIDTH, seed=number).bfloat16() for number in range(24)]
    expected = [projection(x) for x in inputs]

    def often(number: int) -> bool:
        torch.set_num_threads(1 + number % 4)
        return all(torch.equal(projection(inputs[number]), expected[number]) for _ in range(200))

    with ThreadPoolExecutor(6) as callers:
        assert all(callers.map(often, range(24)))
