"""One evening: the player's lines go to the game or, in a conversation, to a character; its acts go to the game.

Owns who is being talked to. Knows the client and the screen; the rules are the game's.
"""

from __future__ import annotations

from game_bridge.client import NpcClient, NpcSession
from npc_sdk.errors import ConnectionLost
from npc_sdk.events import Event, ReplyFailed, ReplyFinished, Sentence, TextDelta, ToolCall, ToolSettled
from npc_sdk.messages import FunctionCall
from samples.tavern_text.evening import Do, Evening, Say
from samples.tavern_text.game import Accepted, Game
from samples.tavern_text.screen import Screen
from samples.tavern_text.tally import Tally
from samples.tavern_text.village import VILLAGERS

BYE = "bye"


class Play:
    """A game, a connection and a screen, brought together for one player."""

    def __init__(self, game: Game, client: NpcClient, screen: Screen, player: str) -> None:
        self.game = game
        self.tally = Tally()
        self.npc_id: str | None = None
        self._client = client
        self._screen = screen
        self._player = player
        self._talks: dict[str, NpcSession] = {}

    @property
    def prompt(self) -> str:
        """What stands before the player's cursor."""
        return f"{self._player}: " if self.npc_id else "> "

    def enter(self, line: str) -> bool:
        """Takes one line: speech within a conversation, a command outside. False when the evening is over."""
        if self.npc_id is None:
            return self._command(line)
        if line.strip().casefold().rstrip(".!") == BYE:
            self._leave()
        elif line.strip():
            self.say(line.strip())
        return True

    def say(self, words: str) -> list[ToolSettled]:
        """Says the words and lets the reply happen; the acts that were settled in it.

        Raises: ConnectionLost. Other failures are shown, and the evening goes on.
        """
        if self.npc_id is None:
            self._screen.narrate("Nobody is listening.")
            return []
        npc_id = self.npc_id
        self.tally.said(VILLAGERS[npc_id].name)
        self.game.hear(npc_id, words)
        self._client.set_state(self.game.state_for(npc_id), npc_id=npc_id)
        return self._listen(npc_id, self._talks[npc_id], words)

    def _command(self, line: str) -> bool:
        turn = self.game.command(line)
        self._screen.narrate(turn.text)
        if turn.talk_to:
            self._approach(turn.talk_to)
        return not turn.is_over

    def _approach(self, npc_id: str) -> None:
        """Begins the conversation, or takes up the one from before."""
        self.npc_id = npc_id
        if npc_id in self._talks:
            return
        self._client.set_state(self.game.state_for(npc_id), npc_id=npc_id)
        talk = self._talks[npc_id] = self._client.talk(npc_id, player=self._player)
        speech = self._screen.speech(VILLAGERS[npc_id].name)
        if talk.greeting:
            speech.write(talk.greeting)
        speech.end()

    def _leave(self) -> None:
        name = VILLAGERS[self.npc_id].name if self.npc_id else "nobody"
        self.npc_id = None
        self._screen.narrate(f"You leave {name}.")

    def _listen(self, npc_id: str, talk: NpcSession, words: str) -> list[ToolSettled]:
        """The reply, event by event. However it ends, the terminal is left in order."""
        settled: list[ToolSettled] = []
        speech = self._screen.speech(VILLAGERS[npc_id].name)
        try:
            for event in talk.say(words):
                self.tally.saw(event)
                if isinstance(event, TextDelta):
                    speech.write(event.text)
                elif not isinstance(event, Sentence):  # a sentence brings no words that were not shown already
                    speech.end()
                    self._tell(npc_id, talk, event)
                if isinstance(event, ToolSettled):
                    settled.append(event)
        finally:
            speech.end()
        return settled

    def _tell(self, npc_id: str, talk: NpcSession, event: Event) -> None:
        """An act, the end of a reply, or a call that never reached the game. Raises: ConnectionLost."""
        if isinstance(event, ToolCall):
            self._act(npc_id, talk, event.call)
        elif isinstance(event, ReplyFinished):
            self._screen.corner(event)
        elif isinstance(event, ToolSettled) and event.result.status in ("invalid", "timeout"):
            self._screen.refusal(f"{event.result.name} {event.result.status}", str(event.result.content))
        elif isinstance(event, ReplyFailed):
            if isinstance(event.error, ConnectionLost):
                raise event.error
            self._screen.error(event.error)

    def _act(self, npc_id: str, talk: NpcSession, call: FunctionCall) -> None:
        """The game decides, the character and the player learn of it: the moment after it first, then the answer."""
        outcome = self.game.execute(npc_id, call)
        if isinstance(outcome, Accepted):
            self._screen.act(outcome.notice)
            self._client.set_state(self.game.state_for(npc_id), npc_id=npc_id)
            talk.tool_result(call.call_id, "accepted", outcome.content)
        else:
            self._screen.refusal(f"{VILLAGERS[npc_id].name} tries to {_in_words(call)}, refused", outcome.reason)
            talk.tool_result(call.call_id, "refused", outcome.reason)


def _in_words(call: FunctionCall) -> str:
    """Units: "sell item (lantern, 2)", "follow player"."""
    values = ", ".join(map(str, call.arguments.values()))
    return call.name.replace("_", " ") + (f" ({values})" if values else "")


def perform(play: Play, evening: Evening, screen: Screen) -> None:
    """Plays a written evening to its end. Raises: ConnectionLost."""
    for step in evening.steps:
        if isinstance(step, Do):
            screen.command(step.do)
            if not play.enter(step.do):
                return
        else:
            _say_patiently(play, step, evening.player, screen)


def _say_patiently(play: Play, step: Say, player: str, screen: Screen) -> None:
    """The line, and its other wordings until the hoped-for act has come."""
    for attempt, words in enumerate((step.say, *step.otherwise)):
        play.tally.rephrased += attempt > 0
        screen.player(player, words)
        settled = play.say(words)
        hope = step.until
        if hope is None or any((s.result.name, s.result.status) == (hope.tool, hope.status) for s in settled):
            return


def converse(play: Play, screen: Screen) -> None:
    """Plays with whoever sits at the keyboard, until quit or the end of input. Raises: ConnectionLost."""
    screen.narrate("Type help for what you can do.")
    play.enter("look")
    while True:
        if play.npc_id is None:
            screen.gap()
        try:
            line = input(play.prompt)
        except EOFError:
            return
        if not play.enter(line):
            return
