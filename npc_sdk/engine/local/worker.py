"""The thread that owns the model: takes requests in, steps them together, ends every one exactly once.

The asyncio side talks to it through submit(), wake(), stats() and close() only. Made by engine.py.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from collections.abc import Sequence as SequenceOf
from concurrent.futures import Future
from typing import TypeVar

import torch

from npc_sdk.engine.local.governor import Governor
from npc_sdk.engine.local.heap import Heap
from npc_sdk.engine.local.pace import Pace
from npc_sdk.engine.local.runner import Runner
from npc_sdk.engine.local.scheduler import Plan, Scheduler
from npc_sdk.engine.local.sequence import Sequence
from npc_sdk.engine.stats import CacheStats, EngineStats, Recorder
from npc_sdk.errors import EngineCrashed, NpcError

Result = TypeVar("Result")
DEFERRED_S = 0.05  # until deferred work is looked at again, or a cancelled one


class Worker:
    """Runs until close(). Raises nothing on its own thread: what goes wrong ends the requests that it concerns."""

    def __init__(self, runner: Runner, scheduler: Scheduler, governor: Governor, pace: Pace) -> None:
        self._runner: Runner | None = runner
        self._governor = governor
        self._pace = pace
        self._scheduler = scheduler
        self._recorder = Recorder()
        self._heap = Heap()
        self._inbox: list[Sequence] = []
        self._jobs: list[Callable[[Runner | None], None]] = []  # None: closed before their turn
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._main, name="npc-engine", daemon=True)
        self._thread.start()

    def submit(self, sequence: Sequence) -> None:
        """Queues a sequence. Raises: EngineCrashed once the worker is closed or its thread has died."""
        with self._changed:
            self._check_open()
            self._inbox.append(sequence)
            self._changed.notify()

    def wake(self) -> None:
        """Makes the thread look for cancelled sequences now."""
        with self._changed:
            self._changed.notify()

    def call(self, function: Callable[[Runner], Result]) -> Future[Result]:
        """Runs a function on the model's thread, between two steps. Raises: EngineCrashed once closed."""
        future: Future[Result] = Future()

        def job(runner: Runner | None) -> None:
            if not future.set_running_or_notify_cancel():
                return  # nobody waits for it any more, and a cancelled future takes no result
            if runner is None:
                future.set_exception(_closed())
                return
            try:
                future.set_result(function(runner))
            except Exception as exc:
                future.set_exception(exc)

        with self._changed:
            self._check_open()
            self._jobs.append(job)
            self._changed.notify()
        return future

    def stats(self, cache: CacheStats) -> EngineStats:
        """Figures of requests and steps, with the cache's."""
        live = self._scheduler.live
        running = sum(one.lease is not None for one in live)
        waiting = len(live) - running + len(self._inbox)
        return self._recorder.snapshot(running=running, waiting=waiting, cache=cache, governor=self._governor.stats())

    def close(self) -> None:
        """Ends open sequences with EngineCrashed and waits for the thread; the model is free afterwards."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    def _check_open(self) -> None:
        """Raises: EngineCrashed."""
        if self._is_closing:
            raise EngineCrashed("the engine is closed", hint="make a new one")

    def _main(self) -> None:
        """The thread: works until closed; whatever happens, every sequence ends."""
        cause: Exception | None = None
        try:
            is_idle = True
            while self._sleep(is_idle):
                self._do_jobs()
                is_idle = not self._serve(above=None)
        except Exception as exc:
            cause = exc
        self._shut_down(cause)

    def _sleep(self, is_idle: bool) -> bool:
        """Waits while there is nothing to do, or a moment where what there is must wait; False once closing."""
        is_quiet = False
        with self._changed:
            if is_idle and not (self._is_closing or self._inbox or self._jobs):
                is_held = bool(self._scheduler.live)
                is_quiet = not self._changed.wait(DEFERRED_S if is_held else self._heap.quiet_s) and not is_held
        if is_quiet:
            self._heap.give_back()
        return not self._is_closing

    def _do_jobs(self) -> None:
        """Runs what was asked for on this thread."""
        assert self._runner is not None
        with self._changed:
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            with self._recorder.life.job():
                job(self._runner)

    def _serve(self, above: int | None) -> bool:
        """Takes new sequences in, ends those that nobody wants, and steps; False where nobody above a class may."""
        with self._changed:
            arrived, self._inbox = self._inbox, []
        for sequence in arrived:
            self._scheduler.add(sequence)
        self._end_unwanted()
        plan = self._scheduler.plan(time.perf_counter(), above, self._governor.may_start)
        if plan is None:
            return False
        return self._step(dataclasses.replace(plan, chunk_tokens=self._governor.chunk_tokens(plan.chunk_tokens)))

    def _end_unwanted(self) -> None:
        """Ends sequences that were cancelled or are past their deadline."""
        now = time.perf_counter()
        free = self._scheduler.free
        for sequence in self._scheduler.live:
            if sequence.is_done:
                continue  # told in the middle of its step, which will put it away
            lateness = sequence.lateness(now)
            if sequence.is_cancelled:
                sequence.finish("cancelled")
            elif lateness is not None:
                sequence.fail(lateness)
            if sequence.is_done and sequence in free:
                self._retire(sequence)

    def _step(self, plan: Plan) -> bool:
        """Everyone's turn: make room, run the model, postprocess. False where nobody had room or ended."""
        live = len(self._scheduler.live)
        for sequence in plan.preempted:
            self._preempt(sequence)
        members = self._admitted(plan)
        if not members:
            return len(self._scheduler.live) < live
        self._recorder.note_step(len(members))
        rows = sum(min(one.pending_tokens, plan.chunk_tokens) for one in members)
        self._heap.note_step(rows)
        for sequence in members:
            self._scheduler.note_served(sequence, min(sequence.pending_tokens, plan.chunk_tokens))
        with self._scheduler.hold(members), self._recorder.life.step(rows):
            outcomes = self._run(members, plan)
        for sequence, logits in zip(members, outcomes, strict=True):
            self._postprocess(sequence, logits)
        return True

    def _give_way(self, urgency: int) -> None:
        """Between two layers of a step: whoever is more urgent goes first, to the end of what they ask."""
        self._recorder.life.note_layer()
        self._pace.between_layers()
        if self._inbox:
            while not self._is_closing and self._serve(above=urgency):
                pass

    def _admitted(self, plan: Plan) -> list[Sequence]:
        """Those members for whom there is room, if need be with the blocks of less urgent ones."""
        members: list[Sequence] = []
        for sequence in plan.members:
            if sequence is not plan.prefill and sequence.lease is None:
                continue  # it gave its blocks to one before it
            try:
                if self._has_room(sequence, members, plan.chunk_tokens):
                    sequence.finish_prefill()  # the cache may have had all of it
                    if sequence.is_done:
                        self._retire(sequence)
                    else:
                        members.append(sequence)
            except Exception as exc:
                self._fail(sequence, exc)
        return members

    def _has_room(self, sequence: Sequence, members: SequenceOf[Sequence], chunk_tokens: int) -> bool:
        """Whether a sequence can step, after less urgent ones gave way where they must."""
        assert self._runner is not None
        while not self._runner.admit(sequence, chunk_tokens):
            victim = self._scheduler.victim(sequence, members, time.perf_counter())
            if victim is None:
                return False
            self._preempt(victim)
        return True

    def _run(self, members: SequenceOf[Sequence], plan: Plan) -> list[torch.Tensor | Exception | None]:
        """Logits of each; where the step fails, each alone, so that only those end whose own step fails."""
        assert self._runner is not None
        try:
            return list(self._runner.run(members, plan.chunk_tokens, lambda: self._give_way(plan.urgency)))
        except Exception as exc:
            if len(members) == 1:
                return [exc]
        return [self._run([one], plan)[0] for one in members]

    def _postprocess(self, sequence: Sequence, outcome: torch.Tensor | Exception | None) -> None:
        """Draws a sequence's token, or ends it with what went wrong."""
        if isinstance(outcome, Exception):
            self._fail(sequence, outcome)
            return
        try:
            lateness = None if sequence.is_done else sequence.lateness(time.perf_counter())
            if sequence.is_done:
                pass  # cancelled or late while others had its step
            elif outcome is not None and lateness is not None and not sequence.new_tokens:
                sequence.fail(lateness)
            elif outcome is not None:
                drawn = sequence.accept(outcome)
                self._recorder.note_draft(len(outcome) - 1, drawn - 1)
            sequence.finish_prefill()
        except Exception as exc:
            self._fail(sequence, exc)
        else:
            if sequence.is_done:
                self._retire(sequence)

    def _fail(self, sequence: Sequence, exc: Exception) -> None:
        """Ends a sequence with an error and drops its blocks."""
        assert self._runner is not None
        self._runner.discard(sequence)
        if not sequence.is_done:
            sequence.fail(exc if isinstance(exc, NpcError) else _crashed(exc))
        self._retire(sequence)

    def _preempt(self, sequence: Sequence) -> None:
        """Takes a sequence's blocks; it goes on later where it was."""
        assert self._runner is not None
        self._runner.release(sequence)
        self._recorder.preemptions += 1

    def _retire(self, sequence: Sequence) -> None:
        """Forgets a sequence that ended and keeps its blocks for its like."""
        assert self._runner is not None
        self._runner.release(sequence)
        self._recorder.note_end(sequence.stats(), is_front=sequence.is_prefill)
        self._scheduler.remove(sequence)

    def _shut_down(self, cause: Exception | None) -> None:
        """Refuses new sequences, ends the open ones and lets the model go. cause is None for an ordinary close."""
        with self._changed:
            self._is_closing = True
            open_sequences = [*self._scheduler.live, *self._inbox]
            jobs, self._inbox, self._jobs = self._jobs, [], []
        if self._runner is not None:
            self._runner.close()
            self._runner = None
        for job in jobs:
            job(None)
        for sequence in open_sequences:
            sequence.lease = None
            if not sequence.is_done:
                sequence.fail(_closed() if cause is None else _crashed(cause))


def _closed() -> EngineCrashed:
    """What a run is told whose engine was closed."""
    return EngineCrashed("the engine was closed while it answered", hint="ask again once it is back")


def _crashed(exc: Exception) -> EngineCrashed:
    """A foreign exception as ours, with its cause."""
    message = f"the model's step failed: {type(exc).__name__}: {exc}"
    error = EngineCrashed(message, hint="ask again; if it repeats, load the model anew")
    error.__cause__ = exc
    return error
