"""What this process holds. Only Linux tells; elsewhere everything reads as 0. Units: MB of 2^20 bytes."""

from __future__ import annotations

import contextlib
from pathlib import Path

_STATUS, _FORGET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def held_mb() -> float:
    """What it holds now."""
    return _read("VmRSS:")


def peak_mb() -> float:
    """The most that it held since forget_peak."""
    return _read("VmHWM:")


def forget_peak() -> None:
    """From now on peak_mb tells of what comes; where the system does not let us, still of what was."""
    with contextlib.suppress(OSError):
        _FORGET_PEAK.write_text("5", encoding="ascii")


def _read(name: str) -> float:
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0.0)
