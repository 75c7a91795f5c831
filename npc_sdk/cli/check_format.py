"""The three forms in which `npc check` tells what it found: text for people, JSON for scripts, SARIF for code hosts.

Knows findings only, not how they were made.
Source: Static Analysis Results Interchange Format (SARIF) 2.1.0, OASIS Standard.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from npc_sdk.errors import ContentError

Severity: TypeAlias = Literal["error", "note"]

_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake ("error"), or what only may be one ("note")."""

    problem: ContentError
    severity: Severity

    @property
    def rule(self) -> str:
        """The kind of mistake, a name that stays the same from version to version."""
        return next((rule for rule, (pattern, _) in _RULES.items() if re.search(pattern, self.problem.message)), _OTHER)


# A kind of mistake, the words in a message that tell of it, and what a page of findings says about the kind.
_RULES = {
    "content/leak": (r"^leak: ", "A character is told what it must not know."),
    "content/yaml": (
        r"not valid YAML|': ' stands|a tab is used|a quote is opened|keeps for itself|neither ': '|is not closed"
        r"|line up with|is not UTF-8|the alias|the tag|nested deeper|cannot be read as|is not text",
        "The file is not the YAML that authors write.",
    ),
    "content/unknown-key": (r"^unknown (key|attribute)", "A key that means nothing here."),
    "content/missing": (
        r"is missing|has no value|item is empty|file is empty|has no text|no entry",
        "Something is not there.",
    ),
    "content/twice": (r"\btwice\b|the name of a tool too", "A name or an id is given twice."),
    "content/unknown-name": (
        r"there (is|are) no\b|^the world has no|is no (kind|month)|^unknown ",
        "A name that nothing has.",
    ),
    "content/template": (r"^'.*': ", "A line that cannot be filled from the game's state."),
    "content/scope": (r"nobody|never|private lore", "A fact that nobody can know, or that the wrong ones would."),
    "content/value": (r"^should |^'.*' is no\b", "A value of the wrong kind or size."),
    "content/file": (
        r"does not exist|cannot be (read|checked|found)|is not lore|link leads",
        "A file that cannot be used.",
    ),
}
_OTHER = "content/mistake"


def write(findings: Sequence[Finding], form: Format, summary: str) -> Iterator[str]:
    """What is printed, piece by piece; the summary is for people only."""
    if form is Format.TEXT:
        yield from _text(findings)
        yield summary
    else:
        told = _json(findings) if form is Format.JSON else _sarif(findings)
        yield json.dumps(told, indent=2, ensure_ascii=False)


def _text(findings: Iterable[Finding]) -> Iterator[str]:
    """A line each, with an empty line between files; editors jump to a place at the start of a line."""
    for at, (_, group) in enumerate(itertools.groupby(findings, key=lambda finding: finding.problem.path)):
        if at:
            yield ""
        for finding in group:
            note = "note: " if finding.severity == "note" else ""
            yield f"{note}{finding.problem}"


def _json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "path": str(finding.problem.path),
            "line": finding.problem.line,
            "column": finding.problem.column,
            "field": finding.problem.field,
            "message": finding.problem.message,
            "hint": finding.problem.hint,
            "severity": finding.severity,
            "rule": finding.rule,
        }
        for finding in findings
    ]


def _sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    used = sorted({finding.rule for finding in findings})
    rules = [{"id": rule, "shortDescription": {"text": _about(rule)}} for rule in used]
    driver = {"name": "npc check", "rules": rules}
    results = [_result(finding, used.index(finding.rule)) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _about(rule: str) -> str:
    return _RULES[rule][1] if rule in _RULES else "Something else that is wrong."


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    problem = finding.problem
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(problem.path)}}
    if problem.line:
        column = {"startColumn": problem.column} if problem.column else {}
        place["region"] = {"startLine": problem.line, **column}
    told = f"{problem.field}: {problem.message}" if problem.field else problem.message
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": finding.severity,
        "message": {"text": f"{told} ({problem.hint})" if problem.hint else told},
        "locations": [{"physicalLocation": place}],
    }


def _uri(path: Path) -> str:
    """Relative to the folder that the command runs in, as code hosts want it; elsewhere the file's own address."""
    whole, here = path.resolve(), Path.cwd().resolve()
    return quote(whole.relative_to(here).as_posix()) if whole.is_relative_to(here) else whole.as_uri()
