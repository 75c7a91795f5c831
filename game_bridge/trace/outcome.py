"""What a conversation came to, and how two of them differ. Called by replay.py for the recording and for its replay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_NO_END = "no end"


@dataclass(slots=True)
class Outcome:
    """Of one connection: how each request ended, in which order, its calls and text, and what answered each ref."""

    ends: dict[str, str] = field(default_factory=dict)
    calls: dict[str, list[str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    answers: dict[int, str] = field(default_factory=dict)

    def hear(self, body: dict[str, Any]) -> None:
        """One of the server's messages."""
        kind, request_id, ref = body.get("type"), body.get("request_id"), body.get("ref")
        if kind == "finished" and isinstance(request_id, str):
            self.ends[request_id] = f"finished ({body.get('finish_reason')})"
            self.texts[request_id] = str(body.get("text"))
        elif kind == "failed" and isinstance(request_id, str):
            self.ends[request_id] = f"failed ({body.get('code')})"
        elif kind == "tool_settled" and isinstance(request_id, str):
            self.calls.setdefault(request_id, []).append(f"{body.get('name')} {body.get('status')}")
        elif isinstance(ref, int):
            self.answers[ref] = f"error ({body.get('code')})" if kind == "error" else str(kind)


def differences(before: Outcome, after: Outcome, *, is_exact: bool) -> Iterator[str]:
    """A line for each thing that is not as it was; the words themselves only where is_exact."""
    for ref, answer in before.answers.items():
        if after.answers.get(ref) != answer:
            yield f"ref {ref}: {answer} became {after.answers.get(ref, 'no answer')}"
    for request_id in {**before.ends, **after.ends}:
        was, became = before.ends.get(request_id, _NO_END), after.ends.get(request_id, _NO_END)
        if was != became:
            yield f"{request_id}: {was} became {became}"
        calls, then = before.calls.get(request_id, []), after.calls.get(request_id, [])
        if calls != then:
            yield f"{request_id}: calls {_listed(calls)} became {_listed(then)}"
        if is_exact and was == became and before.texts.get(request_id) != after.texts.get(request_id):
            yield f"{request_id}: {before.texts.get(request_id)!r} became {after.texts.get(request_id)!r}"
    if set(before.ends) == set(after.ends) and list(before.ends) != list(after.ends):
        yield f"requests ended in another order: {_listed(list(before.ends))} became {_listed(list(after.ends))}"


def _listed(items: list[str]) -> str:
    return ", ".join(items) or "none"
