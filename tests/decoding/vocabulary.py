"""The bundled model's vocabulary under a grammar, walked text by text."""

from __future__ import annotations

from functools import cache

import llguidance
from tokenizers import Tokenizer

from npc_sdk.settings import model_folder

VOCAB = 1536
END_ID = 3


@cache
def tokenizer_json() -> str:
    """As the engine gives it: only control tokens are special."""
    return (model_folder("hearth") / "tokenizer.json").read_text(encoding="utf-8")


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.from_str(tokenizer_json())


@cache
def vocabulary() -> llguidance.LLTokenizer:
    return llguidance.LLTokenizer(tokenizer_json(), n_vocab=VOCAB, eos_token=[END_ID])


class HearthVocabulary:
    """As the engine's tokenizer gives it."""

    vocab_size = VOCAB

    def as_json(self) -> str:
        return tokenizer_json()

    def encode_written(self, text: str) -> list[int]:
        return token_ids(text)


def token_ids(text: str) -> list[int]:
    ids: list[int] = tokenizer().encode(text, add_special_tokens=False).ids
    return ids


def accepts(grammar: str, text: str) -> bool:
    """Whether the whole of a text may be written, and nothing more need be."""
    matcher = llguidance.LLMatcher(vocabulary(), grammar, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    ids = token_ids(text)
    return matcher.try_consume_tokens(ids) == len(ids) and bool(matcher.is_accepting())
