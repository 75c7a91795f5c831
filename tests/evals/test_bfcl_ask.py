"""Asking an engine: the prompt and its constraint, the answer as calls, several rows at once, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from npc_sdk.engine.interface import EngineItem
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import EngineCrashed, RequestError
from npc_sdk.evals.bfcl.ask import INSTRUCTIONS, Asking, ask
from npc_sdk.evals.bfcl.category import Category
from npc_sdk.evals.bfcl.report import scores
from npc_sdk.evals.bfcl.result import Result
from npc_sdk.evals.bfcl.row import Row, read_rows
from npc_sdk.evals.bfcl.run import ask_rows, judge
from npc_sdk.evals.bfcl.verdict import Reason
from npc_sdk.messages import Message
from npc_sdk.requests import GenerateRequest, Sampling
from tests.own_time import in_own_time

from .rows import LEADERBOARD, expected_calls, in_dialect

DIALECTS = [("nemotron", "nemotron"), ("chatml", "hermes"), ("chatml", "llama3"), ("chatml", "mistral")]


def _knows_all(rows: list[Row], dialect: str) -> Callable[[GenerateRequest], str]:
    """A script that answers every row as it should."""
    known = {f"bfcl-{row.row_id}": row for row in rows}

    def answer(request: GenerateRequest) -> str:
        row = known[request.request_id]
        return in_dialect(dialect, row, expected_calls(row, has_optional=True))

    return answer


async def _results(engine: ScriptedEngine, rows: list[Row], asking: Asking | None = None) -> list[Result]:
    results: list[Result] = []
    await ask_rows(engine, rows, asking or Asking(sampling=Sampling(max_new_tokens=4000)), 4, results.append)
    return results


@pytest.mark.parametrize(("chat_format", "dialect"), DIALECTS)
async def test_expected_answers_in_a_dialect_score_100_percent(rows: list[Row], chat_format: str, dialect: str) -> None:
    engine = ScriptedEngine(_knows_all(rows, dialect), chat_format=chat_format, tool_format=dialect)
    results = await _results(engine, rows)
    assert [(one.row_id, one.reason, one.detail) for one in results if not one.is_right] == []
    assert {one.row_id for one in results} == {row.row_id for row in rows}


async def test_the_leaderboards_expected_answers_score_100_percent_through_an_engine() -> None:
    if not LEADERBOARD.is_dir():
        pytest.skip(f"the leaderboard is not at {LEADERBOARD}; name its folder in BFCL_DATA")
    rows = [row for category in Category for row in read_rows(LEADERBOARD, category)]
    results = await _results(ScriptedEngine(_knows_all(rows, "nemotron")), rows)
    assert {one.name: one.percent for one in scores(results)} == {**dict.fromkeys(Category, 100.0), "all": 100.0}


async def test_a_row_is_asked_in_the_models_format_with_all_its_functions(rows: list[Row]) -> None:
    engine = ScriptedEngine("No.")
    row = next(row for row in rows if row.category is Category.MULTIPLE)
    row = replace(row, messages=(Message("system", "Be brief."), *row.messages))
    await ask(engine, row, Asking(sampling=Sampling(temperature=0.0, max_new_tokens=7)))
    request = engine.requests[0]
    prompt = "".join(segment.text for segment in request.segments)
    assert prompt.startswith(f"<extra_id_0>System\n{INSTRUCTIONS}\n\nBe brief.\n\n<tool> ")
    assert prompt.endswith("<extra_id_1>User\nRing twice.\n<extra_id_1>Assistant\n")
    assert [message.role for message in request.messages] == ["system", "user"]
    assert [tool.name for tool in request.tools] == ["alchemy_brew", "bell_ring_2", "bell_ring"]
    assert all(f'"name": "{tool.name}"' in prompt for tool in request.tools)
    assert request.sampling == Sampling(temperature=0.0, max_new_tokens=7, stop=("<extra_id_1>",))


async def test_a_constraint_lets_the_model_choose_whether_and_how_often_to_call(rows: list[Row]) -> None:
    engine = ScriptedEngine("No.")
    await ask(engine, rows[0], Asking(is_constrained=True))
    await ask(engine, rows[0], Asking(is_constrained=False))
    kept, free = (request.constraint for request in engine.requests)
    assert free is None
    assert kept is not None
    assert (kept.mode, kept.chained) == ("auto", frozenset({"alchemy_brew"}))
    assert kept.tools == engine.requests[0].tools
    assert kept.max_calls >= 8


ANSWERS = [
    ("a call among words", "Well. <toolcall> {call} </toolcall>", None),
    ("no call", "I would rather not.", Reason.NO_CALL),
    ("half a call", '<toolcall> {"name": "bell_ring", "argu', Reason.MALFORMED),
    ("a right call and a broken one", "<toolcall> {call} </toolcall> <toolcall> {oops} </toolcall>", Reason.MALFORMED),
    ("the same call twice", "<toolcall> {call} </toolcall> <toolcall> {call} </toolcall>", Reason.WRONG_COUNT),
    ("a call without its markers", "{call}", Reason.MALFORMED),
]
CALL = '{"name": "bell_ring", "arguments": {"times": 1}}'


@pytest.mark.parametrize(("text", "reason"), [one[1:] for one in ANSWERS], ids=[one[0] for one in ANSWERS])
async def test_an_answer_is_judged_by_its_calls(rows: list[Row], text: str, reason: Reason | None) -> None:
    ring = next(row for row in rows if row.row_id == "simple_1")
    reply = await ask(ScriptedEngine(text.replace("{call}", CALL)), ring, Asking())
    assert judge(ring, reply).reason is reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Cheese, they say.", None),
        ('<toolcall> {"name": "bell_ring", "argu', None),
        (f"<toolcall> {CALL} </toolcall>", Reason.NEEDLESS_CALL),
        ('<toolcall> {"name": "moon", "arguments": {}} </toolcall>', Reason.NEEDLESS_CALL),
    ],
)
async def test_where_nothing_helps_only_what_can_be_read_as_a_call_is_wrong(
    rows: list[Row], text: str, reason: Reason | None
) -> None:
    row = next(row for row in rows if row.category is Category.IRRELEVANCE)
    assert judge(row, await ask(ScriptedEngine(text), row, Asking())).reason is reason


async def test_an_answer_that_is_cut_off_is_told_as_such(rows: list[Row]) -> None:
    ring = next(row for row in rows if row.row_id == "simple_1")
    asking = Asking(sampling=Sampling(max_new_tokens=3))
    verdict = judge(ring, await ask(ScriptedEngine(f"<toolcall> {CALL} </toolcall>"), ring, asking))
    assert verdict.reason is Reason.CUT_OFF
    assert "malformed" in verdict.detail


async def test_a_prompt_that_is_too_long_is_counted_and_the_others_go_on(rows: list[Row]) -> None:
    engine = ScriptedEngine("No.", context_tokens=150)
    results = {one.row_id: one for one in await _results(engine, rows)}
    assert results["simple_0"].reason is Reason.TOO_LONG
    assert "of 150 tokens" in results["simple_0"].detail
    assert results["irrelevance_0"].is_right
    assert len(results) == len(rows)


async def test_a_request_that_the_engine_refuses_is_counted(rows: list[Row]) -> None:
    engine = ScriptedEngine("No.", fail_after=0, error=RequestError("this cannot be constrained"))
    results = await _results(engine, rows)
    assert {(one.reason, one.detail) for one in results} == {(Reason.REFUSED, "this cannot be constrained")}


async def test_an_engine_that_breaks_ends_the_run_with_its_own_error(rows: list[Row]) -> None:
    results: list[Result] = []
    with pytest.raises(EngineCrashed, match="the script breaks here"):
        await ask_rows(ScriptedEngine("No.", fail_after=1), rows, Asking(), 3, results.append)
    assert results == []


class _Counting(ScriptedEngine):
    """Notes how many streams were open at once."""

    most = 0

    async def stream(self, request: GenerateRequest) -> AsyncIterator[EngineItem]:
        async for item in super().stream(request):
            self.most = max(self.most, self.stats().running)
            yield item


@pytest.mark.parametrize("in_flight", [1, 3])
async def test_no_more_rows_than_allowed_are_open_at_once(rows: list[Row], in_flight: int) -> None:
    engine = _Counting("No, and once more no.")
    results: list[Result] = []
    await ask_rows(engine, rows, Asking(), in_flight, results.append)
    assert (engine.most, len(results)) == (in_flight, len(rows))


@in_own_time
async def test_a_run_that_is_given_up_leaves_no_stream_open(rows: list[Row]) -> None:
    engine = ScriptedEngine("No.", delay_s=30.0)
    run = asyncio.create_task(ask_rows(engine, rows, Asking(), 2, lambda _result: None))
    await asyncio.sleep(0.02)
    assert engine.stats().running == 2
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert engine.stats().running == 0
