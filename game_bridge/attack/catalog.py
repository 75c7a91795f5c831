"""Every attack by its name: one module each, loaded when it runs. Called by ``npc bench attack``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from game_bridge.attack.verdict import Figure, Verdict
from npc_sdk.errors import NpcError, SettingsError

ALL = "all"


@dataclass(frozen=True, slots=True)
class Attack:
    """One row of the table of limits. name is also its module's, with _ for -."""

    name: str
    code: str
    about: str

    def run(self, is_whole: bool, say: Callable[[str], None]) -> Verdict:
        """What it showed. An attack that could not be carried out is one that was not withstood."""
        module = importlib.import_module(f"game_bridge.attack.{self.name.replace('-', '_')}")
        try:
            verdict: Verdict = module.run(is_whole, say)
        except* NpcError as group:
            told = tuple(str(error) for error in _leaves(group))
            verdict = Verdict(self.code, self.about, (Figure("faults that ended it", len(told), limit=0),), told)
        return verdict


ATTACKS = (
    Attack("message", "B1", "mutated messages, in the process and over a socket"),
    Attack("handshake", "B2", "malformed ZMTP"),
    Attack("half-open", "B3", "1,500 half-open sockets"),
    Attack("stall", "B4", "64 clients, 16 of which stop reading"),
    Attack("soak", "B5", "1,000,000 streamed words with random disconnects"),
    Attack("kill", "B6", "the engine's process killed while it streams"),
    Attack("fault", "B7", "out of memory, NaN, a hung step, a full disk"),
    Attack("picture", "I1", "mutated pictures, bombs, wrong types"),
    Attack("call", "T1", "10,000 fuzzed calls"),
)


def named(name: str) -> tuple[Attack, ...]:
    """The attack of a name or code, or all of them. Raises: SettingsError."""
    found = tuple(one for one in ATTACKS if name in (ALL, one.name, one.code))
    if not found:
        names = ", ".join(one.name for one in ATTACKS)
        raise SettingsError(f"there is no attack {name!r}", hint=f"take one of {names} or {ALL}")
    return found


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group and of the groups in it."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error
