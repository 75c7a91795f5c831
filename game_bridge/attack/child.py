"""An attack in a process of its own, which tells line by line how far it is, and in the last one what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]


def found_by(module: str, count: int, say: Callable[[str], None]) -> tuple[dict[str, Any], str]:
    """Its last line, and how it ended where that was a crash: then nothing was found."""
    command, last = [sys.executable, "-m", module, "--count", str(count)], ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if last:
                say(last)
            last = line.rstrip()
    if child.returncode != 0:
        return {}, f"{module} ended with {child.returncode}"
    return json.loads(last), ""
