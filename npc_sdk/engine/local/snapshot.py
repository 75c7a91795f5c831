"""A prompt's front on disk: the keys and values that the prefix tree holds of it, and back into the tree.

take() and put() copy memory and run on the model's thread; write_file() and read_file() hash and wait for the disk on
any other. Called by the runner and engine.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, CacheShape, blocks_for
from npc_sdk.engine.local.fingerprint import FINGERPRINT_BYTES
from npc_sdk.engine.local.lease import Lease
from npc_sdk.engine.local.prefix_cache import PrefixCache
from npc_sdk.errors import ModelFormatError, Overloaded, RequestError, SettingsError

# A file: header, token ids (int32), the pool's tensors at these tokens one after the other, a digest of all before it.
# 900 tokens of the 4B shape take 118 MB, 60 MB in int8. The digest tells damage, not forgery: a file that somebody made
# on purpose can put wrong keys in the cache, but no code runs and no memory is read or written past a tensor's end.
HEADER = struct.Struct(f"<8sII{FINGERPRINT_BYTES}sII")  # magic, format, block, fingerprint, tokens, wide tokens
MAGIC = b"npcfront"
FORMAT = 1  # raise it also where a kernel of ours comes to round otherwise
DIGEST_BYTES = 32
REMAKE = "make the snapshot again with this model and these settings"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Tokens with what the pool's tensors hold of them. The first wide_until of them took the wide kernel.

    Shapes: rows, on the CPU, each (kv_heads, tokens, width).
    """

    tokens: tuple[int, ...]
    wide_until: int
    rows: tuple[torch.Tensor, ...]


