"""Whether a token is the right one, and a log that those whose is not cannot fill. Called by gate.py and auth.py."""

from __future__ import annotations

import hmac
import logging
import time

from game_bridge.credential import USER

log = logging.getLogger(__name__)

REFUSED = "%d refused with a wrong token or key, the last from %s (%s)"
_LOG_EVERY_S = 5.0


def is_token(shown: bytes, token: bytes) -> bool:
    """Whether they are the same, in a time that does not tell how much of it was right."""
    return hmac.compare_digest(shown, token)


def is_game(user: bytes, shown: bytes, *, token: bytes) -> bool:
    """Whether PLAIN's name and password are the right ones; both are looked at, whatever the first one was."""
    return is_token(user, USER.encode()) & is_token(shown, token)


class RareWarning:
    """One line for as many occasions as come within some seconds, so that nobody can fill the log.

    form has a place for their number, and for what is told of the last.
    """

    def __init__(self, form: str) -> None:
        self._form = form
        self._count = 0
        self._logged_s = -_LOG_EVERY_S

    def note(self, *last: object) -> None:
        """last must not hold a token."""
        self._count += 1
        now_s = time.monotonic()
        if now_s - self._logged_s < _LOG_EVERY_S:
            return
        log.warning(self._form, self._count, *last)
        self._count, self._logged_s = 0, now_s
