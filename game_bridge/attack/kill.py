"""B6: the model's process killed while it speaks, again and again. Run by `npc bench attack`."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from game_bridge import message as wire
from game_bridge.attack.hearth_server import PAUSE_S, Caller, HearthServer
from game_bridge.attack.verdict import Figure, Verdict

KILLS, FEW_KILLS = 200, 8
MAX_END_S = 2.0
MAX_BEYOND_S = 2.0  # for the client to ask again and hear the first word
_MOST_TEXTS = 6  # kills come after 0 to so many pieces of a reply


@dataclass(slots=True)
class _Tally:
    """Units: seconds. served_s: from a kill to the next reply's first word; beyond_s is that less pause and load."""

    ends_s: list[float] = field(default_factory=list)
    served_s: list[float] = field(default_factory=list)
    loads_s: list[float] = field(default_factory=list)
    beyond_s: list[float] = field(default_factory=list)
    mid_stream: int = 0
    mute: int = 0
    wrong_codes: int = 0


def run(is_whole: bool, say: Callable[[str], None]) -> Verdict:
    """The whole takes some minutes, most of them for loading the model."""
    return attack(KILLS if is_whole else FEW_KILLS, say)


def attack(kills: int, say: Callable[[str], None], *, hang_s: float | None = None) -> Verdict:
    """Kills so often, at changing places of a reply, and waits each time until a reply is served."""
    tally = _Tally()
    with HearthServer(hang_s) as server, Caller(server) as caller:
        caller.ask_until_served()
        for number in range(kills):
            _strike(server, caller, number % (_MOST_TEXTS + 1), tally)
            say(f"{number + 1}/{kills} kills; serving again after {tally.served_s[-1]:.1f} s")
        wrong_ends, requests = caller.wrong_ends(), len(caller.ends)
        given_up = Figure("processes given up as hung on the way", server.engine.restarts - kills)
    figures = (*_figures(tally, wrong_ends, requests), given_up)
    return Verdict("B6", "the model's process killed while it speaks", figures, _NOTES)


def _strike(server: HearthServer, caller: Caller, texts: int, tally: _Tally) -> None:
    """One kill after so many pieces of a reply. Mutates: the tally."""
    request_id = caller.begin()
    heard = caller.hear(request_id, until_texts=texts)
    killed_s = server.kill_model()
    heard = heard or caller.hear(request_id)
    assert heard is not None
    if isinstance(heard.end, wire.Failed):  # else the reply was shorter than we wanted to wait
        tally.mid_stream += 1
        tally.ends_s.append(heard.end_s - killed_s)
        tally.wrong_codes += heard.end.code != "engine_crashed"
        tally.mute += not heard.end.text and not heard.end.bark
    meanwhile = caller.ask()
    if isinstance(meanwhile.end, wire.Failed):
        tally.ends_s.append(meanwhile.end_s - killed_s)
        tally.mute += not meanwhile.end.bark
    served = caller.ask_until_served()
    tally.loads_s.append(server.engine.load_s)
    tally.served_s.append(served.first_s - killed_s)
    tally.beyond_s.append(tally.served_s[-1] - PAUSE_S - tally.loads_s[-1])


def _figures(tally: _Tally, wrong_ends: int, requests: int) -> tuple[Figure, ...]:
    kills = len(tally.served_s)
    return (
        Figure("processes killed", kills),
        Figure("of them while a reply was under way", tally.mid_stream, least=kills / 2),
        Figure("error after a kill, at the latest", max(tally.ends_s), "s", limit=MAX_END_S),
        Figure("error after a kill, median", statistics.median(tally.ends_s), "s"),
        Figure("errors other than engine_crashed", tally.wrong_codes, limit=0),
        Figure("NPCs left mute: no word and no bark", tally.mute, limit=0),
        Figure("requests", requests),
        Figure("of them without exactly one end", wrong_ends, limit=0),
        Figure("one load, median", statistics.median(tally.loads_s), "s"),
        Figure("serving again, median", statistics.median(tally.served_s), "s"),
        Figure("serving again, at the latest", max(tally.served_s), "s"),
        Figure("of it beyond the pause and one load, at most", max(tally.beyond_s), "s", limit=MAX_BEYOND_S),
    )


_NOTES = (
    f"hearth, slowed so that there is a middle to strike at; the pause before a start is held at {PAUSE_S:g} s, while"
    " `npc serve` doubles it up to 30 s and forgets it after a healthy minute",
)
