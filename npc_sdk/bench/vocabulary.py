"""A stand-in tokenizer of any size, and prompts that every engine reads as the same tokens.

It is the bundled model's with made-up words behind its own; each of them is one token, so that the length of a prompt
can be chosen to the token. Called by store.py and the benches.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npc_sdk.errors import ModelFormatError
from npc_sdk.settings import model_folder

BLANK = "Ġ"  # how byte-level vocabularies write a space
WORD = re.compile(rf"[A-Za-z]+{BLANK}")
COPIED = ("tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True, slots=True)
class Prompt:
    """The same words twice: as text for our engine, as ids for those that are given ids."""

    words: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()

    def __add__(self, other: Prompt) -> Prompt:
        return Prompt(self.words + other.words, self.ids + other.ids)

    def __getitem__(self, cut: slice) -> Prompt:
        return Prompt(self.words[cut], self.ids[cut])

    @property
    def text(self) -> str:
        """The words in a row."""
        return "".join(self.words)


def filler_word(token_id: int) -> str:
    """The made-up word of an id: letters only, so that no tokenizer's pattern cuts it."""
    letters = ""
    while token_id:
        token_id, digit = divmod(token_id, 26)
        letters = string.ascii_lowercase[digit] + letters
    return f"zq{letters}"


def write_tokenizer(folder: Path, vocab: int) -> None:
    """Writes tokenizer.json of so many tokens with its settings. Raises: ModelFormatError for fewer than it has."""
    source = model_folder("hearth")
    content = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    words: dict[str, int] = content["model"]["vocab"]
    own = max(words.values()) + 1
    if vocab < own:
        raise ModelFormatError(f"a vocabulary of {vocab} is too small", hint=f"the stand-in begins at {own} tokens")
    words.update({filler_word(index) + BLANK: index for index in range(own, vocab)})
    content["model"]["ignore_merges"] = True  # a word of the vocabulary is taken whole, without merges that lead to it
    # Words alone: the bundled model's own pattern keeps <names> whole, and taken whole they would be control tokens.
    content["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": r"\p{L}+ ?|[^\p{L}]"}
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    for name in COPIED:
        shutil.copyfile(source / name, folder / name)


class Words:
    """The words of a folder's tokenizer that are one token each."""

    def __init__(self, folder: Path) -> None:
        vocab = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        self._texts = {index: word[:-1] + " " for word, index in vocab.items() if WORD.fullmatch(word)}
        self._ids: Sequence[int] = sorted(self._texts)

    def draw(self, rng: random.Random, count: int) -> Prompt:
        """So many words at random."""
        ids = tuple(rng.choices(self._ids, k=count))
        return Prompt(tuple(self._texts[index] for index in ids), ids)
