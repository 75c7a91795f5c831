"""Whether a token is the right one, and the log of those whose was not. Called by gate.py and auth.py."""

from __future__ import annotations

import hmac
import logging
import time

log = logging.getLogger(__name__)

_LOG_EVERY_S = 5.0


def is_token(shown: bytes, token: bytes) -> bool:
    """In a time that does not tell how much of it was right."""
    return hmac.compare_digest(shown, token)


class RefusalLog:
    """One line for as many refusals as come within some seconds, so that nobody can fill the log."""

    def __init__(self) -> None:
        self._refused = 0
        self._logged_s = -_LOG_EVERY_S

    def note(self, address: str, reason: str) -> None:
        """reason must not hold what was shown."""
        self._refused += 1
        now_s = time.monotonic()
        if now_s - self._logged_s < _LOG_EVERY_S:
            return
        log.warning("%d refused with a wrong token or key, the last from %s (%s)", self._refused, address, reason)
        self._refused, self._logged_s = 0, now_s
