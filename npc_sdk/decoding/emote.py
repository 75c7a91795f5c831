"""Finds what an NPC does rather than says: stage directions as ``*smiles*``, emotion tags as ``[happy]``.

Bold's asterisks are no speech either, a lone one is (2 * 3). Says "partial" where the text ends too early to tell.
Called by stream_parser.
"""

from __future__ import annotations

import re
import unicodedata

from npc_sdk.decoding.marker import BARE_TOKEN, Mark

MAX_ACTION_CHARS = 80
MAX_EMOTION_CHARS = 40
_MAX_EMOTION_WORDS = 3
# Words that no stage direction consists of: between asterisks they are stressed, and "*not*" must not go unheard.
_STRESSED = frozenset(
    """not never no nothing nobody none yes always ever only very really truly too so now here there again
    i me my mine you your yours he him his she her hers it its we us our ours they them their this that these those
    is are am was were be been do does did done have has had can cannot can't could will won't would must mustn't
    should shall don't didn't doesn't isn't aren't wasn't all any every each both one some such own same more most
    much many best worst who what why how when where exactly certainly definitely""".split()
)
_BODY = rf"\*([^*<>{{}}\[\]\n]{{1,{MAX_ACTION_CHARS}}})"
_ACTION = re.compile(rf"{_BODY}\*")
_ACTION_CUT = re.compile(rf"{_BODY}\Z")


def emote_at(text: str, start: int, before: str) -> Mark | None:
    """What the asterisk or bracket at start begins; before is the character in front of it, empty for none."""
    if text[start] == "*":
        return _asterisk(text, start, before)
    return _emotion(text, start) if text[start] == "[" else None


def _asterisk(text: str, start: int, before: str) -> Mark | None:
    """A stage direction, or an asterisk that is dropped because it only pretends to open one."""
    following = text[start + 1 : start + 2]
    if not following:
        return Mark(start, len(text), "partial")
    if following == "*":
        return Mark(start, start + 2, "stray")
    if following.isspace() or before.isalnum():
        return None
    whole = _ACTION.match(text, start)
    if whole and not BARE_TOKEN.search(whole[1]):
        is_stressed = whole[1].replace("’", "'").casefold() in _STRESSED
        return Mark(start, whole.end(), "emphasis" if is_stressed else "action")
    if _ACTION_CUT.match(text, start):
        return Mark(start, len(text), "partial")
    return Mark(start, start + 1, "stray")


def _emotion(text: str, start: int) -> Mark | None:
    stop = start + MAX_EMOTION_CHARS
    end = text.find("]", start, stop)
    words = re.split("[ -]", text[start + 1 : end if end >= 0 else stop].strip(" "))
    if len(words) > _MAX_EMOTION_WORDS or not all(_is_word(word) for word in words):
        return None
    if end >= 0:
        return Mark(start, end + 1, "emotion") if all(words) else None
    return Mark(start, len(text), "partial") if len(text) < stop else None


def _is_word(text: str) -> bool:
    """Letters and what is written upon them; true for none at all."""
    return all(char.isalpha() or unicodedata.category(char)[0] == "M" for char in text)
