"""The evening: the same for everybody, kept in order, and heard from an engine or over HTTP."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from npc_sdk.bench.tavern.ours import OurVoice
from npc_sdk.bench.tavern.replay import Heard, Replay
from npc_sdk.bench.tavern.server import ServerVoice, build_server
from npc_sdk.bench.tavern.trace import (
    FRESH_TOKENS,
    NPCS,
    PERSONA_TOKENS,
    REPLY_TOKENS,
    WORDS_TOKENS,
    WORLD_TOKENS,
    Line,
    make_trace,
)
from npc_sdk.bench.vocabulary import Prompt, Words
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import EngineError
from npc_sdk.requests import Priority
from npc_sdk.settings import model_folder

FAST = 0.001


@pytest.fixture(scope="module")
def words() -> Words:
    return Words(model_folder("hearth"))


def test_the_same_seed_is_the_same_evening(words: Words) -> None:
    assert make_trace(words, turns=3, seed=1) == make_trace(words, turns=3, seed=1)
    assert make_trace(words, turns=3, seed=1) != make_trace(words, turns=3, seed=2)


def test_every_character_has_its_turns_and_the_player_the_larger_half(words: Words) -> None:
    trace = make_trace(words, turns=5, seed=1)
    assert Counter(line.npc for line in trace.lines) == dict.fromkeys(range(NPCS), 5)
    assert Counter(line.npc for line in trace.lines if line.is_player) == dict.fromkeys(range(NPCS), 3)
    assert {line.priority for line in trace.lines} == {Priority.PLAYER, Priority.NEARBY, Priority.AMBIENT}


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


def test_prompts_share_the_world_and_grow_by_what_was_said(words: Words) -> None:
    trace = make_trace(words, turns=3, seed=1)
    worlds = {line.stable[:WORLD_TOKENS] for line in trace.lines}
    assert len(worlds) == 1
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
    """A voice that takes a moment and keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.priorities: list[Priority] = []
        self.speaking: Counter[int] = Counter()
        self.takes_s = 0.001

    async def say(self, line: Line, priority: Priority) -> Heard:
        self.told.append(("say", line.npc))
        self.priorities.append(priority)
        self.speaking[line.npc] += 1
        assert self.speaking[line.npc] == 1, "a character began while it still spoke"
        await asyncio.sleep(self.takes_s)
        self.speaking[line.npc] -= 1
        return Heard(0.5, 1.0, 7)

    def expect(self, npc: int, bulk: Prompt, words: Prompt, priority: Priority) -> None:
        assert bulk.ids
        if priority == Priority.BACKGROUND:
            self.told.append(("after", npc))
        else:
            assert priority == Priority.NEARBY
            self.told.append(("typing" if words.ids else "approach", npc))

    def forget(self, npc: int) -> None:
        self.told.append(("forget", npc))


async def test_by_the_clock_the_engine_hears_of_the_player_before_the_words_come(words: Words) -> None:
    trace, voice = make_trace(words, turns=1, seed=1, pace=FAST), Listener()
    result = await Replay(trace, voice, pace=FAST).by_the_clock()
    assert len(result["replies"]) == NPCS
    assert all(one["first_s"] >= 0.5 and one["cached_tokens"] == 7 for one in result["replies"])
    assert voice.priorities == [Priority.PLAYER] * NPCS
    for npc in range(NPCS):
        told = [what for what, who in voice.told if who == npc]
        assert told == ["approach", *["typing"] * 4, "forget", "say"]


async def test_a_player_waits_for_the_answer_and_all_that_follows_moves(words: Words) -> None:
    trace, voice = make_trace(words, turns=2, seed=1, pace=FAST), Listener()
    voice.takes_s = 0.1
    asked: list[float] = []
    say = voice.say

    async def note(line: Line, priority: Priority) -> Heard:
        if line.is_player:
            asked.append(asyncio.get_running_loop().time())
        return await say(line, priority)

    voice.say = note  # type: ignore[method-assign]
    await Replay(trace, voice, pace=FAST).by_the_clock()
    assert len(asked) == NPCS
    assert all(later - earlier >= 0.1 for earlier, later in itertools.pairwise(asked))


