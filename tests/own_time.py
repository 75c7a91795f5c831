"""A test's own seconds: they pass at once and in their order, however fast the machine is or whatever else it does.

For what lives on the loop alone: a thread, a process or a socket has no place in this time.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar
from unittest import mock

Given = ParamSpec("Given")
Value = TypeVar("Value")


class _Skipping(selectors.DefaultSelector):
    """Waits for no timer: what is left until the next one is over at once."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found: list[tuple[selectors.SelectorKey, int]] = super().select(None if timeout is None else 0)
        if timeout is not None and timeout > 0 and not found:
            self.skipped_s += timeout
        return found


class OwnTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still while anybody has something to do."""

    def __init__(self) -> None:
        self._own = _Skipping()
        super().__init__(self._own)

    def time(self) -> float:
        return self._own.skipped_s


def in_own_time(test: Callable[Given, Coroutine[Any, Any, Value]]) -> Callable[Given, Value]:
    """Has a test run on such a loop. time.perf_counter tells of the same seconds meanwhile."""

    @functools.wraps(test)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> Value:
        with asyncio.Runner(loop_factory=OwnTimeLoop) as runner:
            loop = runner.get_loop()
            with mock.patch.object(time, "perf_counter", loop.time):
                return runner.run(test(*args, **kwargs))

    return run
