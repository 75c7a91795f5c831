"""Makes the sensible server a fixture of every test here, and the output that of no terminal in particular."""

import pytest
from tavern_server import serve

__all__ = ["serve"]


@pytest.fixture(autouse=True)
def no_terminal_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the one who runs the tests has set for their own eyes."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