async def test_flat_out_each_characters_lines_follow_each_other(words: Words) -> None:
    trace, voice = make_trace(words, turns=4, seed=1), Listener()
    result = await Replay(trace, voice).flat_out()
    assert len(result["replies"]) == 4 * NPCS
    assert result["wall_s"] < trace.length_s / 10
    assert {what for what, _ in voice.told} == {"forget", "say"}
    assert set(voice.priorities) == {Priority.NEARBY}


async def test_our_voice_computes_ahead_and_says_whole_replies(words: Words) -> None:
    engine = ScriptedEngine("word " * REPLY_TOKENS)
    voice, line = OurVoice(engine), make_trace(words, turns=1, seed=1).lines[0]
    voice.expect(line.npc, line.stable + line.guess, line.typed(0.5), Priority.NEARBY)
    heard = await voice.say(line, Priority.PLAYER)
    await voice.close()
    assert 0 < heard.first_s <= heard.total_s
    assert [one.bulk_segments for one in engine.prefills] == [1]
    assert "".join(one.text for one in engine.requests[0].segments) == line.prompt.text
    assert engine.requests[0].npc_id == str(line.npc)


async def test_a_reply_of_ours_that_ends_early_is_no_figure(words: Words) -> None:
    voice = OurVoice(ScriptedEngine("Too short."))
    with pytest.raises(EngineError, match="ended after"):
        await voice.say(make_trace(words, turns=1, seed=1).lines[0], Priority.PLAYER)


SERVER = """#!{python}
import http.server, json, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200); self.end_headers()
        slot, tokens = body["id_slot"], body["n_predict"] - (body["id_slot"] == 7)
        last = {{"stop": True, "tokens_predicted": tokens, "timings": {{"cache_n": len(body["prompt"])}}}}
        for event in ({{"content": "a", "stop": False}}, last)[slot == 6:][: 2 if slot < 5 else 1 + (slot > 5)]:
            self.wfile.write(b"data: " + json.dumps(event).encode() + b"\\n\\n")
    def log_message(self, *args): pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.fixture
def server(tmp_path: Path) -> ServerVoice:
    """A stand-in for llama-server that answers as it does; slot 7 says too little, slot 5 breaks off."""
    program = tmp_path / "llama-server"
    program.write_text(SERVER.format(python=sys.executable))
    program.chmod(0o755)
    return ServerVoice(program, tmp_path / "model", threads=1, slot_tokens=64, log=tmp_path / "log")


async def test_the_servers_replies_are_heard_slot_by_slot(server: ServerVoice, words: Words) -> None:
    line = replace(make_trace(words, turns=1, seed=1).lines[0], npc=1)
    try:
        heard = await server.say(line, Priority.AMBIENT)
        assert 0 < heard.first_s <= heard.total_s
        assert heard.cached_tokens == len(line.prompt.ids)
        with pytest.raises(EngineError, match="ended after 47 tokens"):
            await server.say(replace(line, npc=7), Priority.AMBIENT)
        with pytest.raises(EngineError, match="without its last event"):
            await server.say(replace(line, npc=5), Priority.AMBIENT)
    finally:
        server.close()


def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="did not start"):
        ServerVoice(Path("/bin/false"), tmp_path / "m", threads=1, slot_tokens=64, log=tmp_path / "log")


def test_without_cmake_the_server_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("npc_sdk.bench.tavern.server.shutil.which", lambda _name: None)
    with pytest.raises(EngineError, match="no cmake"):
        build_server(tmp_path, lambda _text: None)


def test_random_is_seeded_by_the_trace_alone(words: Words) -> None:
    random.seed(1)
    one = make_trace(words, turns=1, seed=3)
    random.seed(2)
    assert make_trace(words, turns=1, seed=3) == one
