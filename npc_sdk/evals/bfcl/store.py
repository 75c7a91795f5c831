"""The file of finished rows, one a line, that an interrupted eval goes on from. Its first line says of which setting.

Knows no engine. Called by cli/eval.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from npc_sdk.errors import SettingsError
from npc_sdk.evals.bfcl.result import Result

_ANOTHER = "name another file with --out, or remove this one"


class ResultFile:
    """Results at a path. Lines are added whole; what a crash left of the last one is cut off."""

    def __init__(self, path: Path, setting: Mapping[str, Any]) -> None:
        self._path = path
        self._setting = dict(setting)

    def resume(self) -> list[Result]:
        """What the file holds; a new one is begun where there is none. Mutates: cuts off half a line at the end.

        Raises: SettingsError for a file of another setting, or of something else.
        """
        with self._told():
            data = self._path.read_bytes() if self._path.exists() else b""
            end = data.rfind(b"\n") + 1
            if not end:
                self._begin(data)
                return []
            lines = data[:end].splitlines()
            self._check_head(lines[0])
            results = [self._result(number, line) for number, line in enumerate(lines[1:], 2)]
            if end < len(data):
                with self._path.open("r+b") as file:
                    file.truncate(end)
        return results

    def add(self, result: Result) -> None:
        """Raises: SettingsError where the file cannot be written."""
        with self._told(), self._path.open("ab") as file:
            file.write(result.model_dump_json().encode() + b"\n")

    def _begin(self, torn: bytes) -> None:
        """Writes the first line, also over the beginning of one that is just this. Raises: SettingsError."""
        head = json.dumps({"eval": "bfcl", "setting": self._setting}).encode() + b"\n"
        if not head.startswith(torn):
            raise self._foreign("it does not begin as one does")
        self._path.write_bytes(head)

    def _check_head(self, line: bytes) -> None:
        """Raises: SettingsError."""
        try:
            head = json.loads(line)
            stored = dict(head["setting"]) if head["eval"] == "bfcl" else None
        except (ValueError, KeyError, TypeError) as exc:
            raise self._foreign(f"its first line names no setting: {exc!r}") from exc
        if stored is None:
            raise self._foreign(f"they are of {head['eval']!r}")
        for name in {**self._setting, **stored}:
            was, now = stored.get(name), self._setting.get(name)
            if was != now:
                message = f"{self._path} holds results of another setting: {name} was {was!r} and is {now!r}"
                raise SettingsError(message, hint=_ANOTHER)

    def _result(self, number: int, line: bytes) -> Result:
        """Raises: SettingsError."""
        try:
            return Result.model_validate_json(line)
        except ValidationError as exc:
            raise self._foreign(f"line {number} is none: {exc.errors()[0]['msg']}") from exc

    def _foreign(self, why: str) -> SettingsError:
        return SettingsError(f"{self._path} is no file of such results: {why}", hint=_ANOTHER)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raises: SettingsError for what the file system refuses."""
        try:
            yield
        except OSError as exc:
            hint = "name a file in a folder that exists and can be written"
            raise SettingsError(f"cannot keep results in {self._path}: {exc}", hint=hint) from exc
