"""Ahead of the player: the fronts of prompts that are likely to come, computed while there is time.

A guess costs idle time and nothing else: it changes no prompt, and its failures are only logged. Knows engines and
scenes, no conversation. Owned by the world, used by its sessions.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import math
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from npc_sdk.engine.interface import Engine
from npc_sdk.guard.neutralize import first_sign
from npc_sdk.messages import Message
from npc_sdk.requests import PrefillRequest, Priority
from npc_sdk.session.past import Past
from npc_sdk.session.scene import Scene
from npc_sdk.session.words import words_fault

RESTS = 4  # for each second that guesses take the loop, so many pass before the next: it is everybody's loop
SAVED_S = 0.5  # of rest at most is had before it is needed, so that a guess now and then comes at once
MAX_PASSING = 32  # of a guest's guesses that no session owns: as many as it may have sessions over the bridge
_NO_WORDS = "…"  # stands for words that nobody knows yet: it names nothing, so recall takes what was said before

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Guess:
    """What may be asked next: words, as far as they are known, in a conversation that stands at past."""

    scene: Scene
    player: str
    past: Past
    words: str = ""

    def request(self, request_id: str, priority: Priority, *, is_stable_only: bool = False) -> PrefillRequest:
        """The front that a prompt will have if the guess is right; only what never changes, if that is wanted.

        Raises: PromptTooLong, RequestError for words that could not be said.
        """
        scene = self.scene
        if self.words and (fault := words_fault(self.words)):
            raise fault
        draft = scene.draft(Message("user", self.words or _NO_WORDS), player=self.player, past=self.past)
        prompt = scene.compile(draft, reply_tokens=scene.sampling().max_new_tokens)
        stable = prompt.segments[: prompt.stable_segments]
        segments = stable if is_stable_only else prompt.front(certain_chars(self.words))
        return PrefillRequest(
            request_id=request_id,
            segments=segments,
            priority=priority,
            bulk_segments=min(len(segments), prompt.bulk_segments),
            npc_id=scene.npc_id,
        )


@dataclass(frozen=True, slots=True)
class _Wish:
    guess: Guess
    priority: Priority
    is_new: bool
    guest: str
    is_passing: bool

    def after(self, before: _Wish) -> _Wish:
        """This one in the place of one that still waits, and with what was asked of that."""
        priority, is_new = min(self.priority, before.priority), self.is_new or before.is_new
        return dataclasses.replace(self, priority=priority, is_new=is_new)


class _Line:
    """Who waits. Guests take turns; of a guest's owners the highest class comes first, then who waited the longest."""

    def __init__(self) -> None:
        self._guests: dict[str, dict[str, _Wish]] = {}  # whose turn it is comes first

    def __iter__(self) -> Iterator[str]:
        return itertools.chain.from_iterable(self._guests.values())

    def __bool__(self) -> bool:
        return bool(self._guests)

    def put(self, owner: str, wish: _Wish) -> None:
        """Where the owner waits already, it keeps its place. Of too many that pass, the oldest goes."""
        own = self._guests.setdefault(wish.guest, {})
        own[owner] = wish.after(own[owner]) if owner in own else wish
        passing = [one for one, waiting in own.items() if waiting.is_passing]
        for one in passing[:-MAX_PASSING]:
            del own[one]

    def take(self) -> tuple[str, _Wish]:
        """Whose turn it is. The next one of the same guest comes after those of all others."""
        guest = next(iter(self._guests))
        own = self._guests.pop(guest)
        owner = min(own, key=lambda one: own[one].priority)
        wish = own.pop(owner)
        if own:
            self._guests[guest] = own
        return owner, wish

    def of(self, guest: str) -> Collection[str]:
        """A guest's owners."""
        return self._guests.get(guest, {})

    def drop(self, owner: str) -> None:
        """Nobody wants it any more."""
        for guest, own in self._guests.items():
            if own.pop(owner, None) is not None:
                if not own:
                    del self._guests[guest]
                return


@dataclass(frozen=True, slots=True)
class _Run:
    request: PrefillRequest
    task: asyncio.Task[None]
    engine: Engine
    guest: str
    is_passing: bool


