"""Whatever the cuts, text comes out whole: no broken code point, no piece of a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from npc_sdk.decoding.detokenize import Detokenizer, StopHolder

Decode = Callable[[Sequence[int]], str]

TEXTS = ["plain", "näïve", "→ 東京 🏰 ends", "🏰", "é" * 5, "a\u0301b", "\u200d👩\u200d🚀"]


def _lossy(ids: Sequence[int]) -> str:
    """Bytes as tokens, as byte-level vocabularies decode them."""
    return bytes(ids).decode("utf-8", errors="replace")


def _fallback(ids: Sequence[int]) -> str:
    """Bytes as tokens, as sentencepiece's byte fallback decodes them: a run that is not whole is all replacements."""
    try:
        return bytes(ids).decode("utf-8")
    except UnicodeDecodeError:
        return "\ufffd" * len(ids)


def _pieces(ids: Sequence[int], decode: Decode) -> list[str]:
    detokenizer = Detokenizer(decode)
    return [*(detokenizer.feed(one) for one in ids), detokenizer.flush()]


@pytest.mark.parametrize("decode", [_lossy, _fallback])
@pytest.mark.parametrize("text", TEXTS)
def test_bytes_come_out_as_whole_code_points(text: str, decode: Decode) -> None:
    pieces = _pieces(list(text.encode()), decode)
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_cut_anywhere_give_the_same_text(text: str) -> None:
    data = text.encode()
    for first in range(len(data) + 1):
        for second in range(first, len(data) + 1):
            vocabulary = [data[:first], data[first:second], data[second:]]
            pieces = _pieces([0, 1, 2], lambda ids, v=vocabulary: b"".join(v[i] for i in ids).decode(errors="replace"))
            assert "".join(pieces) == text


def test_a_broken_end_shows_at_the_flush() -> None:
    assert _pieces(list(b"ab\xf0\x9f"), _lossy) == ["a", "b", "", "", "\ufffd"]


def test_broken_bytes_amid_text_show_and_nothing_after_them_is_lost() -> None:
    assert "".join(_pieces(list(b"a\xff\xfeb c"), _lossy)) == "a\ufffd\ufffdb c"


def test_the_space_before_a_word_depends_on_what_is_before_it() -> None:
    words = ["\u2581Well", "\u2581met", ",", "\u2581friend"]

    def decode(ids: Sequence[int]) -> str:
        return "".join(words[i] for i in ids).replace("\u2581", " ").removeprefix(" ")

    assert _pieces([0, 1, 2, 3], decode) == ["Well", " met", ",", " friend", ""]


def test_only_a_short_window_is_decoded() -> None:
    seen: list[int] = []

    def decode(ids: Sequence[int]) -> str:
        seen.append(len(ids))
        return _lossy(ids)

    _pieces(list(("long " * 200).encode()), decode)
    assert max(seen) <= 4


STOP_CASES = [
    pytest.param(("STOP",), "go on STOP here", "go on ", id="in the middle"),
    pytest.param(("STOP",), "STOP", "", id="at once"),
    pytest.param(("STOP",), "no end STO", None, id="only its start"),
    pytest.param(("STOP",), "SSTOSTOP!", "SSTO", id="after false starts"),
    pytest.param(("aab",), "aaab", "a", id="overlapping itself"),
    pytest.param(("\nPlayer:", "\n\n"), "yes\n\nPlayer: x", "yes", id="two that begin alike"),
    pytest.param(("abcd", "bc"), "xabcd", "xa", id="the one complete first wins"),
    pytest.param(("end", "the end"), "it is the end.", "it is ", id="one inside the other"),
    pytest.param((), "no stops", None, id="none"),
]


@pytest.mark.parametrize(("stops", "text", "expected"), STOP_CASES)
def test_stop_strings_cut_the_same_wherever_the_text_is_cut(
    stops: tuple[str, ...], text: str, expected: str | None
) -> None:
    cuts = [[text], list(text)]
    cuts += [[text[:a], text[a:b], text[b:]] for a in range(len(text) + 1) for b in range(a, len(text) + 1)]
    for pieces in cuts:
        holder = StopHolder(stops)
        out = "".join(holder.feed(piece) for piece in pieces)
        assert holder.is_stopped == (expected is not None), pieces
        assert out + holder.flush() == (text if expected is None else expected), pieces


def test_text_that_cannot_become_a_stop_is_not_held() -> None:
    holder = StopHolder(("STOP",))
    assert [holder.feed(one) for one in "aSTxS"] == ["a", "", "", "STx", ""]
    assert holder.flush() == "S"


def test_nothing_comes_after_a_stop() -> None:
    holder = StopHolder((".",))
    assert [holder.feed("a."), holder.feed("b"), holder.flush()] == ["a", "", ""]


def test_bytes_that_never_become_a_code_point_are_not_held_for_ever() -> None:
    decoded: list[int] = []

    def decode(ids: Sequence[int]) -> str:
        decoded.append(len(ids))
        return bytes(ids).decode("utf-8", errors="replace")

    detokenizer = Detokenizer(decode)
    pieces = [detokenizer.feed(0x80) for _ in range(200)]
    assert "".join(pieces) + detokenizer.flush() == "\ufffd" * 200
    assert any(pieces)
    assert max(decoded) < 50
