"""B7: the model runs out of memory, computes nonsense, hangs, crashes, meets a full disk. Run by `npc bench attack`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from game_bridge import message as wire
from game_bridge.attack.faulty_model import Fault
from game_bridge.attack.hearth_server import Caller, HearthServer
from game_bridge.attack.verdict import Figure, Verdict

MAX_END_S = 2.0
TIMES, FEW_TIMES = 10, 1


@dataclass(frozen=True, slots=True)
class _Kind:
    """A fault, the code that it must end a reply with, and whether the process is then started anew."""

    fault: Fault
    title: str
    code: str
    has_restart: bool


_KINDS = (
    _Kind("memory", "out of memory", "engine_crashed", has_restart=False),
    _Kind("nan", "logits that are no numbers", "engine", has_restart=False),
    _Kind("hang", "a hung step", "engine_crashed", has_restart=True),
    _Kind("freeze", "a process that stands still", "engine_crashed", has_restart=True),
    _Kind("crash", "a crash", "engine_crashed", has_restart=True),
)


_FIRST_KINDS = tuple(
    replace(kind, title=f"{kind.title}, at a launch's first reply")
    for kind in _KINDS
    if kind.fault in ("hang", "freeze")
)


@dataclass(slots=True)
class _Tally:
    ends_s: list[float] = field(default_factory=list)
    wrong_codes: int = 0
    mute: int = 0
    unserved: int = 0
    restarts: int = 0


def run(is_whole: bool, say: Callable[[str], None]) -> Verdict:
    """Each fault once, or ten times."""
    return attack(TIMES if is_whole else FEW_TIMES, say)


def attack(times: int, say: Callable[[str], None], *, hang_s: float | None = None) -> Verdict:
    """Each fault so often, and after each a reply that must be served."""
    figures, wrong_ends = _first_replies(times, say, hang_s)
    with HearthServer(hang_s) as server, Caller(server) as caller:
        caller.ask_until_served()
        for kind in _KINDS:
            tally = _Tally()
            for number in range(times):
                _strike(server, caller, kind, tally)
                say(f"{kind.title}: {number + 1}/{times}")
            figures += _figures(kind, tally, times)
        figures += _full_disk(server, caller)
        say("a full disk: 1/1")
        wrong_ends += caller.wrong_ends()
    figures.append(Figure("requests without exactly one end", wrong_ends, limit=0))
    return Verdict("B7", "a model that goes wrong", tuple(figures), _NOTES)


def _first_replies(times: int, say: Callable[[str], None], hang_s: float | None) -> tuple[list[Figure], int]:
    """Hangs of models whose pace nobody knows yet, each of a server of its own; figures, and wrong ends."""
    figures: list[Figure] = []
    wrong_ends = 0
    for kind in _FIRST_KINDS:
        tally = _Tally()
        for number in range(times):
            with HearthServer(hang_s) as server, Caller(server) as caller:
                _strike(server, caller, kind, tally)
                wrong_ends += caller.wrong_ends()
            say(f"{kind.title}: {number + 1}/{times}")
        figures += _figures(kind, tally, times)
    return figures, wrong_ends


def _strike(server: HearthServer, caller: Caller, kind: _Kind, tally: _Tally) -> None:
    """One fault in the middle of a step, before a word was said. Mutates: the tally."""
    before, started_s = server.engine.restarts, time.perf_counter()
    with server.fault(kind.fault):
        heard = caller.ask()
    tally.ends_s.append(heard.end_s - started_s)
    code, bark = (heard.end.code, heard.end.bark) if isinstance(heard.end, wire.Failed) else ("", None)
    tally.wrong_codes += code != kind.code
    tally.mute += not bark
    tally.unserved += not caller.ask_until_served().texts
    tally.restarts += server.engine.restarts - before


def _figures(kind: _Kind, tally: _Tally, times: int) -> tuple[Figure, ...]:
    wanted = times if kind.has_restart else 0
    return (
        Figure(f"{kind.title}: error, at the latest", max(tally.ends_s), "s", limit=MAX_END_S),
        Figure(f"{kind.title}: errors other than {kind.code}", tally.wrong_codes, limit=0),
        Figure(f"{kind.title}: no bark", tally.mute, limit=0),
        Figure(f"{kind.title}: not served afterwards", tally.unserved, limit=0),
        Figure(f"{kind.title}: processes started anew", tally.restarts, limit=wanted, least=wanted),
    )


def _full_disk(server: HearthServer, caller: Caller) -> tuple[Figure, ...]:
    """A front that cannot be written is computed all the same, and nothing half is left lying."""
    with server.fault("disk"):
        server.warm_up()
        left = len(list(server.fronts.iterdir()))
        served = caller.ask()
    server.warm_up()
    kept = len(list(server.fronts.iterdir()))
    return (
        Figure("a full disk: files left half written", left, limit=0),
        Figure("a full disk: replies not served", float(not isinstance(served.end, wire.Finished)), limit=0),
        Figure("a full disk: fronts kept once there is room", kept, least=1),
    )


_NOTES = (
    "hearth; memory: an allocation that the system refuses; a hang: a step that never ends; standing still: one that"
    " keeps the interpreter's lock, so that no thread runs; a crash: abort()",
    "the full disk refuses a warmed-up front, which the log tells: no reply needs the disk",
)
