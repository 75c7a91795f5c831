"""Whether a run's calls are the expected ones: how many, which functions, which parameters, which values.

Several calls are right in any order. Knows no engine and no dialect; called by run.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npc_sdk.decoding.tool_formats.interface import ParsedCall
from npc_sdk.evals.bfcl.row import ExpectedCall, Function, Row
from npc_sdk.evals.bfcl.value import MAY_BE_LEFT_OUT, check_value
from npc_sdk.evals.bfcl.verdict import RIGHT, Reason, Verdict

_DEPTH = {reason: depth for depth, reason in enumerate(Reason)}


def check_calls(row: Row, calls: Sequence[ParsedCall]) -> Verdict:
    """The calls against the row's answer; a row that expects none is right without any."""
    if len(calls) != len(row.expected):
        return _miscounted(len(row.expected), calls)
    functions = {function.name: function for function in row.functions}
    verdicts = [[check_call(functions[wanted.name], wanted, call) for call in calls] for wanted in row.expected]
    takers = _pair_off([[verdict.is_right for verdict in line] for line in verdicts])
    if None not in takers:
        return RIGHT
    unmatched_calls = [at for at in range(len(calls)) if at not in takers]
    left = [verdicts[at][other] for at, taken in enumerate(takers) if taken is None for other in unmatched_calls]
    return max(left, key=lambda verdict: _DEPTH[verdict.reason] if verdict.reason else -1)  # the nearest miss


def check_call(function: Function, wanted: ExpectedCall, call: ParsedCall) -> Verdict:
    """One call against one that is wanted, whose function it should be."""
    if call.name != wanted.name:
        return Verdict(Reason.WRONG_FUNCTION, f"{call.name!r} instead of {wanted.name!r}")
    for name in function.parameters.get("required", ()):
        if name not in call.arguments:
            return Verdict(Reason.MISSING_REQUIRED, f"{wanted.name} wants {name!r}")
    for name, value in call.arguments.items():
        verdict = _check_argument(function, wanted, name, value)
        if not verdict.is_right:
            return verdict
    for name, allowed in wanted.arguments.items():
        if name not in call.arguments and MAY_BE_LEFT_OUT not in allowed:
            return Verdict(Reason.MISSING_OPTIONAL, f"{wanted.name} leaves out {name!r}, one of {list(allowed)!r}")
    return RIGHT


def _check_argument(function: Function, wanted: ExpectedCall, name: str, value: Any) -> Verdict:
    described = function.parameters.get("properties", {})
    if name not in described or name not in wanted.arguments:
        return Verdict(Reason.UNEXPECTED_PARAMETER, f"{wanted.name} is not to be given {name!r}")
    verdict = check_value(value, described[name], wanted.arguments[name])
    return RIGHT if verdict.is_right else Verdict(verdict.reason, f"{wanted.name}.{name}: {verdict.detail}")


def _miscounted(expected: int, calls: Sequence[ParsedCall]) -> Verdict:
    """calls are more or fewer than expected."""
    if not calls:
        return Verdict(Reason.NO_CALL, f"{expected} expected")
    names = ", ".join(call.name for call in calls)
    if not expected:
        return Verdict(Reason.NEEDLESS_CALL, names)
    return Verdict(Reason.WRONG_COUNT, f"{len(calls)} instead of {expected}: {names}")


def _pair_off(fits: Sequence[Sequence[bool]]) -> list[int | None]:
    """For each line a column that fits, no column twice and as many lines as can be: the order of neither matters.

    Source: augmenting paths (Kuhn 1955). Taking the first that fits would leave some right answers without a partner.
    """
    owners: dict[int, int] = {}

    def place(line: int, tried: set[int]) -> bool:
        for column, is_fit in enumerate(fits[line]):
            if not is_fit or column in tried:
                continue
            tried.add(column)
            if column not in owners or place(owners[column], tried):
                owners[column] = line
                return True
        return False

    for line in range(len(fits)):
        place(line, set())
    columns = {line: column for column, line in owners.items()}
    return [columns.get(line) for line in range(len(fits))]
