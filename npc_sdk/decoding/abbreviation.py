"""Words whose full stop does not end a sentence, in the languages that games are most often translated to.

A word that often ends a sentence itself ("a.", "so.") is left out: better a cut missed than one too many, but not
always. Called by sentence.
"""

from __future__ import annotations

import re

_WORDS = {
    "English": "mr mrs ms dr st sr jr prof capt col gen lt sgt cpl maj cmdr rev hon mt ft no nos vs etc approx dept est"
    " e.g i.e a.m p.m cf vol pp ch fig",
    "German": "hr fr frl ing dipl geb nr bzw ca usw z.b d.h u.a o.ä evtl ggf inkl bspw sog vgl z str abb kap hl",
    "French": "mme mlle mgr me p.ex env av boul",
    "Spanish": "sra srta dña ud uds p.ej núm pág avda excmo ilmo",
    "Portuguese": "sr.ª exmo exma dra profª av pág núm",
    "Italian": "sig sig.ra sig.na dott dott.ssa prof.ssa avv geom ecc pag es",
    "Dutch": "dhr mevr mw drs ir bijv d.w.z enz blz o.a",
    "Polish": "ks mjr płk gen hab inż św ul np itd itp tzn tzw m.in",
    "Czech": "pí mudr tzv např atd apod č",
    "Scandinavian": "hr fr bl.a t.ex m.m osv f.eks ca kl nr",
    "Russian": "г гг ул т.е т.д т.п др им проф акад руб стр см напр",
    "Turkish": "sn av doç yrd vb vs örn",
}
_ABBREVIATIONS = frozenset(word for words in _WORDS.values() for word in words.split())
_OPENERS = "\"'“‘„«»‹›([*¿¡"
_COUNT = re.compile(r"\d{1,3}")
LONGEST_ABBREVIATION = 24  # the longest with the quotes and brackets before it, and something more


def is_abbreviation(word: str, *, is_first: bool) -> bool:
    """Whether the stop at this word's end is its own. is_first: the sentence begins with it, as "1. Dig." does."""
    bare = word.lstrip(_OPENERS).removesuffix(".")
    if bare.casefold() in _ABBREVIATIONS:
        return True
    if is_first and _COUNT.fullmatch(bare):
        return True
    return bare != "I" and all(len(part) == 1 and part.isupper() for part in bare.split("."))
