"""One request while the engine works on it: its tokens, its cache, its text on the way out, its clock.

Owned by the model's thread once queued; the asyncio side only sets is_cancelled. Knows no scheduler and no model.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch

from npc_sdk.decoding.detokenize import Detokenizer, StopHolder
from npc_sdk.decoding.sampling import TokenSampler
from npc_sdk.decoding.token_mask import TokenMask
from npc_sdk.engine.interface import Chunk, EngineItem, Generated
from npc_sdk.engine.local.lease import Lease
from npc_sdk.engine.local.speculation import Guesser
from npc_sdk.engine.stats import RequestStats, gaps
from npc_sdk.errors import DeadlineMissed, NpcError, ReplyTimeout
from npc_sdk.events import Timings, Usage
from npc_sdk.requests import GenerateRequest

Finish: TypeAlias = Literal["stop", "length", "cancelled"]
Emit: TypeAlias = Callable[[EngineItem | NpcError], None]
MAX_FORCED_TOKENS = 64  # that are fed in one step beside other replies; more take turns as a prompt does


@dataclass(slots=True)
class Clock:
    """When things happened to a request. Units: seconds of time.perf_counter."""

    arrived: float = field(default_factory=time.perf_counter)
    started: float | None = None
    first_token: float | None = None
    last_token: float | None = None
    prefill_s: float = 0.0
    gaps_s: list[float] = field(default_factory=list)  # between tokens

    def timings(self) -> Timings:
        """The request's times up to now; phases that it never reached are 0, but for the queue that it never left."""
        now = time.perf_counter()
        first = self.first_token
        return Timings(
            queued_s=(now if self.started is None else self.started) - self.arrived,
            prefill_s=self.prefill_s,
            first_token_s=0.0 if first is None else first - self.arrived,
            decode_s=0.0 if first is None or self.last_token is None else self.last_token - first,
            total_s=now - self.arrived,
        )


@dataclass(frozen=True, slots=True)
class EndRules:
    """What ends a reply besides the request's own stop strings, and the ids that are skipped in its text."""

    stop_ids: frozenset[int]
    stop_texts: tuple[str, ...]
    control_ids: frozenset[int]


