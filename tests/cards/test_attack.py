"""A short run of the attack; the long one is ``python -m tests.cards.attack``."""

from __future__ import annotations

from pathlib import Path

from tests.cards.attack import MAKERS, attack


def test_hostile_files_are_refused_and_what_is_written_is_sound(tmp_path: Path) -> None:
    tally = attack(200, 7, tmp_path)
    assert tally.wrong == []
    assert tally.unsound == []
    assert tally.accepted + tally.refused == 200
    assert set(tally.kinds) == {maker.__name__ for maker in MAKERS}