def take(pool: BlockPool, prefix: PrefixCache, tokens: Sequence[int], wide_until: int) -> Snapshot:
    """Copies out what the tree holds of some tokens. Raises: RequestError where that is not all of them."""
    match = prefix.match(tokens, wide_until=wide_until)
    nodes = match.full if match.partial is None else (*match.full, match.partial)
    held = len(match.full) * BLOCK_TOKENS + match.partial_tokens
    if not tokens or held < len(tokens):
        hint = "compute the front first; where it was evicted at once, raise cache_bytes"
        raise RequestError(f"the cache holds {held} of the front's {len(tokens)} tokens", hint=hint)
    slots = [nodes[at // BLOCK_TOKENS].block * BLOCK_TOKENS + at % BLOCK_TOKENS for at in range(held)]
    return Snapshot(tuple(tokens), wide_until, pool.gather(slots))


def put(snapshot: Snapshot, pool: BlockPool, prefix: PrefixCache) -> int:
    """Puts a front into the tree as if a request had computed it and ended; its tokens. All of it or nothing.

    Mutates: the pool and the tree, from which others may be evicted.
    Raises: SettingsError where the cache could never keep it, Overloaded where running requests hold the room.
    """
    tokens = list(snapshot.tokens)
    blocks = blocks_for(len(tokens))
    if blocks > prefix.budget_blocks:
        message = f"a front of {len(tokens)} tokens takes {blocks} blocks, the cache keeps {prefix.budget_blocks}"
        raise SettingsError(message, hint=f"raise cache_bytes to {blocks * pool.shape.block_bytes} at least")
    lease = Lease(pool, prefix, snapshot.wide_until)
    try:
        lease.adopt(tokens)
        if not lease.reserve(len(tokens)):
            message = f"running requests hold the room of a front's {blocks} blocks"
            raise Overloaded(message, hint="load it when some of them have ended")
        first = lease.length
        pool.scatter(lease.cache.slots(first, len(tokens)), [part[:, first:] for part in snapshot.rows])
        lease.cache.advance(len(tokens) - first)
        lease.publish(tokens)
    finally:
        lease.release(tokens)
    return len(tokens)


def write_file(path: Path, snapshot: Snapshot, fingerprint: bytes) -> None:
    """Writes a snapshot under another name, then gives it its own. Raises: SettingsError, with the old file kept."""
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    try:
        with partial.open("xb") as file:
            for piece in _pieces(snapshot, fingerprint):
                digest.update(piece)
                file.write(piece)
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, ValueError) as exc:  # ValueError: a name that no file can have
        hint = "name a file in a folder that can be written and has room"
        raise SettingsError(f"cannot write the snapshot {str(path)!r}: {exc}", hint=hint) from exc
    finally:
        with contextlib.suppress(OSError, ValueError):
            partial.unlink()


def read_file(path: Path, shape: CacheShape, fingerprint: bytes, max_tokens: int) -> Snapshot:
    """Reads a snapshot of this model and these settings whole; takes no memory before its size is known to be right.

    Raises: SettingsError where there is no such file or it is longer than max_tokens; ModelFormatError for one that is
    damaged, of another format or of another model.
    """
    try:
        if not path.is_file():  # a pipe would never answer
            raise SettingsError(f"there is no snapshot {str(path)!r}", hint="name a file that a snapshot was saved to")
        with path.open("rb") as file:
            return _Reader(path, file).read(shape, fingerprint, max_tokens)
    except OSError as exc:
        raise SettingsError(
            f"cannot read the snapshot {str(path)!r}: {exc}", hint="name a file that can be read"
        ) from exc


class _Reader:
    """One read: everything before the digest is hashed as it comes in."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._digest = hashlib.blake2b(digest_size=DIGEST_BYTES)

    def read(self, shape: CacheShape, fingerprint: bytes, max_tokens: int) -> Snapshot:
        """The snapshot. Raises: as read_file()."""
        count, wide_until = self._read_header(fingerprint)
        self._check_size(count, wide_until, shape, max_tokens)
        ids = torch.empty(count, dtype=torch.int32)
        rows = tuple(tensor for part in shape.allocate(count, torch.device("cpu")) for tensor in part)
        for tensor in (ids, *rows):
            self._fill(tensor)
        if self._file.read(DIGEST_BYTES) != self._digest.digest():
            raise self._wrong("is damaged: its digest differs", "save or copy it again")
        return Snapshot(tuple(ids.tolist()), wide_until, rows)

    def _read_header(self, fingerprint: bytes) -> tuple[int, int]:
        """Counts of all tokens and of wide ones. Raises: ModelFormatError for a file that is none of ours."""
        raw = self._file.read(HEADER.size)
        if len(raw) < HEADER.size or not raw.startswith(MAGIC):
            raise self._wrong("is no snapshot of a prompt's front", "name a file that a snapshot was saved to")
        _, version, block_tokens, model, count, wide_until = HEADER.unpack(raw)
        if version != FORMAT:
            raise self._wrong(f"is of format {version!r}; this version reads {FORMAT}", REMAKE)
        if block_tokens != BLOCK_TOKENS:
            raise self._wrong(f"has blocks of {block_tokens!r} tokens, this version of {BLOCK_TOKENS}", REMAKE)
        if model != fingerprint:
            raise self._wrong("was made by another model, other settings or another machine", REMAKE)
        self._digest.update(raw)
        return count, wide_until

    def _check_size(self, count: int, wide_until: int, shape: CacheShape, max_tokens: int) -> None:
        """Raises: SettingsError for too many tokens; ModelFormatError where the counts do not fit the file."""
        size = os.fstat(self._file.fileno()).st_size
        expected = HEADER.size + count * (torch.int32.itemsize + shape.token_bytes) + DIGEST_BYTES
        if not count or wide_until > count or size != expected:
            message = f"is damaged: {size} bytes for {count} tokens, {wide_until} of them wide"
            raise self._wrong(message, "save or copy it again")
        if count > max_tokens:
            message = f"the snapshot {str(self._path)!r} has {count} tokens, which is more than {max_tokens}"
            raise SettingsError(message, hint="load the model with a larger context_tokens or cache_bytes")

    def _fill(self, tensor: torch.Tensor) -> None:
        """Reads a tensor. Mutates: tensor, the digest. Raises: ModelFormatError where the file was cut meanwhile."""
        view = _bytes_of(tensor)
        if self._file.readinto(view) < len(view):  # type: ignore[attr-defined]
            raise self._wrong("ends too early", "save or copy it again")
        self._digest.update(view)

    def _wrong(self, message: str, hint: str) -> ModelFormatError:
        return ModelFormatError(f"{str(self._path)!r} {message}", hint=hint)


def _pieces(snapshot: Snapshot, fingerprint: bytes) -> Iterator[bytes | memoryview]:
    """A file's bytes, but for the digest."""
    count = len(snapshot.tokens)
    yield HEADER.pack(MAGIC, FORMAT, BLOCK_TOKENS, fingerprint, count, snapshot.wide_until)
    for tensor in (torch.tensor(snapshot.tokens, dtype=torch.int32), *snapshot.rows):
        yield _bytes_of(tensor)


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    """The memory of a contiguous CPU tensor, not a copy."""
    raw: Any = tensor.reshape(-1).view(torch.uint8).numpy()
    return memoryview(raw)
