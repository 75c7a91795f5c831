"""Engines in processes of their own: what they answer, and what is told of those that fail."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from npc_sdk.bench.child import Child
from npc_sdk.bench.machine import busy_core, describe_machine, memory_bytes
from npc_sdk.bench.store import Store
from npc_sdk.bench.vocabulary import Words
from npc_sdk.errors import EngineCrashed

OPTIONS = {"context_tokens": 512, "threads": 1}


def test_our_engine_answers_with_figures(store: Store, tmp_path: Path) -> None:
    words = Words(store.int4())
    text = words.draw(random.Random(1), 40).text
    with Child("ours", "ours", {"model": str(store.int4()), **OPTIONS}, tmp_path / "log") as child:
        assert child.started["load_s"] > 0
        assert child.ask("decode", text=text, tokens=8)["tokens"] == 7
        assert child.ask("together", texts=[text, text + text], tokens=4)["streams"] == 2
        assert child.ask("read_ahead", front=text)["prompt_tokens"] == 40
        assert child.ask("first_token", front=text, words=text)["cached_tokens"] >= 39


def test_our_engine_s_process_holds_nothing_of_the_prompts_makers() -> None:
    """Its memory is measured: the words' tables, 70 MB for the 4B shape, stay with the parent, who sends texts."""
    code = f"import sys; runner.make_runner('ours'); sys.exit({Words.__module__!r} in sys.modules)"
    importing = "import npc_sdk.bench.runner.__main__ as runner"
    assert subprocess.run([sys.executable, "-c", f"{importing}; {code}"], check=False).returncode == 0


def test_an_order_that_fails_names_the_engine_and_the_order(store: Store, tmp_path: Path) -> None:
    with Child("ours", "ours", {"model": str(store.int4()), **OPTIONS}, tmp_path / "log") as child:
        with pytest.raises(EngineCrashed, match=r"ours failed at 'dance'.*no order 'dance'"):
            child.ask("dance")
        with pytest.raises(EngineCrashed, match=r"PromptTooLong"):
            child.ask("prefill", text="word " * 2000)
        assert child.ask("memory", text="a word ", tokens=2)["peak_bytes"] > 0  # it lives on


def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineCrashed, match=r"failed at 'start'.*ModelFormatError"):
        Child("ours", "ours", {"model": str(tmp_path), **OPTIONS}, tmp_path / "log")


def test_a_process_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(EngineCrashed, match=r"theirs .*'no such engine'"):
        Child("theirs", "no such engine", {}, tmp_path / "log")


def test_a_process_that_takes_too_long_is_ended(store: Store, tmp_path: Path) -> None:
    child = Child("ours", "ours", {"model": str(store.int4()), **OPTIONS}, tmp_path / "log")
    os.kill(child.pid, signal.SIGSTOP)  # so that it cannot be in time
    with pytest.raises(EngineCrashed, match=r"more than 0.01 s for 'memory'"):
        child.ask("memory", timeout_s=0.01, text="a word ", tokens=1)
    child.close()
    with pytest.raises(EngineCrashed):
        child.ask("memory", text="a word ", tokens=1)


def test_the_machine_is_described() -> None:
    facts = describe_machine()
    assert {"processor", "cores", "memory", "system", "python", "load before", "torch"} <= facts.keys()


def test_memory_is_read_from_the_system() -> None:
    now, most = memory_bytes()
    assert (now > 0) == Path("/proc/self/status").exists()
    assert most >= now


def test_a_busy_core_ends_with_its_block() -> None:
    with busy_core():
        pass
