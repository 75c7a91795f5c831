"""Every way in which a right answer is spoilt, and what the check should say of it. None stands for: still right.

A damage takes one call, one of its arguments and what is known of it, and gives the spoilt value, or SOUND where this
argument cannot be spoilt in this way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from npc_sdk.decoding.tool_formats.interface import ParsedCall
from npc_sdk.evals.bfcl.row import Row
from npc_sdk.evals.bfcl.verdict import Reason

SOUND = object()
GONE = object()


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of one expected call: its BFCL type, whether it is required, and the right values."""

    name: str
    value: Any
    kind: str
    is_required: bool
    allowed: tuple[Any, ...]


def _drop_required(it: Argument) -> Any:
    return GONE if it.is_required else SOUND


def _drop_wanted(it: Argument) -> Any:
    return SOUND if it.is_required or "" in it.allowed else GONE


def _drop_optional(it: Argument) -> Any:
    return GONE if not it.is_required and "" in it.allowed else SOUND


def _other_text(it: Argument) -> Any:
    return f"{it.value} and no other" if isinstance(it.value, str) else SOUND


def _other_number(it: Argument) -> Any:
    return it.value + 1000003 if type(it.value) in (int, float) else SOUND


def _other_truth(it: Argument) -> Any:
    return (not it.value) if isinstance(it.value, bool) and (not it.value) not in it.allowed else SOUND


def _longer_list(it: Argument) -> Any:
    return [*it.value, it.value[-1]] if isinstance(it.value, list) and it.value else SOUND


def _shorter_list(it: Argument) -> Any:
    is_shorter_wrong = isinstance(it.value, list) and it.value and it.value[:-1] not in it.allowed
    return it.value[:-1] if is_shorter_wrong and (len(it.value) > 1 or "" not in it.allowed) else SOUND


def _swapped_list(it: Argument) -> Any:
    swapped = it.value[::-1] if isinstance(it.value, list) else it.value
    is_told_apart = swapped != it.value and swapped not in it.allowed
    return swapped if is_told_apart else SOUND


def _text_for_anything(it: Argument) -> Any:
    is_text = it.kind in ("string", "any") or any(isinstance(one, str) and one for one in it.allowed)
    return SOUND if is_text else str(it.value)


def _list_for_one(it: Argument) -> Any:
    return SOUND if isinstance(it.value, list) else [it.value]


def _number_for_text(it: Argument) -> Any:
    return 5 if isinstance(it.value, str) else SOUND


def _truth_for_number(it: Argument) -> Any:
    return True if type(it.value) in (int, float) else SOUND


def _number_for_truth(it: Argument) -> Any:
    return int(it.value) if isinstance(it.value, bool) else SOUND


def _float_for_integer(it: Argument) -> Any:
    return float(it.value) if it.kind == "integer" and type(it.value) is int else SOUND


def _integer_for_float(it: Argument) -> Any:
    return int(it.value) if it.kind == "float" and isinstance(it.value, float) and it.value.is_integer() else SOUND


def _null_for_anything(it: Argument) -> Any:
    return SOUND if None in it.allowed else None


def _wrong_item_type(it: Argument) -> Any:
    if not isinstance(it.value, list) or not it.value or "" in it.allowed or isinstance(it.value[0], dict):
        return SOUND
    return [*it.value[:-1], 5 if isinstance(it.value[-1], str) else str(it.value[-1])]


def _case_and_marks(it: Argument) -> Any:
    return f" {it.value.swapcase()}. ".replace(" ", "_-,") if isinstance(it.value, str) else SOUND


def _case_in_lists(it: Argument) -> Any:
    is_texts = isinstance(it.value, list) and it.value and all(isinstance(one, str) for one in it.value)
    return [f"{one.upper()}^*/" for one in it.value] if is_texts else SOUND


def _quotes(it: Argument) -> Any:
    return it.value.replace("'", '"') if isinstance(it.value, str) and "'" in it.value else SOUND


def _empty_text_for_optional(it: Argument) -> Any:
    is_text = it.kind == "string" and all(isinstance(one, str) for one in it.allowed)
    return "" if is_text and "" in it.allowed else SOUND


def _fewer_keys(it: Argument) -> Any:
    if not isinstance(it.value, dict):
        return SOUND
    needed = [key for one in it.allowed if isinstance(one, dict) for key, right in one.items() if "" not in right]
    return {key: value for key, value in it.value.items() if key != needed[0]}


def _fewer_optional_keys(it: Argument) -> Any:
    if not isinstance(it.value, dict):
        return SOUND
    spare = [key for one in it.allowed if isinstance(one, dict) for key, right in one.items() if "" in right]
    return {key: value for key, value in it.value.items() if key not in spare} if spare else SOUND


