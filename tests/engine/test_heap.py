"""Memory that large steps left: given back once it is quiet, once, and only where there is some."""

from __future__ import annotations

import asyncio
import ctypes
import platform
from pathlib import Path

import pytest

from npc_sdk.bench.machine import memory_bytes
from npc_sdk.engine.local import heap as heap_module
from npc_sdk.engine.local.heap import MANY_ROWS, Heap

from .streams import PATIENCE_S, Start, ask, collect, until

is_glibc = platform.libc_ver()[0] == "glibc" and Path("/proc/self/status").exists()


@pytest.fixture
def trims(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The calls of a C library's that can be trimmed."""
    calls: list[int] = []
    monkeypatch.setattr(heap_module, "_find_trim", lambda: calls.append)
    monkeypatch.setattr(heap_module, "QUIET_S", 0.02)
    return calls


async def test_a_long_prompt_s_room_is_given_back_once_when_it_is_quiet(start: Start, trims: list[int]) -> None:
    engine = start()
    for said, letter in enumerate("qz", start=1):
        await collect(engine, ask(f"r{said}", letter * MANY_ROWS))
        await until(lambda wanted=said: len(trims) == wanted)  # type: ignore[misc]
        await asyncio.sleep(0.1)
        assert len(trims) == said


async def test_short_steps_leave_nothing_to_give_back(start: Start, trims: list[int]) -> None:
    engine = start()
    await collect(engine, ask(text="q" * (MANY_ROWS - 2), max_new_tokens=8))
    await asyncio.sleep(0.1)
    assert trims == []


async def test_nothing_is_given_back_while_somebody_asks(
    start: Start, trims: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heap_module, "QUIET_S", 3600.0)
    engine = start()
    await collect(engine, ask("r1", "q" * MANY_ROWS))
    said, _ = await asyncio.wait_for(collect(engine, ask("r2", "z" * MANY_ROWS)), PATIENCE_S)
    assert said
    await asyncio.wait_for(engine.close(), PATIENCE_S)
    assert trims == []


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    heap = Heap()
    heap.note_step(MANY_ROWS)
    assert heap.quiet_s is None
    heap.give_back()


@pytest.mark.skipif(not is_glibc, reason="needs glibc on Linux")
def test_freed_memory_leaves_the_process() -> None:
    heap, libc = Heap(), ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    pieces = [libc.malloc(100_000) for _ in range(400)]  # too small for mappings of their own
    for piece in pieces:
        ctypes.memset(piece, 1, 100_000)
    for piece in pieces[:-1]:  # the last holds the heap's end where it is
        libc.free(piece)
    before = memory_bytes()[0]
    heap.note_step(MANY_ROWS)
    heap.give_back()
    assert memory_bytes()[0] < before - 30_000_000
    libc.free(pieces[-1])
