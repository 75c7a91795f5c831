"""The runner under plans that no scheduler would make: any members, chunk and draft, anyone sent away at any step."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as SequenceOf
from functools import cache
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npc_sdk.decoding.detokenize import Detokenizer
from npc_sdk.decoding.token_mask import MaskCompiler
from npc_sdk.engine.local.block_pool import BlockPool
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.loader import load_decoder
from npc_sdk.engine.local.prefix_cache import PrefixCache
from npc_sdk.engine.local.runner import Runner
from npc_sdk.engine.local.sequence import EndRules, Sequence
from npc_sdk.engine.local.speculation import Guess, Speculation
from npc_sdk.requests import GenerateRequest, Sampling

from .checkpoints import VOCAB, build_tokenizer
from .conftest import Zoo
from .prophet import Prophet

WORDS = torch.randint(7, VOCAB - 40, (4, 150), generator=torch.Generator().manual_seed(8)).tolist()
PROMPTS = (
    WORDS[0][:30],
    WORDS[0][:100],
    WORDS[0][:64] + WORDS[1][:40],
    WORDS[0][:64] + WORDS[1][:64] + WORDS[2][:1],
    WORDS[3][:129],
)
NEW_TOKENS = 30
NO_RULES = EndRules(frozenset(), (), frozenset())


class Reckless(Speculation):
    """Drafts as many of the guesses as a die says."""

    def __init__(self, rng: Random) -> None:
        super().__init__(9)
        self._rng = rng

    def share_out(self, guesses: SequenceOf[Guess]) -> list[int]:
        return [self._rng.randint(0, len(guess.ids)) for guess in guesses]


class Table:
    """Sequences over one pool, stepped by hand."""

    def __init__(self, decoder: Decoder, blocks: int, kept_blocks: int) -> None:
        self.drafted = self.accepted = 0
        self.pool = BlockPool(decoder.cache_shape, blocks)
        self.tree = PrefixCache(self.pool, kept_blocks * decoder.cache_shape.block_bytes)
        self.runner = Runner(decoder, self.pool, self.tree)

    def step(self, members: list[Sequence], chunk: int) -> None:
        """Those that find room step; of several prompts, the first."""
        ready: list[Sequence] = []
        for one in members:
            if not one.is_decoding and any(not other.is_decoding for other in ready):
                continue
            if self.runner.admit(one, chunk):
                ready.append(one)
        if not ready:
            return
        for one, logits in zip(ready, self.runner.run(ready, chunk, lambda: None), strict=True):
            if logits is not None:
                self.drafted += len(one.draft)
                self.accepted += one.accept(logits) - 1
            if one.is_done:
                self.runner.release(one)
        self.check([one for one in members if one.lease])

    def check(self, holders: list[Sequence]) -> None:
        """Pool, tree and leases agree."""
        self.tree.check_integrity()
        for one in holders:
            assert one.lease is not None
            one.lease.check_integrity()

    def send_away(self, one: Sequence) -> None:
        self.runner.release(one)
        self.tree.check_integrity()


SAMPLINGS = {
    "greedy": Sampling(temperature=0.0, max_new_tokens=NEW_TOKENS),
    "seeded": Sampling(temperature=0.7, top_p=0.9, repetition_penalty=1.1, seed=5, max_new_tokens=NEW_TOKENS),
    "constrained": Sampling(temperature=1.0, seed=9, max_new_tokens=NEW_TOKENS),
}
GRAMMAR = """start: (WORD call)+
WORD: /[a-z ]{1,6}/
call: "<toolcall>" ("give the traveller" | "take it" | WORD) "</toolcall>"
"""


class Letters:
    """The checkpoints' vocabulary."""

    vocab_size = VOCAB
    _tokenizer = build_tokenizer()

    def as_json(self) -> str:
        return self._tokenizer.to_str()

    def encode_written(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


@cache
def _compiler() -> MaskCompiler:
    return MaskCompiler(Letters(), [2])


def _sequence(prompt: list[int], sampling: str) -> Sequence:
    request = GenerateRequest("r", (), sampling=SAMPLINGS[sampling])
    words = Detokenizer(lambda ids: "x" * len(ids))
    one = Sequence(request, prompt, room=NEW_TOKENS, rules=NO_RULES, detokenizer=words, emit=lambda _item: None)
    if sampling == "constrained":
        one.constrain(_compiler().start(GRAMMAR))
    return one


@pytest.fixture(scope="module")
def decoders(zoo: Zoo) -> Any:
    """By name and type; all closed at the end."""
    loaded = {
        (name, dtype): load_decoder(folder, device="cpu", dtype=dtype)
        for name, folder in (("int4", zoo.int4("nemotron")[0]), ("float", zoo.full("qwen2")[0]))
        for dtype in ("float32", "bfloat16")
    }
    yield loaded
    for decoder in loaded.values():
        decoder.close()


@pytest.fixture(scope="module")
def alone() -> Callable[[Decoder, int, str], list[int]]:
    """What a prompt gets with nobody beside it, in one chunk, without drafts; each asked for once."""
    known: dict[tuple[int, int, str], list[int]] = {}

    def ask(decoder: Decoder, prompt: int, sampling: str) -> list[int]:
        key = id(decoder), prompt, sampling
        if key not in known:
            one = _sequence(PROMPTS[prompt], sampling)
            table = Table(decoder, 4, 0)
            while not one.is_done:
                table.step([one], 10_000)
            known[key] = one.tokens
        return known[key]

    return ask


def test_a_step_in_which_others_ran_is_not_timed(
    decoders: dict[tuple[str, str], Decoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[tuple[int, int]] = []
    monkeypatch.setattr(
        Speculation, "note_step", lambda _self, sequences, rows, _took_s: timed.append((sequences, rows))
    )
    table = Table(decoders["float", "float32"], 6, 0)
    first, second, third = (_sequence(PROMPTS[0], "greedy") for _ in range(3))
    for one in (first, second, third):
        table.step([one], 100)
    assert timed == []  # prompts
    table.step([first, second], 100)
    assert timed == [(2, 2)]
    assert all(table.runner.admit(one, 100) for one in (first, second, third))

    def give_way() -> None:
        if len(timed) == 1:
            table.step([third], 100)

    table.runner.run([first, second], 100, give_way)
    assert timed == [(2, 2), (1, 1)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["int4", "float"])
@pytest.mark.parametrize("sampling", SAMPLINGS)
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_plan_changes_a_token(
    decoders: dict[tuple[str, str], Decoder],
    alone: Callable[[Decoder, int, str], list[int]],
    sampling: str,
    name: str,
    dtype: str,
    data: st.DataObject,
) -> None:
    decoder = decoders[name, dtype]
    prompts = data.draw(st.lists(st.integers(0, len(PROMPTS) - 1), min_size=2, max_size=5))
    table = Table(decoder, data.draw(st.sampled_from([6, 9, 30])), data.draw(st.sampled_from([0, 3, 30])))
    live = [_sequence(PROMPTS[prompt], sampling) for prompt in prompts]
    everyone = list(live)
    rng = data.draw(st.randoms(use_true_random=True))
    table.runner._speculation = Reckless(rng)
    expected = [alone(decoder, prompt, sampling) for prompt in prompts]
    for one, prompt, tokens in zip(live, prompts, expected, strict=True):
        one.guesser = Prophet(one.tokens, {tuple(PROMPTS[prompt]): tokens}, rng)
    stuck = 0
    while live:
        members = rng.sample(live, rng.randint(1, len(live)))
        before = [one.new_tokens + (one.lease.length if one.lease else 0) for one in live]
        table.step(members, rng.choice([1, 7, 33, 64, 65, 200]))
        stuck = stuck + 1 if before == [one.new_tokens + (one.lease.length if one.lease else 0) for one in live] else 0
        live = [one for one in live if not one.is_done]
        if live and (stuck > 3 or rng.random() < 0.08):
            table.send_away(rng.choice(live))
    assert [one.tokens for one in everyone] == expected
    assert 0 < table.accepted < table.drafted
    assert table.pool.free_blocks + table.tree.kept_blocks == table.pool.blocks
    table.tree.clear()
    assert table.pool.free_blocks == table.pool.blocks
