"""An edit of the world's files as the message that tells clients of it. Called by `npc serve --watch`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.host import HostedPersona
from npc_sdk.errors import NpcError

MAX_MISTAKES = 32


class Edit(Protocol):
    """What changed, as NPC ids; session/cast.py's Change fits."""

    @property
    def changed(self) -> tuple[str, ...]: ...

    @property
    def added(self) -> tuple[str, ...]: ...

    @property
    def removed(self) -> tuple[str, ...]: ...


def edited_message(edit: Edit | None, problems: Sequence[NpcError], cast: Mapping[str, HostedPersona]) -> wire.Edited:
    """What clients are told: the edit that is played from now on, or the mistakes that keep it from it.

    Raises: ProtocolError, TooLarge for names that the wire cannot carry.
    """
    if edit is None:
        return protocol.make(wire.Edited, mistakes=tuple(map(protocol.mistake_of, problems[:MAX_MISTAKES])))
    npcs = tuple(protocol.make(wire.NpcEntry, npc_id=npc_id, name=persona.name) for npc_id, persona in cast.items())
    return protocol.make(wire.Edited, changed=edit.changed, added=edit.added, removed=edit.removed, npcs=npcs)
