"""The authority over the village: the only thing that changes it. Knows no screen and no socket.

play.py feeds it what the player types and what the characters ask for; state_for is what a character is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.messages import FunctionCall, JsonValue
from samples.tavern_text import command, rule
from samples.tavern_text.command import Turn
from samples.tavern_text.state import State
from samples.tavern_text.village import DOORS, PLACES, PLAYER, QUESTS, VILLAGERS


@dataclass(frozen=True, slots=True)
class Accepted:
    """content goes to the character, notice to the player's screen."""

    content: JsonValue
    notice: str


@dataclass(frozen=True, slots=True)
class Refused:
    """reason goes to the character, and to the player's screen."""

    reason: str


class Game:
    """One evening in the village."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()

    def command(self, line: str) -> Turn:
        """Mutates: the state, by what the player typed."""
        turn = command.run(self.state, line)
        self.state = turn.state
        return turn

    def hear(self, npc_id: str, words: str) -> None:
        """Mutates: what the player is known to have spoken of."""
        self.state = self.state.heard(npc_id, words)

    def execute(self, npc_id: str, call: FunctionCall) -> Accepted | Refused:
        """Mutates: the state, where the rules allow the act."""
        try:
            done = rule.apply(self.state, npc_id, call.name, call.arguments)
        except rule.Refusal as refusal:
            return Refused(str(refusal))
        self.state = done.state
        return Accepted(done.content, done.notice)

    def state_for(self, npc_id: str) -> dict[str, JsonValue]:
        """What this character knows of the moment: for its prompt, and for what its calls can name."""
        villager = VILLAGERS[npc_id]
        holds = self.state.held_by(npc_id)
        values: dict[str, JsonValue] = {
            "place": PLACES[self.state.npc_places[npc_id]].name,
            "holds": list(holds),
            "prices": {item: price for item, price in villager.prices.items() if item in holds},
            "doors": [name for name, door in DOORS.items() if door.keeper == npc_id],
            "player_holds": list(self.state.held_by(PLAYER)),
            "player_coins": self.state.coins,
            "open_quests": self._open_quests(npc_id),
        }
        if status := self._quest_line(npc_id):
            values["quest"] = status
        return values

    def _open_quests(self, npc_id: str) -> list[JsonValue]:
        """The giver's quests that are not over; whether one can begin or end yet is for rule.py to say, in words."""
        return [
            name for name, quest in QUESTS.items() if quest.giver == npc_id and self.state.quests[name] != "finished"
        ]

    def _quest_line(self, npc_id: str) -> str:
        """The giver's quest and how it stands; one whose goods are there counts as done."""
        for name, quest in QUESTS.items():
            if quest.giver == npc_id:
                status: str = self.state.quests[name]
                is_brought = self.state.holders[quest.wanted] in (PLAYER, quest.giver)
                return f"{name}: {'done' if is_brought and status == 'given' else status}"
        return ""
