"""What a character's folder can be called, so that it works in files, in conditions and on every system.

Called by cards/imported.py, `npc import` and `npc new`.
"""

from __future__ import annotations

import re

ID_CHARS = 48
_NPC_ID = re.compile(r"[a-z][a-z0-9_]{0,47}")
_TAKEN = frozenset({"world", "player", "personas"})  # the shared folder, the other side of relationships, the root
DEVICES = frozenset({"con", "nul", "aux", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})


def is_npc_id(name: str) -> bool:
    """Whether a character's folder can have this name."""
    return _NPC_ID.fullmatch(name) is not None and not is_reserved(name)


def is_reserved(name: str) -> bool:
    """Whether a name means something else, to us or (as files and folders called so do) to Windows."""
    return name in _TAKEN or name in DEVICES


def is_well_spelled(name: str) -> bool:
    """Whether a name has the signs of an id."""
    return _NPC_ID.fullmatch(name) is not None


def freed(name: str) -> str:
    """The name, changed where it is reserved."""
    return f"{name}_npc" if is_reserved(name) else name
