"""The kernel for many rows: the same weights, and a row's result whatever rows come with it."""

from __future__ import annotations

import pytest
import torch

from npc_sdk.engine.local import int4_wide
from npc_sdk.engine.local.int4 import Int4Linear, dequantize_rows, quantize_rows
from npc_sdk.engine.local.layers import FloatLinear

CPU = torch.device("cpu")
needs_wide = pytest.mark.skipif(not int4_wide.is_available(), reason="this CPU packs int4 weights otherwise")


def _random(rows: int, columns: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 0.05


def _linear(rows: int, columns: int, dtype: torch.dtype = torch.bfloat16) -> tuple[Int4Linear, torch.Tensor]:
    """A packed linear with a bias, and the weights that it stands for."""
    plain = quantize_rows(_random(rows, columns, 1), 64)
    weight = dequantize_rows(plain)
    return Int4Linear.pack(plain, rows, torch.full((rows,), 0.5, dtype=dtype), device=CPU, dtype=dtype), weight


@needs_wide
@pytest.mark.parametrize("rows", [64, 192, 1088], ids=["one tile", "some", "more than are restored at once"])
def test_it_computes_with_the_dequantized_weights(rows: int) -> None:
    linear, weight = _linear(rows, 128)
    x = _random(70, 128, 2).bfloat16()
    expected = x.float() @ weight.t() + 0.5
    assert (linear(x, wide_rows=70).float() - expected).abs().max() <= 1e-2 * expected.abs().max()


@needs_wide
@pytest.mark.parametrize("wide_rows", [1, 3, 64, 90])
def test_a_row_has_one_result_for_each_kernel(wide_rows: int) -> None:
    linear, _ = _linear(192, 256)
    x = _random(100, 256, 2).bfloat16()
    wide, narrow = linear(x, wide_rows=100), linear(x)
    assert not torch.equal(wide, narrow)  # or the block's key need not tell them apart
    mixed = linear(x, wide_rows=wide_rows)
    assert torch.equal(mixed[:wide_rows], wide[:wide_rows])
    assert torch.equal(mixed[wide_rows:], narrow[wide_rows:])


@pytest.mark.parametrize(
    ("rows", "dtype"), [(96, torch.bfloat16), (128, torch.float32)], ids=["half a tile", "another type"]
)
def test_what_does_not_fit_takes_the_int4_kernel(rows: int, dtype: torch.dtype) -> None:
    linear, _ = _linear(rows, 128, dtype)
    x = _random(80, 128, 2).to(dtype)
    assert not linear.has_wide
    assert torch.equal(linear(x, wide_rows=64), linear(x))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_unquantized_rows_do_not_depend_on_their_number_either(dtype: torch.dtype, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        linear = FloatLinear(_random(192, 128, 1).to(dtype))
        x = _random(300, 128, 2).to(dtype)
        whole = linear(x)
        differing = [rows for rows in (*range(1, 70), 128, 129, 255) if not torch.equal(linear(x[:rows]), whole[:rows])]
    finally:
        torch.set_num_threads(before)
    assert differing == []
