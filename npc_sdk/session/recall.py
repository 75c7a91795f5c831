"""What one NPC recalls of the lore for the player's words: a search over what it can know, and what it just learned.

Knows the search and the conversation, no prompt. Called by scene.py, the same way for a reply and for a guess ahead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from npc_sdk.decoding.sentence import SentenceCutter
from npc_sdk.lore.alias import Aliases
from npc_sdk.lore.book import LoreBook
from npc_sdk.lore.entry import Match, SearchResult
from npc_sdk.lore.scan import Scan
from npc_sdk.messages import Message
from npc_sdk.persona.calendar import Calendar
from npc_sdk.session.learned import Learned
from npc_sdk.session.past import Past, heard_of, spoken
from npc_sdk.session.viewpoint import View


@dataclass(frozen=True, slots=True)
class Recall:
    """chance is what draws are made from, the same for every conversation of this world."""

    book: LoreBook
    aliases: Aliases
    learned: Learned
    calendar: Calendar | None
    limit: int
    chance: str

    def find(self, words: str, view: View, past: Past) -> SearchResult:
        """Lore for the player's words. Where they bring nothing ("And where is it?"), for what the NPC said last."""
        scan = self._scan(words, view, past)
        facts = self.learned.facts(view.viewer.npc_id)
        found = self.book.search(scan, limit=self.limit, learned=facts)
        before = last_sentence(past.messages)
        if self.limit and before and all(match.entry.rules.is_constant for match in found.matches):
            led = self.aliases.expanded(before)  # the words stay beside it: they may forbid an entry
            again = dataclasses.replace(scan, messages=(*scan.messages[:-1], f"{led} {scan.words}"), query=led)
            found = _led_by_npc(self.book.search(again, limit=self.limit, learned=facts), found)
        return dataclasses.replace(found, matches=tuple(self._told(found.matches, view)))

    def _scan(self, words: str, view: View, past: Past) -> Scan:
        """Only what is read has its names written out: a long conversation would cost as much as it is long."""
        texts = (*spoken(past.messages), words)
        unread = max(0, len(texts) - max(1, self.book.deepest))
        return Scan(
            viewer=view.viewer,
            messages=(*texts[:unread], *map(self.aliases.expanded, texts[unread:])),
            timers=past.timers,
            chance=f"{self.chance}/{view.viewer.npc_id}/{view.player}",
            earlier=past.earlier,
        )

    def _told(self, matches: Iterable[Match], view: View) -> Iterator[Match]:
        """Matches as they are told today: how long ago something was, and from whom the NPC has it."""
        revealed = self.learned.revealed(view.viewer.npc_id)
        for match in matches:
            yield self._dated(_sourced(match, revealed), view.viewer.today)

    def _dated(self, match: Match, today: int | None) -> Match:
        day = match.entry.day
        if self.calendar is None or day is None or today is None:
            return match
        ago = self.calendar.ago(day, today)
        text = f"{ago[:1].upper()}{ago[1:]}: {match.entry.text}"
        return dataclasses.replace(match, entry=dataclasses.replace(match.entry, text=text))


def last_sentence(history: Sequence[Message]) -> str:
    """What the NPC said last, what it only showed left out; empty where it has said nothing."""
    for message in reversed(history):
        if message.role == "assistant" and (said := heard_of(message)):
            cutter = SentenceCutter()
            return [*cutter.feed(said), *cutter.finish()][-1]
    return ""


def _led_by_npc(again: SearchResult, first: SearchResult) -> SearchResult:
    """The second search's result, in which the first one's matches keep their reasons."""
    known = {match.entry.entry_id: match for match in first.matches}
    matches = tuple(
        known.get(m.entry.entry_id) or dataclasses.replace(m, why=f"in the NPC's last sentence: {m.why}")
        for m in again.matches
    )
    return dataclasses.replace(again, matches=matches)


def _sourced(match: Match, revealed: Mapping[str, str]) -> Match:
    source = match.entry.source or revealed.get(match.entry.entry_id, "")
    return dataclasses.replace(match, why=f"{match.why}; learned: {source}") if source else match
