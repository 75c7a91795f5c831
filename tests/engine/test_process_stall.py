"""A child that hangs costs its replies at once and its life only later: until then it may go on.

On a test's own clock, with a child that is only words.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from npc_sdk.engine.interface import EngineInfo
from npc_sdk.engine.process.child_process import ChildProcess
from npc_sdk.engine.process.message import Beat, Ready, ToParent
from npc_sdk.engine.process.pulse import BEAT_S, FLOOR_S, GRACE_S, Pulse
from npc_sdk.engine.process.supervisor import TICK_S, Backoff, Supervisor
from npc_sdk.engine.stats import LifeStats
from npc_sdk.errors import EngineCrashed
from tests.own_time import OwnTimeLoop, in_own_time

TOLD_S = 2.0
FROZEN_S = 0.4  # for which our own process gets no core, again and again


class Child:
    """Beats while it is well."""

    process_id = 1

    def __init__(self) -> None:
        self.is_well = True
        self.is_killed = False
        self._over = asyncio.Event()

    async def messages(self) -> AsyncIterator[ToParent]:
        yield Ready(EngineInfo("words", 2048, "nemotron", "nemotron"))
        while not self._over.is_set():
            if self.is_well:
                now = asyncio.get_running_loop().time()
                yield Beat(now, now, LifeStats(), is_busy=False, has_work=False)
            await asyncio.sleep(BEAT_S)

    def kill(self) -> None:
        self.is_killed = True
        self._over.set()

    async def end(self, _grace_s: float) -> None:
        self._over.set()


class Listener:
    """Waits for a reply all the time, and notes when it is told to wait no longer."""

    def __init__(self) -> None:
        self.has_runs = True
        self.stalls: list[Child] = []
        self.losses = 0

    def hear(self, message: ToParent) -> None:
        pass

    def lose(self, stalled: ChildProcess | None = None) -> None:
        self.has_runs = False
        if stalled is None:
            self.losses += 1
        else:
            self.stalls.append(cast("Child", stalled))


class Scene:
    """A supervisor and the children that it starts."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.listener = Listener()
        backoff = Backoff(first_s=0.1, most_s=0.1)
        self.supervisor = Supervisor(
            cast("Callable[[], Awaitable[ChildProcess]]", self._spawn), self.listener, pulse=Pulse(), backoff=backoff
        )

    @property
    def child(self) -> Child:
        return self.children[-1]

    async def until(self, state: str) -> float:
        """Waits for a state; how long that took."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async with asyncio.timeout(1_000):
            while self.supervisor.state != state:
                await asyncio.sleep(0.01)
        return loop.time() - began_s

    async def _spawn(self) -> Child:
        self.children.append(Child())
        return self.children[-1]


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    one = Scene()
    await one.supervisor.start()
    yield one
    await one.supervisor.close()


@in_own_time
async def test_silence_at_a_first_reply_is_told_within_two_seconds() -> None:
    async with scene() as here:
        here.child.is_well = False
        assert await here.until("stalled") < TOLD_S
        assert here.listener.stalls == [here.child]
        assert not here.child.is_killed
        with pytest.raises(EngineCrashed, match=r"does not answer: it gave no sign of life.*goes on, or is started"):
            here.supervisor.child()
        assert here.supervisor.listening is not None


@in_own_time
async def test_a_child_that_goes_on_after_all_is_kept() -> None:
    async with scene() as here:
        here.child.is_well = False
        await here.until("stalled")
        await asyncio.sleep(GRACE_S - 0.5)
        here.child.is_well = True
        await here.until("ready")
        await asyncio.sleep(10 * GRACE_S)
        assert here.supervisor.child() is cast("ChildProcess", here.child)
        assert (len(here.children), here.listener.losses) == (1, 0)


@in_own_time
async def test_a_child_that_does_not_go_on_is_killed_and_gets_a_successor() -> None:
    async with scene() as here:
        first = here.child
        first.is_well = False
        took_s = await here.until("backing_off")
        assert FLOOR_S + GRACE_S <= took_s < TOLD_S + GRACE_S
        assert first.is_killed
        assert (len(here.listener.stalls), here.listener.losses) == (1, 1)
        await here.until("ready")
        assert here.child is not first


@in_own_time
async def test_a_child_that_stalled_often_is_given_up_as_soon_as_any() -> None:
    async with scene() as here:
        for _ in range(5):
            here.child.is_well = False
            await here.until("stalled")
            here.child.is_well = True
            await here.until("ready")
            here.listener.has_runs = True
        here.child.is_well = False
        assert await here.until("backing_off") < TOLD_S + GRACE_S


@in_own_time
async def test_only_time_in_which_the_supervisor_itself_ran_counts() -> None:
    async with scene() as here:
        here.child.is_well = False
        loop = asyncio.get_running_loop()
        assert isinstance(loop, OwnTimeLoop)
        while here.supervisor.state == "ready":
            await asyncio.sleep(TICK_S)
            loop._own.skipped_s += FROZEN_S  # a core that others have
        assert loop.time() > 10 * TOLD_S
