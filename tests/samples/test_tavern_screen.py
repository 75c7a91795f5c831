"""How the evening looks: plain where piped, coloured on a terminal, wrapped at the width, whole in the transcript."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from npc_sdk.errors import ConnectionLost
from npc_sdk.events import ReplyFailed, ReplyFinished, Timings, ToolSettled, Usage
from npc_sdk.messages import ToolResult
from samples.tavern_text.screen import Screen
from samples.tavern_text.tally import Tally

REPLY = ReplyFinished("r", "Hm.", "stop", Usage(100, 0, 11), Timings(first_token_s=0.25, decode_s=0.5))


class Utf8(io.StringIO):
    encoding = "utf-8"


class Latin(io.StringIO):
    encoding = "latin-1"


def drawn(out: io.StringIO, **options: object) -> str:
    """An evening's worth of output."""
    console = Console(file=out, width=48, highlight=False, **options)  # type: ignore[arg-type]
    screen = Screen(console)
    screen.title("The lost hammer", "Robin arrives.")
    with screen.waiting("The village wakes up") as on_progress:
        on_progress("1/2")
    speech = screen.speech("Mara")
    for piece in ("I will ", "sell you the lantern, ", "but only for four good coins of silver."):
        speech.write(piece)
    speech.end()
    screen.act("Mara sells: lantern")
    screen.refusal("refused", "You do not hold a rope.")
    screen.corner(REPLY)
    screen.error(ConnectionLost("the server is gone", hint="start it"))
    return out.getvalue()


def test_piped_output_has_no_control_codes_and_wraps_at_the_width() -> None:
    text = drawn(Utf8())
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 48
    assert "Mara: I will sell you the lantern, but" in text
    assert "⚒ Mara sells: lantern" in text
    assert "✗ refused: You do not hold a rope." in text
    assert "0.25 s to the first token · 20 tokens/s" in text
    assert "start it" in text


def test_terminal_output_is_coloured_with_the_timings_in_the_right_corner() -> None:
    text = drawn(Utf8(), force_terminal=True, color_system="standard")
    assert "\x1b[32m" in text
    assert "    \x1b[2m0.25 s to the first token" in text
    assert text.index("good coins of silver") < text.index("Mara sells")


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in drawn(Utf8(), force_terminal=True)


def test_signs_give_way_to_letters_where_the_output_cannot_carry_them() -> None:
    text = drawn(Latin())
    text.encode("latin-1")
    assert "* Mara sells: lantern" in text
    assert "x refused" in text


def test_silence_leaves_nothing() -> None:
    out = Utf8()
    Screen(Console(file=out)).speech("Mara").end()
    assert out.getvalue() == ""


def test_transcript_holds_the_same_lines_without_codes() -> None:
    kept = Utf8()
    screen = Screen(Console(file=Utf8(), force_terminal=True), transcript=kept)
    screen.player("Robin", "Here is your silver hammer.")
    screen.act("Mara takes: silver hammer")
    assert kept.getvalue() == "Robin: Here is your silver hammer.\n  ⚒ Mara takes: silver hammer\n"


def test_each_character_keeps_its_colour() -> None:
    screen = Screen(Console(file=Utf8()))
    first, second = screen.colour_of("Mara"), screen.colour_of("Pip")
    assert first != second
    assert screen.colour_of("Mara") == first


def test_tally_counts_acts_failures_and_speed() -> None:
    tally = Tally()
    tally.said("Mara")
    tally.said("Pip")
    for status in ("accepted", "accepted", "refused", "invalid"):
        tally.saw(ToolSettled("r", ToolResult("c", "give_item", status)))
    tally.saw(REPLY)
    tally.saw(ReplyFailed("r", ConnectionLost("gone")))
    rows = dict(tally.summary({"the lost hammer": "given"}))
    assert rows == {
        "lines": "2 (0 of them rephrased)",
        "characters": "Mara 1, Pip 1",
        "tools accepted": "give_item 2",
        "tools refused": "give_item 1",
        "tools invalid": "give_item 1",
        "replies failed": "1",
        "quests": "the lost hammer: given",
        "first token, median": "0.25 s",
        "tokens a second": "20.0",
    }


def test_tally_without_replies_claims_no_speed() -> None:
    rows = dict(Tally().summary({}))
    assert rows["tokens a second"] == rows["first token, median"] == "not measured"
