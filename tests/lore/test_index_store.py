"""Indexes on disk: used again for the same words, made again for others or where a file is damaged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from npc_sdk.errors import SettingsError
from npc_sdk.lore import index_store
from npc_sdk.lore.book import LoreBook
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.lore.index_store import KEPT_INDEXES, IndexStore, OnProgress
from npc_sdk.lore.lexical import Floats, LexicalIndex, build_lexical
from npc_sdk.lore.scan import Scan, Viewer
from npc_sdk.lore.semantic import OnDone

TEXTS = ("stone bridge", "old mill", "mill stone")


class _Counting:
    """An embedder that remembers what it was asked to read."""

    def __init__(self, fingerprint: str = "counting") -> None:
        self.fingerprint = fingerprint
        self.read: list[str] = []

    def passages(self, texts: Sequence[str], on_done: OnDone | None = None) -> Floats:
        self.read += texts
        for done in range(1, len(texts) + 1):
            if on_done:
                on_done(done)
        return np.asarray([[len(text), 1] for text in texts], dtype=np.float32).reshape(len(texts), 2)

    def query(self, text: str) -> Floats:
        raise NotImplementedError


def _index(texts: Sequence[str] = TEXTS) -> LexicalIndex:
    return build_lexical([text.split() for text in texts])


def _never() -> LexicalIndex:
    raise AssertionError("made again")


def _only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def _listener(told: list[str]) -> OnProgress:
    def hear(_done: int, _total: int, what: str) -> None:
        told.append(what)

    return hear


def _same(one: LexicalIndex, other: LexicalIndex) -> bool:
    return all(np.array_equal(one.scores([stem]), other.scores([stem])) for stem in {*one.stems, *other.stems})


def test_an_index_is_used_again(tmp_path: Path) -> None:
    made = IndexStore(tmp_path).lexical(TEXTS, "English", _index)
    kept = IndexStore(tmp_path).lexical(TEXTS, "English", _never)
    assert kept.stems == made.stems
    assert kept.mean_length == made.mean_length
    assert _same(kept, made)


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        pytest.param(TEXTS[:2], "English", id="fewer"),
        pytest.param((*TEXTS[:2], "mill stones"), "English", id="another word"),
        pytest.param(TEXTS[::-1], "English", id="another order"),
        pytest.param(("stone bridgeold", "mill", "mill stone"), "English", id="cut elsewhere"),
        pytest.param(TEXTS, "German", id="another language"),
    ],
)
def test_other_words_are_another_index(tmp_path: Path, texts: Sequence[str], language: str) -> None:
    store = IndexStore(tmp_path)
    store.lexical(TEXTS, "English", _index)
    made = store.lexical(texts, language, lambda: _index(texts))
    assert made.passage_count == len(texts)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_index_of_no_word_is_kept_too(tmp_path: Path) -> None:
    IndexStore(tmp_path).lexical(["", ""], "English", lambda: build_lexical([[], []]))
    assert IndexStore(tmp_path).lexical(["", ""], "English", _never).stems == ()


def test_only_the_latest_indexes_are_kept(tmp_path: Path) -> None:
    store = IndexStore(tmp_path)
    for number in range(KEPT_INDEXES + 3):
        store.lexical([f"word{number}"], "English", lambda number=number: _index([f"word{number}"]))  # type: ignore[misc]
        for path in tmp_path.iterdir():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 10))
    assert len(list(tmp_path.iterdir())) == KEPT_INDEXES
    store.lexical([f"word{KEPT_INDEXES + 2}"], "English", _never)


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.99])
def test_a_file_with_a_wrong_byte_is_made_again_and_told(tmp_path: Path, share: float) -> None:
    made = IndexStore(tmp_path).lexical(TEXTS, "English", _index)
    path = _only_file(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(_flip(whole, int(share * (len(whole) - 1))))
    told: list[str] = []
    again = IndexStore(tmp_path, _listener(told)).lexical(TEXTS, "English", _index)
    assert _same(again, made)
    assert told in ([f"{path.name} is damaged and is made again"], [])  # a byte that nothing reads does no harm
    assert IndexStore(tmp_path).lexical(TEXTS, "English", _never).stems == made.stems


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_file_that_was_cut_off_is_made_again(tmp_path: Path, length: int) -> None:
    IndexStore(tmp_path).lexical(TEXTS, "English", _index)
    path = _only_file(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    told: list[str] = []
    IndexStore(tmp_path, _listener(told)).lexical(TEXTS, "English", _index)
    assert told == [f"{path.name} is damaged and is made again"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("passages", lambda array: array + 7, id="a passage that is not there"),
        pytest.param("starts", lambda array: array[::-1], id="starts out of order"),
        pytest.param("starts", lambda array: array[:-1], id="starts that do not fit"),
        pytest.param("weights", lambda array: array[:-1], id="weights that do not fit"),
        pytest.param("sizes", lambda array: array + 1, id="another size"),
    ],
)
def test_parts_that_do_not_fit_are_made_again(tmp_path: Path, name: str, change: object) -> None:
    IndexStore(tmp_path).lexical(TEXTS, "English", _index)
    path = _only_file(tmp_path)
    with np.load(path) as arrays:
        held = dict(arrays)
    assert callable(change)
    np.savez(path, **{**held, name: change(held[name])})
    told: list[str] = []
    IndexStore(tmp_path, _listener(told)).lexical(TEXTS, "English", _index)
    assert told == [f"{path.name} is damaged and is made again"]


def test_only_new_passages_are_read_for_their_meaning(tmp_path: Path) -> None:
    first = _Counting()
    vectors = IndexStore(tmp_path).vectors(TEXTS, first)
    assert first.read == list(TEXTS)
    edited = ("stone bridge", "new mill", "mill stone")
    second = _Counting()
    again = IndexStore(tmp_path).vectors(edited, second)
    assert second.read == ["new mill"]
    np.testing.assert_array_equal(again[[0, 2]], vectors[[0, 2]])
    third = _Counting()
    np.testing.assert_array_equal(IndexStore(tmp_path).vectors(TEXTS, third), vectors)
    assert third.read == []


def test_the_same_passage_is_read_once(tmp_path: Path) -> None:
    embedder = _Counting()
    assert IndexStore(tmp_path).vectors(["a b", "a b"], embedder).tolist() == [[3, 1], [3, 1]]
    assert embedder.read == ["a b"]


def test_another_model_has_vectors_of_its_own(tmp_path: Path) -> None:
    IndexStore(tmp_path).vectors(TEXTS, _Counting("one"))
    other = _Counting("other")
    IndexStore(tmp_path).vectors(TEXTS, other)
    assert other.read == list(TEXTS)


def test_an_interrupted_reading_goes_on_from_the_last_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_store, "PART", 2)

    class _Interrupted(_Counting):
        def passages(self, texts: Sequence[str], on_done: OnDone | None = None) -> Floats:
            if self.read:
                raise KeyboardInterrupt
            return super().passages(texts, on_done)

    with pytest.raises(KeyboardInterrupt):
        IndexStore(tmp_path).vectors(TEXTS, _Interrupted())
    rest = _Counting()
    IndexStore(tmp_path).vectors(TEXTS, rest)
    assert rest.read == [TEXTS[2]]


def test_no_passage_has_no_vector(tmp_path: Path) -> None:
    assert IndexStore(tmp_path).vectors([], _Counting()).shape == (0, 2)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    entries = [LoreEntry(f"e{n}", f"House {n}.") for n in range(3)]
    LoreBook.build(entries, embedder=_Counting(), cache_dir=tmp_path, on_progress=lambda *how: told.append(how))
    assert (3, 3, "reading the words of passages") in told
    assert (3, 3, "reading the meaning of passages") in told


def test_a_kept_book_finds_the_same(tmp_path: Path) -> None:
    entries = [LoreEntry(f"e{n}", f"House {n} stands in street {n % 7}.", (f"house {n}",)) for n in range(50)]
    scan = Scan(Viewer("mara"), ("street 5, house 12",))
    plain = LoreBook(entries).search(scan)
    for _ in range(2):
        kept = LoreBook.build(entries, cache_dir=tmp_path).search(scan)
        assert [match.why for match in kept.matches] == [match.why for match in plain.matches]


def test_no_partial_file_is_left_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(SettingsError, match="cannot be written: No space left"):
        IndexStore(tmp_path).lexical(TEXTS, "English", _index)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="cannot be written"):
        IndexStore(tmp_path / "file" / "cache")


def test_an_index_that_another_process_removed_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = IndexStore(tmp_path)
    monkeypatch.setattr(Path, "glob", lambda folder, _: iter([folder / "words-gone.npz"] * 9))
    assert store.lexical(["mill"], "English", lambda: build_lexical([["mill"]])).passage_count == 1
