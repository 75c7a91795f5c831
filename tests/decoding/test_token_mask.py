"""Grammars over the bundled vocabulary: masks, forced tokens, ends, and grammars that cannot be."""

from __future__ import annotations

import pytest
import torch

from npc_sdk.decoding import token_mask
from npc_sdk.decoding.grammar import constraint_grammar
from npc_sdk.decoding.sampling import TokenSampler
from npc_sdk.decoding.token_mask import MaskCompiler, TokenMask
from npc_sdk.decoding.tool_formats.interface import CallFrame
from npc_sdk.errors import EngineError, RequestError
from npc_sdk.messages import ToolSpec
from npc_sdk.requests import Constraint, Sampling

from .vocabulary import END_ID, VOCAB, HearthVocabulary, token_ids, tokenizer

FRAME = CallFrame(before="<toolcall> ", after=" </toolcall>")
ITEM = {"type": "object", "properties": {"item": {"enum": ["sword", "shield"]}}, "required": ["item"]}
GRAMMAR = constraint_grammar(Constraint((ToolSpec("give_item", "", ITEM),)), FRAME)


@pytest.fixture(scope="module")
def compiler() -> MaskCompiler:
    return MaskCompiler(HearthVocabulary(), [END_ID])


def written(mask: TokenMask, seed: int, most: int = 400) -> tuple[list[int], int]:
    """A run of random weights to its end, and how many of its tokens were drawn."""
    generator = torch.Generator().manual_seed(seed)
    sampler = TokenSampler(Sampling(temperature=1.0, top_p=1.0, seed=seed))
    ids, drawn = mask.begin(), 0
    while not mask.is_complete and len(ids) < most:
        token = sampler.choose(torch.randn(VOCAB, generator=generator), ids, mask)
        drawn += 1
        if token == END_ID:
            break
        ids += [token, *mask.take(token)]
    return ids, drawn


def test_a_masked_token_is_never_drawn(compiler: MaskCompiler) -> None:
    mask = compiler.start(GRAMMAR)
    scores = mask.apply(torch.zeros(VOCAB))
    assert scores[END_ID] == 0
    assert scores[token_ids("{")[0]] == -torch.inf
    assert 0 < int(scores.isfinite().sum()) < VOCAB


def test_rows_behind_the_vocabulary_are_never_drawn(compiler: MaskCompiler) -> None:
    scores = compiler.start(GRAMMAR).apply(torch.zeros(VOCAB + 64))
    assert len(scores) == VOCAB + 64
    assert not scores[VOCAB:].isfinite().any()


def test_forced_tokens_come_with_the_one_before_them(compiler: MaskCompiler) -> None:
    mask = compiler.start(GRAMMAR)
    ids = token_ids("<toolcall> ")
    forced = [forced for token in ids for forced in mask.take(token)]
    text = tokenizer().decode([*ids, *forced])
    assert text.startswith('<toolcall> {"name": "give_item", "arguments": {"item": "')
    assert not mask.is_accepting


def test_without_fast_forward_nothing_is_forced(compiler: MaskCompiler) -> None:
    mask = compiler.start(GRAMMAR, has_fast_forward=False)
    assert [forced for token in token_ids("<toolcall> ") for forced in mask.take(token)] == []


def test_a_whole_run_is_complete_and_random_weights_always_get_there(compiler: MaskCompiler) -> None:
    grammar = constraint_grammar(Constraint((ToolSpec("give_item", "", ITEM),), "required"), FRAME)
    for seed in range(40):
        mask = compiler.start(grammar)
        ids, drawn = written(mask, seed)
        assert mask.is_complete
        assert tokenizer().decode(ids).endswith("</toolcall>")
        assert drawn < len(ids)


def test_runs_of_one_grammar_do_not_disturb_each_other(compiler: MaskCompiler) -> None:
    first, second = compiler.start(GRAMMAR), compiler.start(GRAMMAR)
    for token in token_ids("<toolcall> "):
        first.take(token)
    assert second.is_accepting
    assert not first.is_accepting


def test_only_so_many_grammars_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_mask, "KEPT_GRAMMARS", 3)
    small = MaskCompiler(HearthVocabulary(), [END_ID])
    for number in range(8):
        small.start(f'start: "a{number}"')
    assert small.kept == 3
    assert small.start('start: "a0"').begin()


def test_a_schema_that_cannot_be_kept_to_is_refused_with_the_reason(compiler: MaskCompiler) -> None:
    grammar = constraint_grammar(Constraint(json_schema={"type": "integer", "minimum": 5, "maximum": 3}), FRAME)
    with pytest.raises(RequestError, match="minimum"):
        compiler.start(grammar)


def test_a_token_that_may_not_come_is_an_error_of_the_engine(compiler: MaskCompiler) -> None:
    mask = compiler.start(GRAMMAR)
    with pytest.raises(EngineError):
        mask.take(token_ids("{")[0])


class Broken(HearthVocabulary):
    def as_json(self) -> str:
        return "{}"


def test_a_vocabulary_that_is_none_is_refused() -> None:
    with pytest.raises(EngineError, match="vocabulary"):
        MaskCompiler(Broken(), [END_ID])


def test_what_masks_cost_is_counted(compiler: MaskCompiler) -> None:
    mask = compiler.start(GRAMMAR)
    mask.apply(torch.zeros(VOCAB))
    assert mask.steps == 1
    assert mask.took_s > 0
