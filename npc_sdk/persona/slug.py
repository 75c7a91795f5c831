"""Short names for ids, made of what people wrote: letters and digits of any script, in small letters, with '-' between.

Called by lore/markdown.py for headings and persona/timeline.py for entries without an id.
"""

from __future__ import annotations

import re
import unicodedata

MAX_CHARS = 60


def slug(text: str, words: int | None = None) -> str:
    """``The old mill`` as ``the-old-mill``, of so many words; empty where nothing is a letter or a digit."""
    plain = "".join(map(_plain, unicodedata.normalize("NFC", text))).lower()
    parts = [part for part in re.split(r"[\x00-/:-`{-\x7f]+", plain) if part]
    return "-".join(parts[:words])[:MAX_CHARS].strip("-")


def is_sign(sign: str) -> bool:
    """Whether a sign is a letter or a digit of some script, or a mark that belongs to one."""
    return sign.isalnum() or unicodedata.category(sign).startswith("M")


def _plain(sign: str) -> str:
    """Without accents where that is a plain letter; signs that are neither letter nor digit are left out."""
    plain = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return plain or (sign if is_sign(sign) else "")
