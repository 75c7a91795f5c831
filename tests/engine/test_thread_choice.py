"""Thread counts chosen from step times that follow a rule of the test's, and what the choice must not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F

from npc_sdk.engine.local.int4 import Int4Linear, quantize_rows
from npc_sdk.engine.local.thread_choice import (
    LAST_TRIAL_BELOW_MOST,
    LAST_TRIAL_STEPS,
    SAMPLES,
    TRIAL_STEPS,
    ThreadChoice,
)

Cost = Callable[[int], float]


def run(
    choice: ThreadChoice, steps: int, cost: Cost, *, rows: int = 1, limit: int = 64, idle: float | None = None
) -> list[int]:
    """The counts of some steps that cost what cost says, while so many cores were seen idle."""
    counts = []
    for _ in range(steps):
        counts.append(choice.threads(rows, limit))
        choice.note(rows, counts[-1], cost(counts[-1]), idle)
    return counts


def shared_work(threads: int) -> float:
    """A large model on a quiet machine."""
    return 1 / threads


def waking_costs_more(threads: int) -> float:
    """A small model: each further thread only delays it."""
    return 1.0 * threads


def three_is_best(threads: int) -> float:
    return 1 + abs(threads - 3)


def test_the_faster_count_is_found_within_a_few_words() -> None:
    counts = run(ThreadChoice(2), 2 * TRIAL_STEPS, waking_costs_more)
    assert counts[:TRIAL_STEPS] == [2] * TRIAL_STEPS
    assert counts[-20:].count(1) >= 20 - SAMPLES - 1


def test_what_is_good_is_kept_and_tried_ever_more_seldom() -> None:
    counts = run(ThreadChoice(2), 10_000, shared_work)
    trials = sum(count == 1 for count in counts)
    assert trials < 0.01 * len(counts)
    assert 1 in counts[-2 * LAST_TRIAL_STEPS :], "it must notice when things change"


@pytest.mark.parametrize("most", [4, 8, 16])
def test_a_count_in_between_is_climbed_to(most: int) -> None:
    counts = run(ThreadChoice(most), 2000, three_is_best)
    assert counts[-100:].count(3) > 80


def test_a_core_that_becomes_busy_is_noticed_at_once_and_so_is_its_end() -> None:
    choice = ThreadChoice(2)
    run(choice, 3000, shared_work)
    counts = run(choice, 60, lambda threads: 4.0 if threads == 2 else 1.0)
    assert counts[-40:].count(1) > 32
    assert run(choice, LAST_TRIAL_STEPS, shared_work)[-40:].count(2) > 32


def contested(threads: int) -> float:
    """A core is taken by somebody else: whoever waits for a thread on it waits long."""
    return 4.0 if threads == 2 else 1.0


def test_a_core_that_is_seen_idle_is_taken_within_a_few_steps() -> None:
    choice = ThreadChoice(2)
    run(choice, 400, contested, idle=0.0)
    assert choice.threads(1, 2) == 1
    counts = run(choice, 3 * SAMPLES + 2, shared_work, idle=0.95)
    assert counts.index(2) <= SAMPLES
    assert counts[-SAMPLES:] == [2] * SAMPLES


def test_no_second_thread_is_tried_while_all_cores_are_seen_busy() -> None:
    choice = ThreadChoice(2)
    run(choice, 60, contested, idle=0.0)
    assert run(choice, 2000, contested, idle=0.1) == [1] * 2000


def test_an_idle_core_that_does_not_help_is_tried_ever_more_seldom() -> None:
    choice = ThreadChoice(2)
    counts = run(choice, 4000, waking_costs_more, idle=1.0)
    assert counts[-1000:].count(2) < 0.06 * 1000


def test_each_kind_of_step_has_its_own() -> None:
    choice = ThreadChoice(2)
    for _ in range(400):
        run(choice, 1, waking_costs_more, rows=1)
        run(choice, 1, lambda threads: 190 * shared_work(threads), rows=190)
    assert (choice.threads(1, 2), choice.threads(190, 2)) == (1, 2)


def test_prompts_chunks_are_compared_by_the_row() -> None:
    choice = ThreadChoice(2)
    for step in range(300):
        rows = (130, 250)[step % 2]
        run(choice, 1, lambda threads, rows=rows: rows * shared_work(threads), rows=rows)  # type: ignore[misc]
    assert choice.threads(192, 2) == 2


def test_a_limit_is_kept_and_teaches_nothing() -> None:
    choice = ThreadChoice(2)
    assert set(run(choice, 100, waking_costs_more, limit=1)) == {1}
    assert choice.threads(1, 2) == 2
    assert run(choice, 5, shared_work, limit=0) == [1] * 5


def test_one_thread_leaves_no_choice() -> None:
    assert set(run(ThreadChoice(1), 200, shared_work)) == {1}


@pytest.fixture
def _threads_restored() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads_restored")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 63, 64, 130])
def test_int4_products_and_attention_do_not_depend_on_the_count(rows: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(640, 512, generator=generator)
    x = torch.randn(rows, 512, generator=generator).to(dtype)
    keys = torch.randn(1, 2, 192, 64, generator=generator).to(dtype)
    query = torch.randn(1, 2, 4 * rows, 64, generator=generator).to(dtype)
    layer = Int4Linear.pack(quantize_rows(weight, 128), 640, None, device=torch.device("cpu"), dtype=dtype)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        wide = rows if rows >= 64 else 0
        results.append((layer(x, wide), F.scaled_dot_product_attention(query, keys, keys)))
    for product, attended in results[1:]:
        assert torch.equal(product, results[0][0])
        assert torch.equal(attended, results[0][1])


def test_the_end_of_a_long_busy_time_is_noticed_within_seconds() -> None:
    choice = ThreadChoice(2)
    run(choice, 200, shared_work)
    assert run(choice, 5000, waking_costs_more)[-LAST_TRIAL_BELOW_MOST:].count(1) > 0.9 * LAST_TRIAL_BELOW_MOST
    after = run(choice, 2 * LAST_TRIAL_BELOW_MOST, lambda threads: 0.6 if threads == 2 else 1.0)
    assert after[-50:].count(2) > 40
