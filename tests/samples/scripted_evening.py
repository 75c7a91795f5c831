"""The tavern's scripted evening in a real engine: how it is asked for, and what it must tell in either version."""

from __future__ import annotations

PLAY_S, END_S = 600, 900  # an evening takes a quarter of a minute on a machine that has nothing else to do
EVENING = ("--evening", "--scripted", "--time-limit", str(PLAY_S))
# in this order, with others between them
ESSENTIAL = """\
Game      (connected)
Robin     (comes near Tobin)
Tobin     *laughs*
Tobin     Never better, Robin! The stew is hot and the chairs are full. Sit down by the fire!
Robin     (asked: Tobin sells: ale, for 3 coins) declines
Tobin     -> sell_item: refused (The player does not want it.)
Robin     (asked: Tobin sells: honey cake, for 2 coins) agrees
Tobin     [seen] Tobin sells: honey cake, for 2 coins
Tobin     -> sell_item: accepted (sells: honey cake, for 2 coins)
Tobin     Baked this morning! There you are. Enjoy it!
Tobin     [seen] Tobin opens: cellar door
Tobin     -> open_door: accepted (opens: cellar door)
          -- see Tobin act: ok
          -- a bark where the model breaks: ok
Robin     (picks up: apple)
Robin     (hands Mara: apple)
Mara      An apple. You have a good heart, Robin.
Mara      -> sell_item: refused (The iron sword is in the forge, not in the tavern.)
          -- look: unsupported: ok
Pip       -> take_item: accepted (takes: honey cake)
Pip       -> give_item: accepted (hands over: silver hammer)
Pip       -> follow_player: accepted (comes along)
          -- Pip walks along: ok
          -- two at once: ok
          -- cut a story short: ok
Server    is killed and started anew
Game      (connection_lost)
Game      (connected)
Mara      Where should I go? I have not finished my cup.
16 requests, 16 ends, 0 expectations not met"""


def missing(said: str) -> list[str]:
    """Which of the essential lines do not come in their order."""
    lines = iter(said.splitlines())
    return [line for line in ESSENTIAL.splitlines() if line not in lines]