class Ahead:
    """One front for each owner, of which the newest wins. Its methods return at once and raise nothing.

    A guess is made up when it is expected, or else as soon as those before it have been rested from: however often
    and by however many it is asked for, the loop belongs to the replies for all but a share of the time. Units: saved_s
    of rest counts in advance.
    """

    def __init__(self, *, saved_s: float = SAVED_S) -> None:
        self._saved_s = saved_s
        self._runs: dict[str, _Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._wishes = _Line()
        self._rested_s = -math.inf  # when all guesses so far will have been rested from
        self._timer: asyncio.TimerHandle | None = None

    def expect(
        self,
        owner: str,
        guess: Guess,
        priority: Priority,
        *,
        guest: str = "",
        is_new: bool = False,
        is_passing: bool = False,
    ) -> None:
        """Computes a guess in the background. The front that the owner had last is not asked for again.

        guest is who takes turns with others, however many owners it brings. is_new: unless that is still under way;
        what was computed a while ago may be gone. is_passing: nobody will stop it. Of a guest's such, the newest count.
        """
        self._wishes.put(owner, _Wish(guess, priority, is_new, guest, is_passing))
        self._grant()

    def stop(self, owner: str) -> None:
        """Forgets the owner's guess; the engine keeps what it has computed. Does not wait."""
        self._wishes.drop(owner)
        run = self._runs.pop(owner, None)
        if run is not None and not run.task.done():
            run.engine.cancel(run.request.request_id)  # now, and not when the task comes to run
            run.task.cancel()

    def depart(self, guest: str) -> None:
        """A guest is gone, and all that was to be computed for it is forgotten."""
        runs = [owner for owner, run in self._runs.items() if run.guest == guest]
        for owner in {*self._wishes.of(guest), *runs}:
            self.stop(owner)

    async def close(self) -> None:
        """Stops everything and waits until nothing of it is left."""
        for owner in {*self._runs, *self._wishes}:
            self.stop(owner)
        self._wake_in(None)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _grant(self) -> None:
        """The wishes whose turn it is, and a rest after each. Mutates: self."""
        while self._wishes and (started_s := time.perf_counter()) >= self._rested_s:
            self._begin(*self._wishes.take())
            took_s = time.perf_counter() - started_s
            self._rested_s = max(self._rested_s, started_s - self._saved_s) + (1 + RESTS) * took_s
        self._wake_in(self._rested_s - time.perf_counter() if self._wishes else None)

    def _wake_in(self, rest_s: float | None) -> None:
        """Mutates: the timer, of which there is one at most; an earlier one may be of a loop that has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if rest_s is None else asyncio.get_running_loop().call_later(rest_s, self._grant)

    def _begin(self, owner: str, wish: _Wish) -> None:
        """Has the engine compute it, unless it does or did already."""
        request = self._request(owner, wish.guess, wish.priority)
        before = self._runs.get(owner)
        if request is not None and before and _is_same(before, request) and not _is_due(before, wish):
            return
        self.stop(owner)
        if request is None:
            return
        self._make_room(wish)
        engine = wish.guess.scene.engine
        task = asyncio.get_running_loop().create_task(
            self._compute(owner, request, engine, is_kept=not wish.is_passing)
        )
        self._runs[owner] = _Run(request, task, engine, wish.guest, wish.is_passing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _make_room(self, wish: _Wish) -> None:
        """Stops the oldest where as many as may are under way, so that no guest fills the engine's line."""
        if wish.is_passing:
            passing = [owner for owner, run in self._runs.items() if run.is_passing and run.guest == wish.guest]
            for owner in passing[: 1 - MAX_PASSING]:
                self.stop(owner)

    def _request(self, owner: str, guess: Guess, priority: Priority) -> PrefillRequest | None:
        try:
            return guess.request(f"{owner}/ahead-{next(self._numbers)}", priority)
        except Exception as exc:  # the words themselves are still to come, and will be refused if they are at fault
            log.debug("no guess for %s: %s", owner, exc)
            return None

    async def _compute(self, owner: str, request: PrefillRequest, engine: Engine, *, is_kept: bool) -> None:
        """is_kept: remembered once it is computed, until it is stopped."""
        try:
            await engine.prefill(request)
        except Exception as exc:  # nobody waits for it: the reply itself will meet the same trouble, and say so
            log.debug("%s was not computed: %s", request.request_id, exc)
            is_kept = False
        if not is_kept and owner in self._runs and self._runs[owner].request is request:
            del self._runs[owner]


def certain_chars(words: str) -> int:
    """How many characters of words so far, less blanks in front, will be in the prompt as they are now.

    The last word may grow, and what follows an opening sign may become a marker, which is then disarmed.
    """
    words = words.lstrip()
    held = words[: first_sign(words)]
    blanks = (index for index in range(len(held) - 1, -1, -1) if held[index].isspace())
    return len(held[: next(blanks, 0)].rstrip())


def _is_due(run: _Run, wish: _Wish) -> bool:
    """Whether the same front is worth asking for again: it may be gone, or waits in a lower class."""
    return wish.is_new if run.task.done() else wish.priority < run.request.priority


def _is_same(run: _Run, request: PrefillRequest) -> bool:
    return run.request.segments == request.segments
