"""Indexes kept on disk under the hash of what they were made from. What is damaged is made again, and said.

Vectors are kept a passage, so that an edit costs only the passages that it touched. Files appear whole or not at all.
Called by book.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from npc_sdk.errors import SettingsError
from npc_sdk.lore.lexical import K1, B, Floats, LexicalIndex
from npc_sdk.lore.semantic import Embedder

VERSION = 1  # of the files; another one is made again
KEPT_INDEXES = 4  # worlds, or states of one: going back to the last edit is free
SPARE_VECTORS = 10_000  # of passages that are gone, for the same reason

PART = 8192  # passages between two writings: an interrupted start goes on from there
MEANING = "reading the meaning of passages"

OnProgress: TypeAlias = Callable[[int, int, str], None]
Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
Found = TypeVar("Found")
_DAMAGES = (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)


class IndexStore:
    """The kept indexes of one folder. Raises: SettingsError where the folder cannot be written."""

    def __init__(self, folder: Path | str, on_progress: OnProgress | None = None) -> None:
        self._folder = Path(folder)
        self._tell = on_progress or _say_nothing
        with self._writing():
            self._folder.mkdir(parents=True, exist_ok=True)

    def lexical(self, texts: Sequence[str], language: str, make: Callable[[], LexicalIndex]) -> LexicalIndex:
        """The index of these texts, from the disk if it is there. Raises: SettingsError."""
        key = _digest(f"{VERSION} {language} {K1} {B} {len(texts)}", *texts).hex()
        path = self._folder / f"words-{key}.npz"
        kept = self._read(path, lambda arrays: _as_index(arrays, len(texts)))
        if kept is not None:
            with contextlib.suppress(OSError):  # on a disk that cannot be written the order of use is not kept
                path.touch()
            return kept
        made = make()
        self._write(path, _as_arrays(made))
        self._remove_old("words-*.npz")
        return made

    def vectors(self, texts: Sequence[str], embedder: Embedder) -> Floats:
        """The passages' vectors; only new ones are made. Shapes: (texts, dimensions). Raises: SettingsError."""
        path = self._folder / f"vectors-{VERSION}-{embedder.fingerprint}.npz"
        keys = [_digest(text) for text in texts]
        kept = self._read(path, _as_vectors) or {}
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in kept}
        for done, part in _parts(fresh):
            made = embedder.passages(list(part.values()), self._teller(done, len(fresh)))
            kept |= zip(part, made, strict=True)
            self._write(path, _vector_arrays(_pruned(kept, set(keys))))
        if not keys:
            return embedder.passages([])
        return np.stack([kept[key] for key in keys])

    def _teller(self, before: int, total: int) -> Callable[[int], None]:
        return lambda done: self._tell(before + done, total, MEANING)

    def _read(self, path: Path, read: Callable[[Arrays], Found]) -> Found | None:
        """What a file holds; None where there is none or it is damaged, which is said."""
        if not path.is_file():
            return None
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return read(arrays)
        except _DAMAGES:
            self._tell(0, 1, f"{path.name} is damaged and is made again")
            return None

    def _write(self, path: Path, arrays: Arrays) -> None:
        """Puts the file in its place when it is whole. Raises: SettingsError."""
        with self._writing():
            handle, partial = tempfile.mkstemp(dir=self._folder, prefix=".partial-", suffix=".npz")
            try:
                with os.fdopen(handle, "wb") as file:
                    np.savez(file, allow_pickle=False, **arrays)
                Path(partial).replace(path)
            finally:
                Path(partial).unlink(missing_ok=True)

    def _remove_old(self, pattern: str) -> None:
        with self._writing():
            for path in sorted(self._folder.glob(pattern), key=_last_use, reverse=True)[KEPT_INDEXES:]:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            told = f"the lore cache in {self._folder} cannot be written: {exc.strerror}"
            raise SettingsError(told, hint="name another folder, or none") from exc


def _last_use(path: Path) -> float:
    """0 where another process that shares the folder has removed it meanwhile. Units: seconds."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _as_arrays(index: LexicalIndex) -> Arrays:
    stems = np.frombuffer("\n".join(index.stems).encode(), dtype=np.uint8)
    sizes = np.asarray([index.passage_count, index.mean_length], dtype=np.float64)
    return {
        "sizes": sizes,
        "stems": stems,
        "starts": index.starts,
        "passages": index.passages,
        "weights": index.weights,
    }


def _as_index(arrays: Arrays, passage_count: int) -> LexicalIndex:
    """Raises: ValueError where the parts do not fit each other."""
    stems = arrays["stems"].tobytes().decode()
    sizes, starts = arrays["sizes"], arrays["starts"]
    index = LexicalIndex(
        passage_count=int(sizes[0]),
        mean_length=float(sizes[1]),
        stems=tuple(stems.split("\n")) if stems else (),
        starts=starts,
        passages=arrays["passages"],
        weights=arrays["weights"],
    )
    in_order = bool(starts[0] == 0 and (np.diff(starts) >= 0).all())
    fits = len(index.stems) == len(starts) - 1 and starts[-1] == len(index.passages) == len(index.weights)
    if not (in_order and fits and index.passage_count == passage_count):
        raise ValueError("the parts do not fit each other")
    if len(index.passages) and not 0 <= index.passages.min() <= index.passages.max() < passage_count:
        raise ValueError("a passage that is not there")
    return index


def _as_vectors(arrays: Arrays) -> dict[bytes, Floats]:
    keys, vectors = arrays["keys"], arrays["vectors"]
    if len(keys) != len(vectors) or vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError("the parts do not fit each other")
    return {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)}


def _vector_arrays(vectors: Mapping[bytes, Floats]) -> Arrays:
    keys = np.frombuffer(b"".join(vectors), dtype=np.uint8).reshape(len(vectors), -1)
    return {"keys": keys, "vectors": np.stack(list(vectors.values()))}


def _parts(fresh: Mapping[bytes, str]) -> Iterator[tuple[int, dict[bytes, str]]]:
    """What is to be made, a part at a time, each with how many come before it."""
    items = iter(fresh.items())
    for start in range(0, len(fresh), PART):
        yield start, dict(itertools.islice(items, PART))


def _pruned(vectors: Mapping[bytes, Floats], wanted: set[bytes]) -> dict[bytes, Floats]:
    """All that are wanted, and of the others the latest."""
    others = [key for key in vectors if key not in wanted]
    dropped = set(others[: max(0, len(others) - SPARE_VECTORS)])
    return {key: vector for key, vector in vectors.items() if key not in dropped}


def _digest(*texts: str) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.digest()


def _say_nothing(done: int, total: int, what: str) -> None:
    """Where nobody wants to hear how far it is."""
