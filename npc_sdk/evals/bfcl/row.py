"""Rows of the leaderboard and their expected answers, read from its folder and checked before anything is asked.

Every mistake names file and line. Knows no engine; called by cli/eval.py.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.evals.bfcl.category import SOURCES, Category
from npc_sdk.evals.bfcl.schema import SchemaFault, parameters_schema
from npc_sdk.messages import Message

ANSWERS_FOLDER = "possible_answer"


@dataclass(frozen=True, slots=True)
class Function:
    """What may be called, as the row describes it: parameters in BFCL's own types."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExpectedCall:
    """A call that is wanted: for each parameter the values that are right, "" among them where it may be left out."""

    name: str
    arguments: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Row:
    """One question. digest tells whether a row that was answered once is still the same."""

    row_id: str
    category: Category
    messages: tuple[Message, ...]
    functions: tuple[Function, ...]
    expected: tuple[ExpectedCall, ...]
    digest: str


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _MessageLine(_Line):
    role: Literal["system", "user", "assistant"]
    content: str


class _FunctionLine(_Line):
    name: str = Field(min_length=1)
    description: str
    parameters: dict[str, Any]


class _RowLine(_Line):
    id: str
    question: list[list[_MessageLine]] = Field(min_length=1, max_length=1)
    function: list[_FunctionLine] = Field(min_length=1)


class _AnswerLine(_Line):
    id: str
    ground_truth: list[dict[str, dict[str, list[Any]]]] = Field(min_length=1)


_LineT = TypeVar("_LineT", _RowLine, _AnswerLine)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A line of a file that was understood, and where it stands."""

    path: Path
    number: int
    text: str

    def mistake(self, message: str, field: str = "", hint: str = "") -> ContentError:
        return ContentError(message, path=self.path, line=self.number, field=field, hint=hint)


def read_rows(folder: Path, category: Category) -> tuple[Row, ...]:
    """A category's rows with their answers. Raises: SettingsError for a missing file, ContentError for a bad line."""
    source = SOURCES[category]
    path = _find(folder, source.names)
    answers = _read_answers(_find(folder / ANSWERS_FOLDER, (path.name,))) if source.has_answers else {}
    rows: dict[str, Row] = {}
    for place, line in _lines(path, _RowLine):
        if line.id in rows:
            raise place.mistake(f"{line.id!r} stands here a second time", "id")
        answer = answers.pop(line.id, None)
        if answer is None and source.has_answers:
            raise place.mistake(f"{line.id!r} has no answer", "id", f"{ANSWERS_FOLDER}/{path.name} should hold one")
        rows[line.id] = _row(category, place, line, answer)
    for place, answer_line in answers.values():
        raise place.mistake(f"{answer_line.id!r} answers no row", "id", f"{path} should hold it")
    return tuple(rows.values())


def _read_answers(path: Path) -> dict[str, tuple[_Placed, _AnswerLine]]:
    """Raises: ContentError."""
    out: dict[str, tuple[_Placed, _AnswerLine]] = {}
    for place, line in _lines(path, _AnswerLine):
        if line.id in out:
            raise place.mistake(f"{line.id!r} is answered a second time", "id")
        for index, call in enumerate(line.ground_truth):
            if len(call) != 1:
                raise place.mistake(f"a call has one name, not {list(call)!r}", f"ground_truth.{index}")
        out[line.id] = (place, line)
    return out


def _row(category: Category, place: _Placed, line: _RowLine, answer: tuple[_Placed, _AnswerLine] | None) -> Row:
    """Raises: ContentError for a description that is no schema, or an answer that calls what is not there."""
    functions = tuple(Function(one.name, one.description, one.parameters) for one in line.function)
    _check_functions(place, functions)
    return Row(
        line.id,
        category,
        tuple(Message(one.role, one.content) for one in line.question[0]),
        functions,
        _expected(*answer, functions) if answer else (),
        _digest(place.text, answer[0].text if answer else ""),
    )


def _check_functions(place: _Placed, functions: tuple[Function, ...]) -> None:
    """Raises: ContentError."""
    known: set[str] = set()
    for index, function in enumerate(functions):
        if function.name in known:
            raise place.mistake(f"{function.name!r} is described a second time", f"function.{index}.name")
        known.add(function.name)
        try:
            parameters_schema(function.parameters)
        except SchemaFault as exc:
            raise place.mistake(str(exc), f"function.{index}.parameters.{exc.field}") from exc


def _expected(place: _Placed, line: _AnswerLine, functions: tuple[Function, ...]) -> tuple[ExpectedCall, ...]:
    """Raises: ContentError."""
    names = [function.name for function in functions]
    calls = [(name, arguments) for call in line.ground_truth for name, arguments in call.items()]
    for index, (name, _) in enumerate(calls):
        if name not in names:
            hint = f"it has: {', '.join(names)}"
            raise place.mistake(f"{name!r} is no function of {line.id!r}", f"ground_truth.{index}", hint)
    return tuple(ExpectedCall(name, {key: tuple(values) for key, values in given.items()}) for name, given in calls)


def _lines(path: Path, shape: type[_LineT]) -> Iterator[tuple[_Placed, _LineT]]:
    """The lines of a file, blank ones left out. Raises: ContentError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ContentError(f"cannot be read: {exc}", path=path) from exc
    for number, written in enumerate(text.split("\n"), 1):
        if written.strip():
            place = _Placed(path, number, written)
            yield place, _understood(place, shape)


def _understood(place: _Placed, shape: type[_LineT]) -> _LineT:
    """Raises: ContentError."""
    try:
        return shape.model_validate(json.loads(place.text))
    except ValidationError as exc:
        first = exc.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise place.mistake(f"{first['msg'].lower()}, not {first['input']!r}", field) from exc
    except (ValueError, RecursionError) as exc:
        raise place.mistake(f"is no line of JSON: {exc}") from exc


def _find(folder: Path, names: tuple[str, ...]) -> Path:
    """The file of one of these names, whole or after BFCL_v and the highest version. Raises: SettingsError."""
    wanted = re.compile(r"(?:BFCL_v(\d+)_)?(" + "|".join(map(re.escape, names)) + r")(?:\.json)?")
    found = [(match, path) for path in folder.glob("*.json") if (match := wanted.fullmatch(path.name))]
    if not found:
        hint = "--data names the folder with the leaderboard's BFCL_v4_*.json and possible_answer/"
        raise SettingsError(f"{str(folder)!r} holds no BFCL_v*_{names[0].removesuffix('.json')}.json", hint=hint)
    return max(found, key=lambda one: (int(one[0][1] or 0), -names.index(one[0][2])))[1]


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
