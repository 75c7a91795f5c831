"""Fronts of prompts in files, for an engine that starts again: read where they fit, made anew where they do not.

The asyncio side of snapshot.py: the disk is waited for on other threads, the cache is touched on the model's. Owned by
engine.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from npc_sdk.engine.local.block_pool import CacheShape
from npc_sdk.engine.local.runner import Runner
from npc_sdk.engine.local.sequence import Sequence
from npc_sdk.engine.local.snapshot import Snapshot, read_file, write_file
from npc_sdk.engine.local.worker import Worker
from npc_sdk.errors import ModelFormatError, NpcError

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class FrontFiles:
    """Reads and writes fronts of one engine's prompts. Neither method raises: a front can always be computed."""

    def __init__(self, worker: Worker, shape: CacheShape, identity: Callable[[], bytes], max_tokens: int) -> None:
        self._worker = worker
        self._shape = shape
        self._identity = identity
        self._max_tokens = max_tokens

    async def recall(self, front: Sequence, path: Path) -> bool:
        """Whether a file held this very front and the cache has it now. Mutates: the cache."""
        try:
            if not await asyncio.to_thread(os.path.exists, path):  # unlike Path.exists, it never raises
                return False
            snapshot = await asyncio.to_thread(self._read, path)
            if front.is_cancelled:
                return False

            def put(runner: Runner) -> None:
                wide_until = runner.front_wide(front.prompt_tokens, front.bulk_tokens)
                if (snapshot.tokens, snapshot.wide_until) != (tuple(front.tokens), wide_until):
                    raise ModelFormatError(f"{str(path)!r} holds another prompt's front", hint="it is made anew")
                runner.put(snapshot)

            await self._on_model(put)
        except NpcError as exc:
            log.warning("a prompt's front is computed, not read: %s", exc)
            return False
        return True

    async def keep(self, front: Sequence, path: Path) -> None:
        """Writes what the cache holds of a front. Mutates: the file."""
        try:
            snapshot = await self._on_model(lambda runner: runner.take(front.tokens, front.bulk_tokens))
            await asyncio.to_thread(self._write, path, snapshot)
        except NpcError as exc:
            log.warning("a prompt's front is not kept: %s", exc)

    def _read(self, path: Path) -> Snapshot:
        return read_file(path, self._shape, self._identity(), self._max_tokens)

    def _write(self, path: Path, snapshot: Snapshot) -> None:
        with contextlib.suppress(OSError):  # write_file will say it better
            path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, snapshot, self._identity())

    async def _on_model(self, function: Callable[[Runner], Result]) -> Result:
        return await asyncio.wrap_future(self._worker.call(function))
