"""Vocabularies that begin every text with a blank: forced text must be the very bytes of the grammar."""

from __future__ import annotations

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from npc_sdk.decoding.grammar import constraint_grammar
from npc_sdk.decoding.sampling import TokenSampler
from npc_sdk.decoding.token_mask import MaskCompiler
from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.messages import ToolSpec
from npc_sdk.requests import Constraint, Sampling

END_ID = 2
BLANK = "\u2581"  # how these vocabularies write a space
MERGES = (
    (BLANK, "{"), ("n", "a"), ("na", "m"), ("nam", "e"), ("i", "t"), ("it", "e"), ("ite", "m"), ("{", '"'), ('"', ":"),
    (BLANK, "i"), ("l", "a"), ("la", "m"), ("lam", "p"),
)  # fmt: skip
ITEM = {"type": "object", "properties": {"item": {"enum": ["iron sword", "lamp"]}}, "required": ["item"]}
TOOLS = (ToolSpec("give_item", "", ITEM), ToolSpec("gift", "", ITEM))


class Pieces:
    """Characters, a few words, and a token for each byte."""

    def __init__(self, kind: str) -> None:
        vocab = {name: index for index, name in enumerate(("<unk>", "<s>", "</s>"))}
        singles = [f"<0x{byte:02X}>" for byte in range(256)] + [chr(code) for code in range(33, 127)] + [BLANK]
        for piece in (*singles, *(left + right for left, right in MERGES)):
            vocab.setdefault(piece, len(vocab))
        model = models.BPE(vocab=vocab, merges=list(MERGES), unk_token="<unk>", byte_fallback=True, fuse_unk=True)
        self.tokenizer = Tokenizer(model)
        if kind == "prepended":
            steps = [normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)]
            self.tokenizer.normalizer = normalizers.Sequence(steps)
        else:
            self.tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=kind, split=False)
        steps = [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
        self.tokenizer.decoder = decoders.Sequence(steps)
        self.tokenizer.add_special_tokens([AddedToken(name, special=True) for name in ("<unk>", "<s>", "</s>")])

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.get_vocab_size()

    def as_json(self) -> str:
        return self.tokenizer.to_str()

    def encode_written(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids


@pytest.mark.parametrize("dialect", ["nemotron", "hermes", "llama3", "mistral"])
@pytest.mark.parametrize("kind", ["prepended", "first", "never"])
def test_calls_come_whole(kind: str, dialect: str) -> None:
    pieces = Pieces(kind)
    frame = tool_format(dialect).frame
    compiler = MaskCompiler(pieces, [END_ID])
    for seed in range(8):
        mask = compiler.start(constraint_grammar(Constraint(TOOLS, "required"), frame))
        sampler = TokenSampler(Sampling(temperature=1.0, top_p=1.0, seed=seed))
        generator = torch.Generator().manual_seed(seed)
        ids, drawn = mask.begin(), 0
        while not mask.is_complete:
            token = sampler.choose(torch.randn(pieces.vocab_size, generator=generator), ids, mask)
            ids += [token, *mask.take(token)]
            drawn += 1
        text = pieces.tokenizer.decode(ids)
        assert text.endswith(frame.after + frame.tail)
        assert '{"item": "' in text
        assert drawn < len(ids)
