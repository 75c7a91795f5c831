"""What the check of an answer comes to: right, or wrong for one reason. Called by all who check, keep and count."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why an answer is wrong. Those about one call stand in the order in which they are looked for."""

    TOO_LONG = "too_long"  # the prompt does not fit the model's window; nothing was asked
    REFUSED = "refused"  # the engine would not take the request
    CUT_OFF = "cut_off"  # the answer reached its limit of tokens and is wrong
    MALFORMED = "malformed"  # a call that cannot be read
    NO_CALL = "no_call"
    NEEDLESS_CALL = "needless_call"
    WRONG_COUNT = "wrong_count"
    WRONG_FUNCTION = "wrong_function"
    MISSING_REQUIRED = "missing_required"
    UNEXPECTED_PARAMETER = "unexpected_parameter"
    WRONG_TYPE = "wrong_type"
    WRONG_VALUE = "wrong_value"
    MISSING_OPTIONAL = "missing_optional"  # not required, but left out though the answer wants it


@dataclass(frozen=True, slots=True)
class Verdict:
    """Right where there is no reason; detail is for people."""

    reason: Reason | None = None
    detail: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the answer counts."""
        return self.reason is None


RIGHT = Verdict()
