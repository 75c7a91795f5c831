"""Makes the evening's pictures fit for a README, by drawing them smaller. Called by __main__.py."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

SIZE = (1280, 720)


def make_small(path: Path) -> None:
    """Mutates: the file. Raises: OSError."""
    with Image.open(path) as image:
        small = image.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    small.save(path, optimize=True)