def _more_keys(it: Argument) -> Any:
    return {**it.value, "never asked for": 1} if isinstance(it.value, dict) else SOUND


def _other_key_value(it: Argument) -> Any:
    return dict.fromkeys(it.value, "something else") if isinstance(it.value, dict) else SOUND


def _more_keys_in_list(it: Argument) -> Any:
    has_dicts = isinstance(it.value, list) and it.value and isinstance(it.value[0], dict)
    return [{**it.value[0], "never asked for": 1}, *it.value[1:]] if has_dicts else SOUND


TO_ARGUMENTS: tuple[tuple[Callable[[Argument], Any], Reason | None], ...] = (
    (_drop_required, Reason.MISSING_REQUIRED),
    (_drop_wanted, Reason.MISSING_OPTIONAL),
    (_drop_optional, None),
    (_other_text, Reason.WRONG_VALUE),
    (_other_number, Reason.WRONG_VALUE),
    (_other_truth, Reason.WRONG_VALUE),
    (_longer_list, Reason.WRONG_VALUE),
    (_shorter_list, Reason.WRONG_VALUE),
    (_swapped_list, Reason.WRONG_VALUE),
    (_text_for_anything, Reason.WRONG_TYPE),
    (_list_for_one, Reason.WRONG_TYPE),
    (_number_for_text, Reason.WRONG_TYPE),
    (_truth_for_number, Reason.WRONG_TYPE),
    (_number_for_truth, Reason.WRONG_TYPE),
    (_float_for_integer, Reason.WRONG_TYPE),
    (_integer_for_float, None),
    (_null_for_anything, Reason.WRONG_TYPE),
    (_wrong_item_type, Reason.WRONG_TYPE),
    (_case_and_marks, None),
    (_case_in_lists, None),
    (_quotes, None),
    (_empty_text_for_optional, None),
    (_fewer_keys, Reason.WRONG_VALUE),
    (_fewer_optional_keys, None),
    (_more_keys, Reason.WRONG_VALUE),
    (_other_key_value, Reason.WRONG_VALUE),
    (_more_keys_in_list, Reason.WRONG_VALUE),
)


def _rename(calls: Sequence[ParsedCall], at: int) -> list[ParsedCall]:
    return [*calls[:at], ParsedCall(f"{calls[at].name}s", calls[at].arguments), *calls[at + 1 :]]


def _add_parameter(calls: Sequence[ParsedCall], at: int) -> list[ParsedCall]:
    more = {**calls[at].arguments, "never asked for": 1}
    return [*calls[:at], ParsedCall(calls[at].name, more), *calls[at + 1 :]]


def _drop_call(calls: Sequence[ParsedCall], at: int) -> list[ParsedCall]:
    return [*calls[:at], *calls[at + 1 :]] if len(calls) > 1 else []


def _repeat_call(calls: Sequence[ParsedCall], at: int) -> list[ParsedCall]:
    return [*calls, calls[at]]


def _move_to_front(calls: Sequence[ParsedCall], at: int) -> list[ParsedCall]:
    return [calls[at], *calls[:at], *calls[at + 1 :]]


TO_CALLS: tuple[tuple[Callable[[Sequence[ParsedCall], int], list[ParsedCall]], tuple[Reason | None, ...]], ...] = (
    (_rename, (Reason.WRONG_FUNCTION,)),
    (_add_parameter, (Reason.UNEXPECTED_PARAMETER,)),
    (_drop_call, (Reason.WRONG_COUNT, Reason.NO_CALL)),
    (_repeat_call, (Reason.WRONG_COUNT,)),
    (_move_to_front, (None,)),
)


def spoilt(
    row: Row, calls: Sequence[ParsedCall], damage: Callable[[Argument], Any]
) -> Iterator[tuple[int, ParsedCall]]:
    """Each of the calls with each of its arguments spoilt that can be, and which call that is."""
    described = {function.name: function.parameters for function in row.functions}
    for at, (call, wanted) in enumerate(zip(calls, row.expected, strict=True)):
        parameters = described[call.name]
        for name, value in call.arguments.items():
            kind = parameters["properties"][name]["type"]
            is_required = name in parameters["required"]
            changed = damage(Argument(name, value, kind, is_required, wanted.arguments[name]))
            if changed is not SOUND:
                kept = {**call.arguments, name: changed} if changed is not GONE else _without(call, name)
                yield at, ParsedCall(call.name, kept)


def _without(call: ParsedCall, name: str) -> dict[str, Any]:
    return {key: value for key, value in call.arguments.items() if key != name}
