"""Guesses how a reply goes on from what stands before it, and how many guesses are worth putting into a step.

Lore, names and calls are copied often: the last words' last occurrence tells what may come next. Knows neither the
model nor sampling; sequence.py holds a Guesser, runner.py asks Speculation and measures for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

# Seven and the token before them are two tiles of the int4 kernel, which restores a weight once for every four rows. On
# the shipped model, one stream about lore: 1.72 times the speed without for 3, 1.78 for 7, 1.77 for 11.
DRAFT_TOKENS = 7
LOOKUPS = (3, 2, 1)  # tokens that a guess goes by, the surest first
# How likely the next token is the guessed one after 1, 2, 3 and more tokens in common, before a reply has shown its
# own. The shipped model's are 0.4, 0.5, 0.7 and 0.9 where it tells lore, and end at 0.6 in chatter.
FIRST_RATES = (0.2, 0.4, 0.6, 0.8)
RATE_WEIGHT = 0.1  # of the latest guess in a rate
LEAST_GAIN = 1.03  # expected; below it, a draft is not worth the risk of a time measured wrongly
KEPT_TIMES = 5
STALE_STEPS = 256  # after so many steps, a time that was not measured again is forgotten, and so tried again
TRIED_ROWS = 4  # beyond the longest step measured: what a first try may cost stays small


@dataclass(frozen=True, slots=True)
class Guess:
    """Tokens that may come next. hopes: for each, how likely it and all before it are right; they never rise."""

    ids: tuple[int, ...] = ()
    hopes: tuple[float, ...] = ()


NO_GUESS = Guess()


class Guesser:
    """One reply's guesses, and how often they came true. tokens is read only, and may grow from guess to guess."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = tokens
        self._next: dict[tuple[int, ...], int] = {}  # where it went on after some tokens, the last time
        self._indexed = 1  # positions before it are in _next
        self._rates = list(FIRST_RATES)
        self._guess = NO_GUESS
        self._matched = 0  # tokens in common before the guess

    def guess(self, most: int) -> Guess:
        """At most so many tokens; none where the last token is new. Mutates: the index."""
        self._guess = NO_GUESS
        self._index()
        tokens = self._tokens
        at = next((at for count in LOOKUPS if (at := self._next.get(tuple(tokens[-count:])))), None)
        if at is not None and most > 0:
            self._matched = self._common(at)
            period = len(tokens) - at  # what runs up to the end is guessed to begin again
            ids = tuple(tokens[at + offset % period] for offset in range(most))
            self._guess = Guess(ids, self._hopes(most))
        return self._guess

    def note(self, drawn: Sequence[int]) -> None:
        """Learns from what came instead of the last guess, whether or not it was put into a step. Mutates: rates."""
        guess, self._guess = self._guess, NO_GUESS
        for offset, (guessed, token) in enumerate(zip(guess.ids, drawn, strict=False)):
            place = self._place(offset)
            self._rates[place] += RATE_WEIGHT * ((guessed == token) - self._rates[place])
            if guessed != token:
                return

    def _index(self) -> None:
        """Takes in the tokens since the last time. Mutates: the index."""
        tokens, last = self._tokens, len(self._tokens)
        for count in LOOKUPS:
            first = max(count, self._indexed)
            new = tokens[first - count : last - 1]
            words = zip(*(new[column:] for column in range(count)), strict=False)
            self._next.update(zip(words, range(first, last), strict=False))
        self._indexed = last

    def _common(self, at: int) -> int:
        """How many tokens before a position are also the last ones, as far as the rates tell them apart."""
        tokens, count = self._tokens, 1
        while count < min(len(self._rates), at) and tokens[at - 1 - count] == tokens[-1 - count]:
            count += 1
        return count

    def _hopes(self, most: int) -> tuple[float, ...]:
        """Of a guess after _matched tokens: each token that comes true is one more in common."""
        hopes, hope = [], 1.0
        for offset in range(most):
            hope *= self._rates[self._place(offset)]
            hopes.append(hope)
        return tuple(hopes)

    def _place(self, offset: int) -> int:
        """Of the rate that the guess's token at an offset goes by."""
        return min(self._matched + offset, len(self._rates)) - 1


class StepTimes:
    """How long steps take by their rows: medians of the latest few. Units: seconds."""

    def __init__(self) -> None:
        self._latest: dict[int, deque[float]] = {}
        self._measured_at: dict[int, int] = {}
        self._medians: dict[int, float] = {}
        self._steps = 0

    def note(self, rows: int, took_s: float) -> None:
        """Counts a step. Mutates: forgets what was measured too long ago."""
        self._steps += 1
        latest = self._latest.setdefault(rows, deque(maxlen=KEPT_TIMES))
        latest.append(took_s)
        self._medians[rows] = sorted(latest)[len(latest) // 2]
        self._measured_at[rows] = self._steps
        for stale in [rows for rows, at in self._measured_at.items() if self._steps - at > STALE_STEPS]:
            del self._latest[stale], self._measured_at[stale], self._medians[stale]

    def curve(self, first: int, last: int) -> list[float]:
        """Expected for first to last rows, or fewer: as far as is known or should be tried. Empty without the first.

        What lies between two that were measured lies on a line; what lies beyond is hoped to cost nothing more.
        """
        if first not in self._medians:
            return []
        known = sorted(self._medians)
        return [self._expected(rows, known) for rows in range(first, min(last, known[-1] + TRIED_ROWS) + 1)]

    def _expected(self, rows: int, known: Sequence[int]) -> float:
        """known: the rows measured, sorted, of which the first is not above rows."""
        if rows in self._medians or rows > known[-1]:
            return self._medians[min(rows, known[-1])]
        above = bisect_left(known, rows)
        left, right = known[above - 1], known[above]
        share = (rows - left) / (right - left)
        return self._medians[left] + share * (self._medians[right] - self._medians[left])


class Speculation:
    """Chooses the guesses that make a step's tokens come faster. most: tokens of one guess; 0 switches it off."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._times: dict[int, StepTimes] = {}  # by sequences: each has an attention of its own, whatever its rows

    def note_step(self, sequences: int, rows: int, took_s: float) -> None:
        """Counts a step in which nobody's prompt was."""
        self._times.setdefault(sequences, StepTimes()).note(rows, took_s)

    def share_out(self, guesses: Sequence[Guess]) -> list[int]:
        """How many tokens of each guess to put into a step of these sequences: those with the most tokens a second."""
        hopes = sorted(((hope, at) for at, guess in enumerate(guesses) for hope in guess.hopes), reverse=True)
        times = self._curve(len(guesses), len(hopes)) if hopes else []
        if not times:
            return [0] * len(guesses)
        expected, taken = float(len(guesses)), 0
        best = LEAST_GAIN * expected / times[0]
        for count, ((hope, _), time_s) in enumerate(zip(hopes, times[1:], strict=False), 1):
            expected += hope
            if expected / time_s > best:
                best, taken = expected / time_s, count
        counts = Counter(at for _, at in hopes[:taken])
        return [counts[at] for at in range(len(guesses))]

    def _curve(self, sequences: int, drafted: int) -> list[float]:
        """Expected times of a step with 0, 1, … guessed tokens."""
        times = self._times.get(sequences)
        return times.curve(sequences, sequences + drafted) if times else []
