"""Hot reload: content that is edited while the game runs takes the place of the old between two turns.

A broken edit changes nothing: the last good edition is played on, and every mistake is told with its place. Reading
and indexing happen on a thread of their own. Started by `npc serve --watch` and by games in development.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from npc_sdk.errors import ContentError, EngineError, NpcError, SettingsError
from npc_sdk.lore.content import inspect_world
from npc_sdk.messages import ToolSpec
from npc_sdk.session.cast import Change, Edition
from npc_sdk.world import World

QUIET_MS = 50  # an editor writes a file in several steps; they count as one edit
WATCHED = (".yaml", ".yml", ".md")


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of an edit: what changed, or every mistake that kept it from being played."""

    change: Change | None
    problems: tuple[NpcError, ...] = ()


log = logging.getLogger(__name__)

OnReload = Callable[[Reload], None]


async def watch(world: World, on_reload: OnReload, *, tools: Sequence[ToolSpec] = ()) -> None:
    """Follows the edits of the world's folder until cancelled. tools are those that the world was loaded with.

    Raises: SettingsError where the folder cannot be watched.
    """
    async for _ in _edits(world.content.root):
        on_reload(await reload(world, tools=tools))


async def reload(world: World, *, tools: Sequence[ToolSpec] = ()) -> Reload:
    """Reads the world's folder anew and goes on with it, or says why not. The loop is not held up meanwhile."""
    async with world.reloading:
        edition = await asyncio.to_thread(_read, world, tools)
        if isinstance(edition, Reload):
            return edition
        try:
            return Reload(world.adopt(edition))
        except NpcError as exc:
            return Reload(None, (exc,))
        except Exception as exc:  # an edit must not end the server, whatever it brings to light
            return _failed(exc)


def _read(world: World, tools: Sequence[ToolSpec]) -> Edition | Reload:
    """An edition that is ready to be played, or the mistakes in it."""
    try:
        found = inspect_world(world.content.root, tools)
        if found.content is None:
            problems = sorted(found.problems, key=_place)
            return Reload(None, tuple(problems))
        return world.prepare(found.content)
    except NpcError as exc:
        return Reload(None, (exc,))
    except OSError as exc:  # a file that vanished between two looks at it; its next edit is seen too
        return Reload(None, (SettingsError(f"the content cannot be read: {exc}", hint="save it again"),))
    except Exception as exc:
        return _failed(exc)


def _failed(exc: Exception) -> Reload:
    log.exception("a reload failed")
    return Reload(None, (EngineError(f"the edit cannot be played: {type(exc).__name__}: {exc}", hint="see the log"),))


def _place(problem: ContentError) -> tuple[str, int, int]:
    return str(problem.path), problem.line, problem.column


class EditCheck:
    """Whether files were edited since it was last asked, for a loop that waits for a person between two turns."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen = _stamps(root)

    def is_edited(self) -> bool:
        """Mutates: what was seen."""
        before, self._seen = self._seen, _stamps(self._root)
        return before != self._seen


def _stamps(root: Path) -> dict[Path, tuple[int, int]]:
    """When each watched file was written and how large it is; one that vanishes meanwhile is left out."""
    stamps: dict[Path, tuple[int, int]] = {}
    for path in root.rglob("*"):
        with contextlib.suppress(OSError):
            if _counts(path):
                status = path.stat()
                is_folder = path.is_dir()  # its own time changes with every file that an editor writes beside
                stamps[path] = (0, 0) if is_folder else (status.st_mtime_ns, status.st_size)
    return stamps


def _counts(path: Path) -> bool:
    """Also a name without a suffix: a folder that came, went or was renamed."""
    return path.suffix in ("", *WATCHED) and not path.name.startswith(".")


async def _edits(root: Path) -> AsyncIterator[None]:
    """Raises: SettingsError."""
    from watchfiles import Change as Edit
    from watchfiles import awatch

    def counts(_kind: Edit, path: str) -> bool:
        return _counts(Path(path))

    try:
        async for _ in awatch(root, watch_filter=counts, step=QUIET_MS, debounce=4 * QUIET_MS, recursive=True):
            yield
    except (OSError, RuntimeError) as exc:
        raise SettingsError(f"{str(root)!r} cannot be watched: {exc}", hint="start without watching") from exc
