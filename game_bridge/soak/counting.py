"""A world whose one NPC counts aloud, so that a lost, doubled or misrouted piece of a reply shows in the reply itself.

Asked ``Count T7 to 3 in 9``, it says ``T7:0:xxxx T7:1:xxxx T7:2:xxxx``: three words of 9 letters. Knows no wire.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from npc_sdk.engine.scripted import ScriptedEngine, heard_text
from npc_sdk.lore.content import WorldContent
from npc_sdk.persona.schema import Persona, Voice, WorldFile
from npc_sdk.requests import GenerateRequest
from npc_sdk.settings import SessionSettings
from npc_sdk.world import World

NPC_ID = "clerk"
MOST_WORDS = 4_000
_ASKED = re.compile(r"Count (\S+) to (\d+) in (\d+)")
_SENTENCE_WORDS = 10
_CONTEXT_TOKENS = MOST_WORDS + 1_500  # little is left for what was said before


def order(tag: str, words: int, letters: int = 12) -> str:
    """What to say to the NPC. tag has no blanks and colons; a capital in front lets its sentences end."""
    return f"Count {tag} to {words} in {letters}"


def word_at(tag: str, number: int, letters: int) -> str:
    """One word of a count, with a full stop where a sentence ends."""
    stop = "." if number % _SENTENCE_WORDS == _SENTENCE_WORDS - 1 else ""
    return f"{tag}:{number}:".ljust(letters - len(stop), "x") + stop


def make_world(delay_s: float = 0.0) -> World:
    """A clerk who counts. Units: delay_s passes before each word."""
    clerk = Persona(name="Odo", role="a clerk", voice=Voice(style="dry"), greeting="Next!")
    content = WorldContent(WorldFile(name="Counting house"), {NPC_ID: clerk}, (), Path())
    engine: ScriptedEngine

    def answer(request: GenerateRequest) -> str:
        engine.requests.clear()  # kept for tests to look at; in a long run they would look like a leak
        engine.prefills.clear()
        engine.forgotten.clear()
        asked = _ASKED.search(heard_text(request.messages))
        if asked is None:
            return "What shall I count?"
        tag, words, letters = asked[1], min(int(asked[2]), MOST_WORDS), int(asked[3])
        return " ".join(word_at(tag, number, letters) for number in range(words))

    engine = ScriptedEngine(answer, delay_s=delay_s, context_tokens=_CONTEXT_TOKENS)
    return World(content, engine, SessionSettings(reply_tokens=MOST_WORDS))


@dataclass(slots=True)
class Count:
    """One counted reply as its client hears it. lost and doubled are words; misrouted are another reply's."""

    tag: str
    words: int
    next: int = 0
    heard: int = 0
    lost: int = 0
    doubled: int = 0
    misrouted: int = 0

    def hear(self, text: str) -> None:
        """One text event, which is one word."""
        tag, _, rest = text.strip().partition(":")
        number = rest.partition(":")[0]
        if tag != self.tag or not number.isdecimal():
            self.misrouted += 1
            return
        self.heard += 1
        self._place(int(number))

    def end(self) -> None:
        """The reply is whole: words that did not come by now never will."""
        self.lost += self.words - self.next
        self.next = self.words

    def _place(self, number: int) -> None:
        if number < self.next:
            self.doubled += 1
            return
        self.lost += number - self.next
        self.next = number + 1