class Sequence:
    """A request's run. Exactly one terminal item is emitted: finish() and fail() after the first are errors of ours."""

    def __init__(
        self,
        request: GenerateRequest,
        prompt: list[int],
        *,
        room: int,
        rules: EndRules,
        detokenizer: Detokenizer,
        emit: Emit,
        bulk_tokens: int | None = None,
        is_prefill: bool = False,
    ) -> None:
        self.request = request
        self.tokens = list(prompt)  # prompt and reply
        self.prompt_tokens = len(prompt)
        self.bulk_tokens = bulk_tokens  # at the front, those that are read together: all before the player's words
        self.is_prefill = is_prefill  # only the cache is wanted, no reply
        self.guesser = Guesser(self.tokens)
        self.draft: tuple[int, ...] = ()  # guessed tokens that are in the step under way, after the last token
        self.lease: Lease | None = None  # blocks, while it runs
        self.cached_tokens = 0  # of the prompt, found in the prefix cache
        self.seen_tokens = 0  # the most that its own steps have brought its cache to
        self.arrival = 0  # the how-manieth it is, set by the scheduler
        self.clock = Clock()
        self.is_cancelled = False
        self._terminal: Generated | NpcError | None = None
        self.forced_tokens = 0  # of the reply, not drawn: the constraint left no choice
        self._mask: TokenMask | None = None
        self._forced: deque[int] = deque()  # tokens that come next
        self._room = room
        self._limit = min(request.sampling.max_new_tokens, room)
        self._rules = rules
        self._sampler = TokenSampler(request.sampling)
        self._detokenizer = detokenizer
        self._stops = StopHolder((*request.sampling.stop, *rules.stop_texts))
        self._emit = emit

    @property
    def is_done(self) -> bool:
        """Whether the terminal item was sent."""
        return self._terminal is not None

    @property
    def new_tokens(self) -> int:
        """Tokens drawn so far, a stop token included."""
        return len(self.tokens) - self.prompt_tokens

    @property
    def tokens_left(self) -> int:
        """Tokens that the reply may still have."""
        return self._limit - self.new_tokens

    @property
    def pending_tokens(self) -> int:
        """Tokens that the model has yet to see; 1 while it decodes."""
        return len(self.tokens) - (self.lease.length if self.lease else 0)

    @property
    def is_decoding(self) -> bool:
        """Whether it waits for the next token of its reply and nothing else, all of its prompt being computed."""
        if self.lease is None or self.is_prefill:
            return False
        is_past_prompt = self.lease.length >= self.prompt_tokens
        return self.pending_tokens == 1 or (is_past_prompt and self.pending_tokens <= MAX_FORCED_TOKENS)

    @property
    def reusable(self) -> list[int]:
        """The tokens that may come out of the cache: all but the last, whose logits a reply wants."""
        return self.tokens if self.is_prefill else self.tokens[:-1]

    @property
    def start_by(self) -> float:
        """When the first token must be there, infinite where nothing presses. Units: of time.perf_counter."""
        limit = self.request.start_by_s
        is_pressed = limit is not None and self.clock.first_token is None
        return self.clock.arrived + limit if is_pressed and limit is not None else math.inf

    def constrain(self, mask: TokenMask) -> None:
        """Keeps the reply to a grammar, from its first token on. Raises: EngineError."""
        self._mask = mask
        self._forced.extend(mask.begin())

    def lateness(self, now: float) -> NpcError | None:
        """Why a run past its time ends; None for one that is in time."""
        age, whole_s = now - self.clock.arrived, self.request.deadline_s
        if whole_s is not None and age >= whole_s:
            return ReplyTimeout(f"no whole reply within {whole_s:g} s", hint="allow more time or fewer tokens")
        if now >= self.start_by:
            limit_s = self.request.start_by_s
            return DeadlineMissed(f"no first word within {limit_s:g} s", hint="too late to be said; nothing was")
        return None

    def accept(self, logits: torch.Tensor) -> int:
        """Draws a token, and one more for each that is the drafted one, as if none had been; how many.

        Every token is drawn from its own scores by the same generator as without a draft, so that a draft changes
        neither a greedy reply nor a seeded one.

        Shapes: logits (1 + drafted tokens, vocab).
        Mutates: the cache, which keeps what it holds of a drafted token that was drawn.
        """
        before = len(self.tokens)
        for row, drafted in zip(logits, (*self.draft, None), strict=True):
            self._take(self._next(row))
            if self.tokens[-1] != drafted or self.is_done or self.is_cancelled:
                break
            assert self.lease is not None
            self.lease.cache.advance(1)
        drawn = len(self.tokens) - before
        self.guesser.note(self.tokens[before:])
        while self._forced and not self.is_done and not self.is_cancelled:
            self._take(self._next_forced())
        return drawn

    def _next(self, logits: torch.Tensor) -> int:
        """A token: the one that must come, or else one drawn among those that may. Mutates: the mask."""
        if self._forced:
            return self._next_forced()
        token_id = self._sampler.choose(logits, self.tokens, self._mask)
        if self._mask is not None and token_id not in self._rules.stop_ids:
            self._forced.extend(self._mask.take(token_id))
        return token_id

    def _next_forced(self) -> int:
        self.forced_tokens += 1
        return self._forced.popleft()

    def _take(self, token_id: int) -> None:
        """Takes a token in, sends the text that it completes, and finishes where it ends the reply."""
        self._note_token(token_id)
        if token_id in self._rules.stop_ids:
            self.finish("stop")
            return
        if token_id not in self._rules.control_ids:
            self._say(self._detokenizer.feed(token_id))
        if self._stops.is_stopped or self._is_whole:
            self.finish("stop")
        elif self._is_full:
            self.finish("length")

    @property
    def _is_whole(self) -> bool:
        """Whether the constraint allows nothing more."""
        return self._mask is not None and not self._forced and self._mask.is_complete

    @property
    def _is_full(self) -> bool:
        """Whether there is no room for more: a call that has begun is completed past the limit, never past the window.

        Its length is bounded by its grammar.
        """
        if self.tokens_left > 0:
            return False
        is_between = self._mask is None or (not self._forced and self._mask.is_accepting)
        return is_between or self.new_tokens >= self._room

    def finish_prefill(self) -> None:
        """Ends a run that wanted no reply, once the cache holds its whole prompt."""
        if self.is_prefill and not self.is_done and not self.pending_tokens:
            self.finish("stop")

    def finish(self, reason: Finish) -> None:
        """Sends the text held back, then the terminal item."""
        if not self._stops.is_stopped:
            self._say(self._detokenizer.flush())
            held = self._stops.flush()
            if held:
                self._emit(Chunk(held))
        usage = Usage(self.prompt_tokens, self.cached_tokens, self.new_tokens)
        self._end(Generated("stop" if self._stops.is_stopped else reason, usage, self.clock.timings()))

    def fail(self, error: NpcError) -> None:
        """Ends with an error as the terminal item."""
        self._end(error)

    def stats(self) -> RequestStats:
        """The figures of a run that ended."""
        item = self._terminal
        assert item is not None, f"request {self.request.request_id!r} has not ended"
        median_s, longest_s = gaps(self.clock.gaps_s)
        return RequestStats(
            request_id=self.request.request_id,
            end=item.finish_reason if isinstance(item, Generated) else "failed",
            prompt_tokens=self.prompt_tokens,
            reused_tokens=self.cached_tokens,
            new_tokens=self.new_tokens,
            timings=item.timings if isinstance(item, Generated) else self.clock.timings(),
            median_gap_s=median_s,
            longest_gap_s=longest_s,
            forced_tokens=self.forced_tokens,
            mask_s=self._mask.took_s if self._mask else 0.0,
        )

    def _note_token(self, token_id: int) -> None:
        self.tokens.append(token_id)
        now, clock = time.perf_counter(), self.clock
        if clock.first_token is None:
            clock.first_token = now
        if clock.last_token is not None:
            clock.gaps_s.append(now - clock.last_token)
        clock.last_token = now

    def _say(self, text: str) -> None:
        """Sends what can no longer become a stop string."""
        text = self._stops.feed(text)
        if text:
            self._emit(Chunk(text))

    def _end(self, item: Generated | NpcError) -> None:
        assert not self.is_done, f"request {self.request.request_id!r} ended twice"
        self._terminal = item
        self._emit(item)
