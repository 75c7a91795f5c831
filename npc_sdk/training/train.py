"""The training loop: fresh dialogues for some minutes, checkpoints on the way, quantization noise at the end.

Run as ``python -m npc_sdk.training.train OUT --minutes 90``; a second call goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import nn

from npc_sdk.training.batch import Batch, Diet, Encoder, batches
from npc_sdk.training.model import Shape, SmallNemotron, export, save_checkpoint
from npc_sdk.training.tokenizer import train_tokenizer


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to learn. Units: minutes of wall-clock time; batch_tokens in tokens."""

    minutes: float = 90.0
    batch_tokens: int = 6144
    matrix_rate: float = 3e-3
    other_rate: float = 3e-3
    seed: int = 0
    noise_from: float = 0.8

    def diet(self, done: float) -> Diet:
        """Short texts first, because copying is learned sooner on them; long ones last. done runs from 0 to 1."""
        if done < 0.12:
            return Diet(self.batch_tokens, 512, 3, 0.4, 0.5)
        if done < 0.4:
            return Diet(self.batch_tokens, 640, 4, 0.1, 0.5, 0.2)
        if done < 0.75:
            return Diet(self.batch_tokens, 768, 5, 0.05, 0.15, 0.5)
        return Diet(self.batch_tokens, 1600, 10, 0.05, 0.3, 0.35)

    def rate(self, done: float, step: int) -> float:
        """A factor on the learning rates: a short rise, level, then down to a twentieth over the last 45 %."""
        return min(1.0, (step + 1) / 100) * min(1.0, 0.05 + 0.95 * (1 - done) / 0.45)


class Trainer:
    """Owns the model, its two optimizers (Muon for matrices, AdamW for the rest) and the clock."""

    def __init__(self, out: Path, plan: Plan, shape: Shape, device: str, *, is_compiled: bool = False) -> None:
        self.out, self.plan, self.device = out, plan, device
        torch.manual_seed(plan.seed)
        self.model = SmallNemotron(shape).to(device)
        losses = self.model.losses
        self.losses = torch.compile(losses, dynamic=True) if is_compiled else losses
        self.tokenizer = self._tokenizer(shape.vocabulary)
        matrices = [p for b in self.model.blocks for p in b.parameters() if p.ndim == 2]
        known = {id(p) for p in matrices}
        rest = [p for p in self.model.parameters() if id(p) not in known]
        self.optimizers: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(matrices, lr=plan.matrix_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(rest, lr=plan.other_rate, betas=(0.9, 0.95), weight_decay=0.0),
        )
        self.rates = (plan.matrix_rate, plan.other_rate)
        self.step = self.tokens = 0
        self.spent_s = 0.0
        self.is_noisy = False
        self._resume()

    def run(self) -> None:
        """Trains until the minutes are spent, then exports the model."""
        encoder, rng = Encoder(self.tokenizer), Random(f"{self.plan.seed}/{self.step}")
        started = saved = time.monotonic()
        before_s = self.spent_s
        while self.done < 1:
            diet = self.plan.diet(self.done)
            diet = dataclasses.replace(diet, longest=min(diet.longest, self.model.shape.window))
            for batch in batches(encoder, rng, diet):
                loss = self._learn(batch)
                self.spent_s = before_s + time.monotonic() - started
                if self.step % 50 == 0:
                    self._report(loss)
                if time.monotonic() - saved > 120:
                    self._save()
                    saved = time.monotonic()
                if self.done >= 1:
                    break
        self._save()
        export(self.model, self.out)

    @property
    def done(self) -> float:
        """How much of the time is spent, from 0 to 1."""
        return self.spent_s / (self.plan.minutes * 60)

    def _learn(self, batch: Batch) -> float:
        """One step. Mutates: the model, the optimizers, the counters."""
        if self.done >= self.plan.noise_from and not self.is_noisy:
            self.model.add_noise()
            self.is_noisy = True
        for optimizer, rate in zip(self.optimizers, self.rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * self.plan.rate(self.done, self.step)
        ids, targets, weights = (t.to(self.device) for t in (batch.ids, batch.targets, batch.weights))
        with torch.autocast(self.device, dtype=torch.bfloat16):
            each = self.losses(ids, targets)
        loss = (each * weights.flatten()).sum() / weights.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += batch.ids.numel()
        is_answer = weights.flatten() == 1
        return float((each.detach() * is_answer).sum() / is_answer.sum().clamp_min(1))

    def _save(self) -> None:
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        save_checkpoint(
            self.model,
            self.out / "last.pt",
            optimizers=optimizers,
            step=self.step,
            tokens=self.tokens,
            spent_s=self.spent_s,
        )

    def _resume(self) -> None:
        path = self.out / "last.pt"
        if not path.is_file():
            return
        state = torch.load(path, weights_only=True, map_location=self.device)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.tokens, self.spent_s = state["step"], state["tokens"], state["spent_s"]

    def _report(self, loss: float) -> None:
        line = {
            "step": self.step,
            "tokens": self.tokens,
            "minutes": round(self.spent_s / 60, 2),
            "answer_loss": round(loss, 4),
        }
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def _tokenizer(self, vocabulary: int) -> Tokenizer:
        path = self.out / "tokenizer.json"
        return Tokenizer.from_file(str(path)) if path.is_file() else train_tokenizer(self.out, vocabulary=vocabulary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--vocabulary", type=int, default=1536)
    parser.add_argument("--matrix-rate", type=float, default=3e-3)
    parser.add_argument("--batch-tokens", type=int, default=6144)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="torch.compile; needs a C++ compiler")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    shape = Shape(
        vocabulary=chosen.vocabulary, hidden=chosen.hidden, layers=chosen.layers, feed_forward=4 * chosen.hidden
    )
    plan = Plan(chosen.minutes, chosen.batch_tokens, chosen.matrix_rate, seed=chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    Trainer(chosen.out, plan, shape, chosen.device, is_compiled=chosen.compile).run()


if __name__ == "__main__":
    main()
