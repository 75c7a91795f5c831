"""I1: broken pictures and bombs, shown to the decoder in a process of their own, whose memory is then theirs alone.

``python -m game_bridge.attack.picture --count N`` is that process. The decoder is the one that a say's pictures go to.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from game_bridge.attack.child import found_by
from game_bridge.attack.memory import forget_peak, peak_mb
from game_bridge.attack.verdict import Figure, Verdict
from npc_sdk.errors import NpcError
from npc_sdk.messages import ImagePart

WHOLE, SHORT = 100_000, 3_000
MAX_EXTRA_MB, MAX_REFUSAL_MS = 200.0, 250.0
MAX_PX = 448
_TELL_EVERY = 5_000


@dataclass(slots=True)
class Tally:
    """Mutates: grows with each picture. Units: milliseconds of this thread's own time, and of the clock; MB of 2^20."""

    shown: int = 0
    refused: int = 0
    untyped: list[str] = field(default_factory=list)
    refusal_ms: float = 0.0
    refusal_clock_ms: float = 0.0
    acceptance_ms: float = 0.0
    slowest: str = ""
    extra_mb: float = 0.0


def run(is_whole: bool, say: Callable[[str], None]) -> Verdict:
    """Every bomb, and as many broken pictures as asked."""
    count = WHOLE if is_whole else SHORT
    found, crash = found_by("game_bridge.attack.picture", count, say)
    tally = Tally(**found)
    figures = (
        Figure("pictures shown", tally.shown, least=count),
        Figure("refused", tally.refused, least=1),
        Figure("decoded all the same", tally.shown - tally.refused, least=1),
        Figure("crashes", float(bool(crash)), limit=0),
        Figure("refusals without a type", len(tally.untyped), limit=0),
        Figure("extra memory", tally.extra_mb, "MB", limit=MAX_EXTRA_MB),
        Figure("slowest refusal", tally.refusal_ms, "ms", limit=MAX_REFUSAL_MS),
        Figure("slowest refusal by the clock", tally.refusal_clock_ms, "ms"),
        Figure("slowest acceptance", tally.acceptance_ms, "ms"),
    )
    notes = (*tally.untyped[:3], *([crash] if crash else []), f"slowest of all: {tally.slowest}")
    return Verdict("I1", "mutated pictures, bombs, wrong extensions", figures, notes)


def attack(count: int, seed: int, say: Callable[[str], None]) -> Tally:
    """Shows them to the decoder in this process. The same seed gives the same pictures."""
    # the decoders are loaded here, so that their code counts as what was there before
    from game_bridge.attack.picture_bomb import bombs
    from game_bridge.attack.picture_seed import broken, make_seeds
    from npc_sdk.vision.decode import decode

    seeds, made, tally = make_seeds(), list(bombs()), Tally()
    decode(ImagePart(seeds[0].media_type, seeds[0].data), max_px=MAX_PX)
    gc.collect()
    forget_peak()
    before_mb = peak_mb()
    for name, part in made:
        show(tally, name, part)
    for index in range(count):
        show(tally, f"number {index}", broken(random.Random(f"{seed}:{index}"), seeds))
        if index % _TELL_EVERY == _TELL_EVERY - 1:
            say(f"{index + 1} pictures, slowest refusal {tally.refusal_ms:.0f} ms")
    tally.extra_mb = peak_mb() - before_mb
    return tally


def show(tally: Tally, name: str, part: ImagePart) -> None:
    """One picture, and what came of it. Mutates: tally."""
    from npc_sdk.vision.decode import decode

    started_s, clock_s = time.thread_time(), time.perf_counter()
    is_refused = True
    try:
        picture = decode(part, max_px=MAX_PX)
        is_refused = False
        assert len(picture.pixels) == 3 * picture.width * picture.height
    except NpcError:
        pass
    except Exception as exc:
        tally.untyped.append(f"{name}: {type(exc).__name__}: {exc}")
    took_ms = (time.thread_time() - started_s) * 1_000
    tally.shown += 1
    tally.refused += is_refused
    if took_ms > max(tally.refusal_ms, tally.acceptance_ms):
        tally.slowest = name
    if is_refused:
        tally.refusal_ms = max(tally.refusal_ms, took_ms)
        tally.refusal_clock_ms = max(tally.refusal_clock_ms, (time.perf_counter() - clock_s) * 1_000)
    else:
        tally.acceptance_ms = max(tally.acceptance_ms, took_ms)


def main() -> None:
    """The child: tells how far it is line by line, and its tally in the last one."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.attack.picture", description=attack.__doc__)
    parser.add_argument("--count", type=int, default=SHORT)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tally = attack(options.count, options.seed, lambda told: print(told, flush=True))
    print(json.dumps(asdict(tally)), flush=True)


if __name__ == "__main__":
    main()
