"""Trains the demonstration model's own byte-level BPE on generated dialogues.

Words keep the space that follows them instead of the one before, and digits stand alone: so a name is cut into the same
tokens in a list, in speech and inside JSON, and a small model can copy it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from npc_sdk.training.dialogue import make_dialogue
from npc_sdk.training.piece import plain_text

SPECIAL = ("<unk>", "<pad>", "<s>", "</s>", *(f"<extra_id_{index}>" for index in range(10)), "<image>")
# JSON that every tool declaration repeats is one token each, which shortens prompts by a third.
_GLUE = (
    r'\{"name": "', r'", "description": "', r'\.?", "parameters": \{"type": "object", "properties": \{',
    r'": \{"type": "string"\}',
    r'": \{"type": "integer"\}', r'\}, "required": \["', r'\}, "required": \[\]\}\}', r'"\]\}\}',
    r'", "arguments": \{"',
    r'", "arguments": \{\}\}', r'": "', r'": ', r'"\}\}', r'\}\}', r'\{"status": "', r'", "result": \{"', r'\.?"\}\}',
    r'", "reason": "',
    r'\."\}', r'", "', r'", ',
)  # fmt: skip
_PATTERN = "|".join((*_GLUE, r"</?[a-z_]+> ?", r"'?\p{L}+ ?", r"\p{N}", r"\n+", r"[^\s\p{L}\p{N}]+ ?", r"\s"))

# Equal in what it renders to the template that Nemotron-Mini-4B-Instruct ships; written anew.
CHAT_TEMPLATE = """\
{%- set ns = namespace(system='') -%}
{%- for m in messages if m.role == 'system' %}{% set ns.system = ns.system + '\\n' + (m.content | trim) %}{% endfor -%}
{{- '<extra_id_0>System' + ns.system -}}
{%- if ns.system and (tools or contexts) %}{{ '\\n' }}{% endif -%}
{%- for tool in tools or [] %}{{ '\\n<tool> ' + (tool | tojson) + ' </tool>' }}{% endfor -%}
{%- if tools and contexts %}{{ '\\n' }}{% endif -%}
{%- for c in contexts or [] %}{{ '\\n<context> ' + (c | trim) + ' </context>' }}{% endfor -%}
{{- '\\n\\n' -}}
{%- for m in messages if m.role in ('user', 'assistant', 'tool') -%}
{{- '<extra_id_1>' + (m.role | capitalize) + '\\n' + (m.content | trim) + '\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<extra_id_1>Assistant\\n' }}{% endif -%}
"""


def _texts(seed: int, count: int) -> Iterator[str]:
    rng = Random(seed)
    for _ in range(count):
        yield plain_text(make_dialogue(rng))


def train_tokenizer(out: Path, *, vocabulary: int, dialogues: int = 6000, seed: int = 1) -> Tokenizer:
    """Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json to out."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_PATTERN), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(text, special=True, normalized=False) for text in SPECIAL]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        max_token_length=64,
    )
    tokenizer.train_from_iterator(_texts(seed, dialogues), trainer)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 2048,
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
        **tokens,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (out / "special_tokens_map.json").write_text(json.dumps(tokens, indent=2) + "\n", encoding="utf-8")
    return tokenizer
