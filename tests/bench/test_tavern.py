"""The evening: the same for everybody, kept in order, and heard from an engine or over HTTP."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from npc_sdk.bench.board import Board
from npc_sdk.bench.plan import Plan
from npc_sdk.bench.store import Store
from npc_sdk.bench.tavern import bench
from npc_sdk.bench.tavern.ours import OurVoice
from npc_sdk.bench.tavern.replay import Heard, Replay
from npc_sdk.bench.tavern.trace import (
    FRESH_TOKENS,
    NPCS,
    PERSONA_TOKENS,
    REPLY_TOKENS,
    START_BY_S,
    WORDS_TOKENS,
    WORLD_TOKENS,
    Line,
    Trace,
    make_trace,
)
from npc_sdk.bench.vocabulary import Prompt, Words
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import EngineError
from npc_sdk.requests import Priority
from tests.bench.conftest import Silence
from tests.own_time import in_own_time

FAST = 0.001
PLAYER, NEARBY, AMBIENT, BACKGROUND = Priority


def test_the_same_seed_is_the_same_evening_whatever_else_is_drawn(words: Words) -> None:
    random.seed(1)
    one = make_trace(words, turns=3, seed=1)
    random.seed(2)
    assert make_trace(words, turns=3, seed=1) == one
    assert make_trace(words, turns=3, seed=2) != one


def test_every_character_has_its_turns_and_the_player_the_larger_half(words: Words) -> None:
    trace = make_trace(words, turns=5, seed=1)
    assert Counter(line.npc for line in trace.lines) == dict.fromkeys(range(NPCS), 5)
    assert Counter(line.npc for line in trace.lines if line.is_player) == dict.fromkeys(range(NPCS), 3)
    assert {line.priority for line in trace.lines} == {PLAYER, NEARBY, AMBIENT}


def test_lines_come_in_order_and_within_the_evening(words: Words) -> None:
    trace = make_trace(words, turns=4, seed=1)
    times = [line.at_s for line in trace.lines]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= trace.length_s
    assert all(line.approach_s < line.at_s for line in trace.lines if line.approach_s is not None)
    assert sum(line.approach_s is not None for line in trace.lines) == NPCS


def test_a_pace_makes_the_evening_shorter_and_changes_no_word(words: Words) -> None:
    slow, fast = (make_trace(words, turns=2, seed=1, pace=pace) for pace in (1.0, 0.5))
    assert fast.length_s == pytest.approx(slow.length_s / 2)
    assert [line.prompt for line in fast.lines] == [line.prompt for line in slow.lines]
    assert {(line.is_player, line.start_by_s) for line in fast.lines} == {(True, None), (False, START_BY_S / 2)}


@pytest.mark.parametrize("turns", [2, 4, 6])
def test_an_engine_of_its_speed_is_busy_for_three_fifths_of_the_evening(words: Words, turns: int) -> None:
    trace = make_trace(words, turns=turns, seed=1)
    tokens, stable = 0, dict.fromkeys(range(NPCS), 0)
    for line in trace.lines:  # as an engine that keeps each character's prompt, but nothing of another's
        tokens += len(line.prompt.ids) - stable[line.npc]
        stable[line.npc] = len(line.stable.ids)
    busy_s = tokens / 100 + len(trace.lines) * REPLY_TOKENS / 20
    assert 0.55 < busy_s / trace.length_s <= 0.6


def test_prompts_share_the_world_and_grow_by_what_was_said(words: Words) -> None:
    trace = make_trace(words, turns=3, seed=1)
    assert len({line.stable[:WORLD_TOKENS] for line in trace.lines}) == 1
    first, second = [line for line in trace.lines if line.npc == 0][:2]
    front = WORLD_TOKENS + PERSONA_TOKENS
    assert len(first.prompt.ids) == front + FRESH_TOKENS + WORDS_TOKENS
    assert second.stable[: front + WORDS_TOKENS] == first.stable + first.words
    assert len(second.stable.ids) == front + WORDS_TOKENS + REPLY_TOKENS


def test_some_guesses_are_wrong_and_never_a_part_of_the_prompt(words: Words) -> None:
    asked = [line for line in make_trace(words, turns=6, seed=1).lines if line.is_player]
    wrong = [line for line in asked if line.guess != line.fresh]
    assert 0 < len(wrong) < len(asked)
    right = next(line for line in asked if line.guess == line.fresh)
    assert right.typed(0.5) == right.words[: WORDS_TOKENS // 2]


class Listener:
    """A voice that takes a moment, ends when it is told to, and keeps what it was told."""

    def __init__(self, takes_s: float = 0.001) -> None:
        self.told: list[tuple[str, int]] = []
        self.asked: list[float] = []
        self.priorities: list[Priority] = []
        self.left_s: list[float | None] = []
        self.speaking: dict[int, asyncio.Event] = {}
        self.takes_s = takes_s

    async def say(self, line: Line, priority: Priority, start_by_s: float | None = None) -> Heard:
        self.told.append(("say", line.npc))
        self.asked.append(time.perf_counter())
        self.priorities.append(priority)
        self.left_s.append(start_by_s)
        assert line.npc not in self.speaking, "a character began while it still spoke"
        cancelled = self.speaking[line.npc] = asyncio.Event()
        try:
            await asyncio.wait_for(cancelled.wait(), self.takes_s)
            return Heard(None, 0.25, 0, "cut")
        except TimeoutError:
            return Heard(0.5, 1.0, 7)
        finally:
            del self.speaking[line.npc]

    def cancel(self, npc: int) -> None:
        if npc in self.speaking:
            self.speaking[npc].set()

    def expect(self, npc: int, bulk: Prompt, words: Prompt, priority: Priority) -> None:
        assert bulk.ids
        assert priority in (NEARBY, BACKGROUND)
        self.told.append(("after" if priority == BACKGROUND else "typing" if words.ids else "approach", npc))

    def forget(self, npc: int) -> None:
        self.told.append(("forget", npc))


def evening(words: Words, *lines: tuple[float, Priority], start_by_s: float = 1.0) -> Trace:
    """Lines of one character at these seconds; the player types without having walked up."""
    some = replace(make_trace(words, turns=1, seed=1).lines[0], approach_s=None)
    made = [replace(some, at_s=at, priority=who, start_by_s=None if who == PLAYER else start_by_s) for at, who in lines]
    return Trace(tuple(made), made[-1].at_s)


def ends(result: dict[str, Any]) -> list[str]:
    """What became of the remarks."""
    return [one["end"] for one in result["replies"] if not one["is_player"]]


@in_own_time
async def test_what_a_character_says_of_itself_ends_when_the_player_speaks(words: Words) -> None:
    trace, voice = evening(words, (0.0, NEARBY), (0.05, PLAYER)), Listener(takes_s=0.4)
    result = await Replay(trace, voice, pace=FAST).by_the_clock()
    assert ends(result) == ["cut"]
    asked = next(one for one in result["replies"] if one["end"] == "whole")
    assert 0.5 <= asked["first_s"] < 0.5 + voice.takes_s / 2, "the player waited for the remark"
    assert ("after", trace.lines[0].npc) not in voice.told


@pytest.mark.parametrize(
    ("lines", "start_by_s", "said", "became"),
    [
        pytest.param([(0.0, NEARBY), (0.02, AMBIENT), (0.05, PLAYER)], 1.0, [NEARBY, PLAYER], "cut cut", id="cut"),
        pytest.param([(0.0, NEARBY), (0.01, AMBIENT), (0.1, PLAYER)], 0.03, [NEARBY, PLAYER], "cut late", id="both"),
        pytest.param([(0.0, PLAYER), (0.05, AMBIENT)], 0.03, [PLAYER], "late", id="too late"),
        pytest.param([(0.0, PLAYER), (0.05, AMBIENT)], 1.0, [PLAYER, AMBIENT], "whole", id="in time"),
    ],
)
@in_own_time
async def test_a_remark_that_waits_for_the_mouth_is_said_only_if_it_still_may(
    words: Words, lines: list[tuple[float, Priority]], start_by_s: float, said: list[Priority], became: str
) -> None:
    trace, voice = evening(words, *lines, start_by_s=start_by_s), Listener(takes_s=0.2)
    result = await Replay(trace, voice, pace=FAST).by_the_clock()
    assert ends(result) == became.split()
    assert voice.priorities == said


@in_own_time
async def test_the_wait_for_the_mouth_is_part_of_the_time_that_a_remark_has(words: Words) -> None:
    voice = Listener(takes_s=0.2)
    result = await Replay(evening(words, (0.0, PLAYER), (0.05, AMBIENT)), voice, pace=FAST).by_the_clock()
    assert voice.left_s[0] is None
    assert voice.left_s[1] == pytest.approx(1 - 0.15, abs=0.1)
    assert result["replies"][1]["first_s"] == pytest.approx(0.5 + 0.15, abs=0.1)


@in_own_time
async def test_a_remark_while_the_player_types_does_not_lose_what_was_typed(words: Words) -> None:
    # Typed for 0.4 s: hints at 0.48, 0.56, 0.64 and 0.72 s; the remark ends between the first two.
    voice = Listener(takes_s=0.1)
    await Replay(evening(words, (0.42, NEARBY), (0.8, PLAYER)), voice, pace=0.1).by_the_clock()
    assert [what for what, _ in voice.told] == ["forget", "say", *["typing"] * 5, "forget", "say"]


@in_own_time
async def test_by_the_clock_the_engine_hears_of_the_player_before_the_words_come(words: Words) -> None:
    trace, voice = make_trace(words, turns=1, seed=1, pace=FAST), Listener()
    result = await Replay(trace, voice, pace=FAST).by_the_clock()
    assert len(result["replies"]) == NPCS
    assert all(one["first_s"] >= 0.5 and one["cached_tokens"] == 7 for one in result["replies"])
    assert voice.priorities == [PLAYER] * NPCS
    for npc in range(NPCS):
        assert [what for what, who in voice.told if who == npc] == ["approach", *["typing"] * 4, "forget", "say"]


@in_own_time
async def test_a_player_waits_for_the_answer_and_all_that_follows_moves(words: Words) -> None:
    trace, voice = make_trace(words, turns=2, seed=1, pace=FAST), Listener(takes_s=0.1)
    await Replay(trace, voice, pace=FAST).by_the_clock()
    asked = [at for at, who in zip(voice.asked, voice.priorities, strict=True) if who == PLAYER]
    assert len(asked) == NPCS
    assert all(later - earlier >= 0.1 for earlier, later in itertools.pairwise(asked))


@in_own_time
async def test_flat_out_each_characters_lines_follow_each_other(words: Words) -> None:
    trace, voice = make_trace(words, turns=4, seed=1), Listener()
    result = await Replay(trace, voice).flat_out()
    assert len(result["replies"]) == 4 * NPCS
    assert result["wall_s"] < trace.length_s / 10
    assert {what for what, _ in voice.told} == {"forget", "say"}
    assert (set(voice.priorities), set(voice.left_s)) == ({NEARBY}, {None})
    assert {one["end"] for one in result["replies"]} == {"whole"}


async def test_our_voice_computes_ahead_and_says_whole_replies(line: Line) -> None:
    voice = OurVoice(engine := ScriptedEngine("word " * REPLY_TOKENS))
    voice.expect(line.npc, line.stable + line.guess, line.typed(0.5), NEARBY)
    await asyncio.sleep(0)
    heard = await voice.say(line, PLAYER)
    await voice.close()
    assert 0 < (heard.first_s or 0) <= heard.total_s
    assert heard.end == "whole"
    assert [one.bulk_segments for one in engine.prefills] == [1]
    assert "".join(one.text for one in engine.requests[0].segments) == line.prompt.text
    assert engine.requests[0].npc_id == str(line.npc)


async def test_a_reply_of_ours_that_ends_early_is_no_figure(line: Line) -> None:
    with pytest.raises(EngineError, match="ended after"):
        await OurVoice(ScriptedEngine("Too short.")).say(line, PLAYER)


@in_own_time
async def test_what_our_voice_says_can_be_cut(line: Line) -> None:
    voice = OurVoice(ScriptedEngine("word " * REPLY_TOKENS, delay_s=0.02))
    saying = asyncio.create_task(voice.say(line, NEARBY))
    await asyncio.sleep(0.05)
    voice.cancel(line.npc + 1)
    voice.cancel(line.npc)
    heard = await saying
    assert (heard.end, heard.first_s is not None) == ("cut", True)
    assert heard.total_s < 0.02 * REPLY_TOKENS
    voice.cancel(line.npc)  # nothing is said any more


@in_own_time
async def test_our_voice_keeps_quiet_when_it_is_too_late(line: Line) -> None:
    engine = ScriptedEngine("word " * REPLY_TOKENS, delay_s=0.2)
    heard = await OurVoice(engine).say(line, AMBIENT, 0.03)
    assert (heard.end, heard.first_s) == ("late", None)
    assert engine.requests[0].start_by_s == 0.03
    assert engine.stats().running == 0


async def test_what_is_forgotten_before_it_began_is_not_computed(line: Line) -> None:
    voice = OurVoice(engine := ScriptedEngine("word"))
    voice.expect(line.npc, line.stable, Prompt(), BACKGROUND)
    voice.forget(line.npc)
    await voice.close()
    assert engine.prefills == []


REPLIES = [
    {"is_player": True, "end": "whole", "first_s": 1.0, "cached_tokens": 50, "prompt_tokens": 100},
    {"is_player": False, "end": "whole", "first_s": 2.0, "cached_tokens": 100, "prompt_tokens": 100},
    {"is_player": False, "end": "whole", "first_s": 4.0, "cached_tokens": 75, "prompt_tokens": 100},
    {"is_player": False, "end": "cut", "first_s": 9.0, "cached_tokens": 0, "prompt_tokens": 100},
    {"is_player": False, "end": "late", "first_s": None, "cached_tokens": 0, "prompt_tokens": 100},
]


def test_first_tokens_are_of_what_was_said_and_the_rest_is_counted(
    store: Store, words: Words, silence: Silence, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(_plan: Plan, who: str, *_rest: object) -> dict[str, Any]:
        return {"wall_s": 10.0, "replies": REPLIES if who == bench.OURS else REPLIES[:3]}

    monkeypatch.setattr(bench, "_play", play)
    monkeypatch.setattr(bench, "_server_options", lambda _plan: {})
    board = Board("tavern", {}, {})
    bench.run(Plan(store, board, silence, 1, words), turns=2)
    values = {(one.what, one.who): one.series.median for one in board.rows()}
    firsts = ("player, p95", "all lines, median", "all lines, p95")
    assert [values[f"first token, {which}", bench.OURS] for which in firsts] == [1.0, 2.0, 4.0]
    assert [values[what, bench.OURS] for what in bench.FATES] == [50.0, 25.0, 25.0]
    assert [values[what, bench.SERVER] for what in bench.FATES] == [100.0, 0.0, 0.0]
    assert values["prompt tokens not computed in the turn", bench.OURS] == 75.0
    assert {one.what: one.series.median for one in board.comparisons}["remarks spoken, more"] == 0.5
