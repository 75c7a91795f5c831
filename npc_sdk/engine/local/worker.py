"""The thread that owns the model: takes requests in, steps them by turns, ends every one exactly once.

The asyncio side talks to it through submit(), wake() and close() only. Made by engine.py.
"""

from __future__ import annotations

import threading

from npc_sdk.engine.local.runner import Runner
from npc_sdk.engine.local.scheduler import Schedule, Scheduler
from npc_sdk.engine.local.sequence import Sequence
from npc_sdk.errors import EngineCrashed, NpcError, ReplyTimeout


class Worker:
    """Runs until close(). Raises nothing on its own thread: what goes wrong ends the requests that it concerns."""

    def __init__(self, runner: Runner, scheduler: Scheduler) -> None:
        self._runner: Runner | None = runner
        self._scheduler = scheduler
        self._inbox: list[Sequence] = []
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._main, name="npc-engine", daemon=True)
        self._thread.start()

    def submit(self, sequence: Sequence) -> None:
        """Queues a sequence. Raises: EngineCrashed once the worker is closed or its thread has died."""
        with self._changed:
            if self._is_closing:
                raise EngineCrashed("the engine is closed", hint="make a new one")
            self._inbox.append(sequence)
            self._changed.notify()

    def wake(self) -> None:
        """Makes the thread look for cancelled sequences now."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Ends open sequences with EngineCrashed and waits for the thread; the model is free afterwards."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    def _main(self) -> None:
        """The thread: works until closed; whatever happens, every sequence ends."""
        cause: Exception | None = None
        try:
            while self._admit():
                self._end_unwanted()
                schedule = self._scheduler.schedule()
                if schedule is not None:
                    self._step(schedule)
        except Exception as exc:
            cause = exc
        self._shut_down(cause)

    def _admit(self) -> bool:
        """Takes new sequences in, asleep while there is nothing to do; False once closing."""
        with self._changed:
            while not (self._is_closing or self._inbox or self._scheduler.live):
                self._changed.wait()
            arrived, self._inbox = self._inbox, []
            is_open = not self._is_closing
        for sequence in arrived:
            self._scheduler.add(sequence)
        return is_open

    def _end_unwanted(self) -> None:
        """Ends sequences that were cancelled or are past their deadline."""
        for sequence in self._scheduler.live:
            if sequence.is_cancelled:
                sequence.finish("cancelled")
                self._retire(sequence)
            elif sequence.is_late:
                limit = sequence.request.deadline_s
                sequence.fail(
                    ReplyTimeout(f"no whole reply within {limit:g} s", hint="allow more time or fewer tokens")
                )
                self._retire(sequence)

    def _step(self, schedule: Schedule) -> None:
        """One sequence's turn: run the model, then postprocess; an exception ends that sequence alone."""
        sequence = schedule.sequence
        assert self._runner is not None
        try:
            if schedule.preempted is not None:
                self._runner.release(schedule.preempted)
            logits = self._runner.run(sequence)
            if logits is not None:
                sequence.accept(logits)
        except Exception as exc:
            self._runner.discard(sequence)
            if not sequence.is_done:
                sequence.fail(exc if isinstance(exc, NpcError) else _crashed(exc))
        if sequence.is_done:
            self._retire(sequence)

    def _retire(self, sequence: Sequence) -> None:
        """Forgets a sequence that ended and keeps its cache for its like."""
        assert self._runner is not None
        self._runner.release(sequence)
        self._scheduler.remove(sequence)

    def _shut_down(self, cause: Exception | None) -> None:
        """Refuses new sequences, ends the open ones and lets the model go. cause is None for an ordinary close."""
        with self._changed:
            self._is_closing = True
            open_sequences = [*self._scheduler.live, *self._inbox]
            self._inbox = []
        if self._runner is not None:
            self._runner.close()
            self._runner = None
        for sequence in open_sequences:
            sequence.cache = None
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
