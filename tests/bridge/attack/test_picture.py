"""I1 in short: every bomb and some hundred broken pictures, and that the attack sees what it looks for."""

from __future__ import annotations

import os
from contextlib import nullcontext

import pytest

from game_bridge.attack import picture
from game_bridge.attack.child import found_by
from game_bridge.attack.picture_png import png_bombs
from npc_sdk.messages import ImagePart
from npc_sdk.vision import decode as decode_module
from npc_sdk.vision import png as png_module


def nobody(_told: str) -> None:
    """Progress is of no interest here."""


def test_broken_pictures_and_bombs_are_refused_with_a_type_and_little_memory() -> None:
    found, crash = found_by(picture.__name__, 300, nobody)
    assert crash == ""
    tally = picture.Tally(**found)
    assert tally.untyped == []
    assert tally.shown > 300 + 40, "the bombs as well"
    assert 0 < tally.refused < tally.shown
    assert tally.extra_mb < picture.MAX_EXTRA_MB
    assert not os.access("/proc/self/clear_refs", os.W_OK) or tally.extra_mb > 0, "else nobody tells of the peak"


def test_a_fault_of_the_decoder_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    tally = picture.Tally()
    monkeypatch.setattr(decode_module, "read_file", fails)
    part = ImagePart("image/png", b"x")
    picture.show(tally, "a picture", part)
    assert tally.untyped == ["a picture: ZeroDivisionError: a bug"]


def test_a_transparency_that_nobody_checks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_module, "_check_colours", lambda *_: None)
    monkeypatch.setattr(decode_module, "_told_as_broken", nullcontext)
    tally = picture.Tally()
    for name, part in png_bombs():
        if name.endswith("257 of transparency"):
            picture.show(tally, name, part)
    assert tally.shown > 0
    assert any("ValueError" in told for told in tally.untyped)


def test_a_process_that_dies_is_seen() -> None:
    found, crash = found_by("game_bridge.attack.verdict_that_is_not_there", 1, nobody)
    assert found == {}
    assert crash == "game_bridge.attack.verdict_that_is_not_there ended with 1"
