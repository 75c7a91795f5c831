"""Batches of generated dialogues, cut to a length and sorted so that little padding is computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from npc_sdk.training.dialogue import make_dialogue, make_rehearsal
from npc_sdk.training.drill import make_drill
from npc_sdk.training.piece import Piece

PAD_ID = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Shapes: all (rows, tokens). weights is 0 on padding."""

    ids: Tensor
    targets: Tensor
    weights: Tensor


class Encoder:
    """Turns pieces into ids the way the engine does: segment by segment, with special tokens only in trusted text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._trusted = tokenizer
        self._plain = Tokenizer.from_str(tokenizer.to_str())
        self._plain.encode_special_tokens = True

    def encode(self, pieces: list[Piece], longest: int, prompt_weight: float = 0.0) -> tuple[list[int], list[float]]:
        """Ids and weights, cut at longest. An answer is closed by the token that opens the next turn."""
        ids: list[int] = []
        weights: list[float] = []
        stop = self._trusted.token_to_id("<extra_id_1>")
        assert stop is not None
        for piece in pieces:
            weight = 1.0 if piece.is_answer else prompt_weight
            for segment in piece.segments:
                tokenizer = self._trusted if segment.is_trusted else self._plain
                part = tokenizer.encode(segment.text, add_special_tokens=False).ids
                if ids and part and part[0] == stop and weights[-1] == 1.0:
                    ids.append(part.pop(0))
                    weights.append(1.0)
                ids += part
                weights += [weight] * len(part)
        if weights[-1] == 1.0:
            ids.append(stop)
            weights.append(1.0)
        return ids[:longest], weights[:longest]


@dataclass(frozen=True, slots=True)
class Diet:
    """What the batches are made of at one stage of training.

    Units: tokens is the size of a batch with its padding, longest cuts a dialogue; exchanges is the most it may have.
    prompt_weight is the share of loss on prompts, which are mostly noise to predict but teach words and copying;
    drills is the share of texts that are exercises in copying, rehearsals of those that are a still moment.
    """

    tokens: int
    longest: int
    exchanges: int
    prompt_weight: float
    drills: float = 0.0
    rehearsals: float = 0.0


def batches(encoder: Encoder, rng: Random, diet: Diet, *, pool: int = 160) -> Iterator[Batch]:
    """The batches of one pool of fresh dialogues, in random order."""
    rows = [encoder.encode(_text(rng, diet), diet.longest, diet.prompt_weight) for _ in range(pool)]
    rows.sort(key=lambda row: len(row[0]))
    ready: list[Batch] = []
    while rows:
        width = _rounded(len(rows[-1][0]))
        count = max(1, diet.tokens // width)
        ready.append(_batch(rows[-count:], width))
        del rows[-count:]
    rng.shuffle(ready)
    yield from ready


def _text(rng: Random, diet: Diet) -> list[Piece]:
    roll = rng.random()
    if roll < diet.drills:
        return make_drill(rng)
    if roll < diet.drills + diet.rehearsals:
        return make_rehearsal(rng)
    return make_dialogue(rng, longest=diet.exchanges)


def _rounded(length: int, step: int = 64) -> int:
    """Widths in steps: memory is reused better where shapes repeat."""
    return -(-length // step) * step + 1


def _batch(rows: list[tuple[list[int], list[float]]], width: int) -> Batch:
    ids = torch.full((len(rows), width), PAD_ID)
    weights = torch.zeros((len(rows), width))
    for at, (row, weight) in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row)
        weights[at, : len(row)] = torch.tensor(weight)
    return Batch(ids[:, :-1], ids[:, 1:].contiguous(), weights[:, 1:].contiguous())
