"""Asks all rows, several at a time, and judges each answer as it comes. Knows no files; called by cli/eval.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeAlias

from npc_sdk.engine.interface import Engine
from npc_sdk.errors import NpcError
from npc_sdk.evals.bfcl.ask import Asking, Reply, ask
from npc_sdk.evals.bfcl.check import check_calls
from npc_sdk.evals.bfcl.result import CallMade, Result
from npc_sdk.evals.bfcl.row import Row
from npc_sdk.evals.bfcl.verdict import Reason, Verdict

OnResult: TypeAlias = Callable[[Result], None]


async def ask_rows(engine: Engine, rows: Iterable[Row], asking: Asking, in_flight: int, on_result: OnResult) -> None:
    """on_result gets each result when it is there, in no fixed order. At most in_flight rows are open at once.

    Raises: the first NpcError of an engine, with all other rows given up.
    """
    waiting = iter(rows)

    async def work() -> None:
        for row in waiting:
            on_result(result_of(row, await ask(engine, row, asking)))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(work())
    except BaseExceptionGroup as failed:
        raise _first(failed) from failed


def judge(row: Row, reply: Reply) -> Verdict:
    """Calls that cannot be read are wrong, except where none was wanted: there they call nothing."""
    if reply.not_asked is not None:
        return reply.not_asked
    verdict = check_calls(row, reply.calls)
    if reply.malformed and row.expected:
        verdict = Verdict(Reason.MALFORMED, f"{reply.malformed[0].reason}: {reply.malformed[0].raw[:200]!r}")
    if not verdict.is_right and reply.end is not None and reply.end.finish_reason == "length":
        return Verdict(Reason.CUT_OFF, f"{verdict.reason}: {verdict.detail}")
    return verdict


def result_of(row: Row, reply: Reply) -> Result:
    """What is kept of an answer."""
    verdict = judge(row, reply)
    usage = reply.end.usage if reply.end else None
    return Result(
        row_id=row.row_id,
        category=row.category,
        digest=row.digest,
        reason=verdict.reason,
        detail=verdict.detail,
        calls=[CallMade(name=call.name, arguments=dict(call.arguments)) for call in reply.calls],
        text=reply.text,
        prompt_tokens=usage.prompt_tokens if usage else 0,
        completion_tokens=usage.completion_tokens if usage else 0,
        took_s=reply.took_s,
    )


def _first(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """An engine's own error where there is one among what the tasks raised."""
    mine = failed.subgroup(NpcError)
    error: BaseException = mine or failed
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
