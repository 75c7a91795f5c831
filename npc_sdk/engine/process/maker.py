"""Makes the child's engine of create_engine's arguments as they crossed the pipe, plain values. Called by child.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from npc_sdk.engine.create import create_engine
from npc_sdk.engine.interface import Engine
from npc_sdk.settings import GovernorSettings

NAME = f"{__name__}:make"


def make(
    *,
    kind_or_path: str,
    governor: dict[str, Any] | None = None,
    cores: int | list[int] | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
    **arguments: Any,
) -> Engine:
    """As create_engine, and raises what that raises."""
    return create_engine(
        kind_or_path,
        governor=None if governor is None else GovernorSettings.model_validate(governor),
        cores=tuple(cores) if isinstance(cores, list) else cores,
        on_progress=on_progress,
        **arguments,
    )
