"""Four-bit rows: the codes, the kernels over them, and how close they stay to the weights."""

from __future__ import annotations

import pytest
import torch

from npc_sdk.engine.local import int4
from npc_sdk.engine.local.int4 import Int4Linear, Int4Rows, dequantize_rows, fitting_group_size, quantize_rows
from npc_sdk.errors import ModelFormatError

CPU = torch.device("cpu")


def _weight(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 0.05


def _padded(plain: Int4Rows) -> Int4Rows:
    extra = int4.padded_rows(plain.codes.shape[0]) - plain.codes.shape[0]
    parts = [torch.nn.functional.pad(part, (0, 0, 0, extra)) for part in (plain.codes, plain.scale, plain.zero)]
    return Int4Rows(*(part.clone() for part in parts))


def test_nibbles_are_joined_in_plain_order() -> None:
    codes = torch.tensor([[1, 2, 15, 0]], dtype=torch.uint8)
    joined = int4.join_nibbles(codes)
    assert joined.tolist() == [[0x21, 0x0F]]
    assert int4.split_nibbles(joined).tolist() == codes.tolist()


@pytest.mark.parametrize("group_size", int4.GROUP_SIZES)
def test_quantization_error_is_at_most_a_step(group_size: int) -> None:
    weight = _weight(48, 256)
    plain = quantize_rows(weight, group_size)
    worst = (dequantize_rows(plain) - weight).abs().view(48, -1, group_size).amax(2)
    # Clipping may cut an outlier by a tenth of the range, 1.5 steps of the smaller one, and rounding adds half a step.
    assert bool((worst <= plain.scale.float() * 2.5).all())


def test_the_range_search_lowers_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = _weight(64, 512)
    searched = (dequantize_rows(quantize_rows(weight, 128)) - weight).square().mean()
    monkeypatch.setattr(int4, "CLIP_RATIOS", (1.0,))
    plain = (dequantize_rows(quantize_rows(weight, 128)) - weight).square().mean()
    assert searched < plain * 0.97


def test_groups_without_spread_stay_exact() -> None:
    weight = torch.full((16, 64), 0.5)
    assert torch.equal(dequantize_rows(quantize_rows(weight, 32)), weight)
    assert torch.equal(dequantize_rows(quantize_rows(torch.zeros(16, 64), 32)), torch.zeros(16, 64))


@pytest.mark.parametrize("rows", [16, 40, 64, 1100], ids=["one tile", "padded", "one block", "several blocks, padded"])
@pytest.mark.parametrize("tokens", [1, 3, 40])
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)], ids=["fp32", "bf16"])
def test_the_kernel_computes_with_the_dequantized_weights(
    rows: int, tokens: int, dtype: torch.dtype, limit: float
) -> None:
    plain = quantize_rows(_weight(rows, 192), fitting_group_size(192, 128))
    expected_weight = dequantize_rows(plain)
    bias = _weight(1, rows, seed=2)[0].to(dtype)
    linear = Int4Linear.pack(_padded(plain), rows, bias, device=CPU, dtype=dtype)
    x = _weight(tokens, 192, seed=1).to(dtype)
    expected = x.float() @ expected_weight.t() + bias.float()
    assert linear(x).shape == (tokens, rows)
    assert (linear(x).float() - expected).abs().max() <= limit * expected.abs().max()


@pytest.mark.parametrize(
    ("columns", "wanted", "expected"), [(256, 128, 128), (192, 128, 64), (96, 128, 32), (256, 32, 32), (256, 64, 64)]
)
def test_the_group_falls_back_to_what_divides(columns: int, wanted: int, expected: int) -> None:
    assert fitting_group_size(columns, wanted) == expected


def test_a_width_that_nothing_divides_is_refused() -> None:
    with pytest.raises(ModelFormatError, match="width 80"):
        fitting_group_size(80, 128)


def test_embedding_rows_keep_eight_bits() -> None:
    weight = _weight(20, 64)
    codes, scale = int4.quantize_embedding(weight)
    assert (codes.float() * scale[:, None] - weight).abs().max() <= scale.max() / 2 + 1e-7


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("columns", [192, 512])
def test_the_cuda_kernel_computes_with_the_dequantized_weights(columns: int) -> None:
    plain = quantize_rows(_weight(40, columns), fitting_group_size(columns, 128))
    weight = dequantize_rows(plain)
    linear = Int4Linear.pack(_padded(plain), 40, None, device=torch.device("cuda"), dtype=torch.bfloat16)
    x = _weight(5, columns, seed=1).bfloat16()
    expected = x.float() @ weight.t()
    assert (linear(x.cuda()).float().cpu() - expected).abs().max() <= 2e-2 * expected.abs().max()
