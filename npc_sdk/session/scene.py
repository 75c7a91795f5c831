"""Everything a reply of one NPC is made from, other than the conversation: persona, world, lore, state, model.

Drafts and compiles prompts, the same way for a reply and for a preview. Made by the world, one an NPC.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from npc_sdk.decoding.tool_formats.interface import ToolFormat
from npc_sdk.engine.interface import Engine
from npc_sdk.lore.entry import NO_TIMERS, Book, LoreEntry, Match, Rules, Timers
from npc_sdk.messages import JsonValue, Message, ToolSpec
from npc_sdk.persona.greeting import greeting_line
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.secret import open_secrets
from npc_sdk.persona.situation import render_situation
from npc_sdk.persona.temper import temper_lines
from npc_sdk.prompt.compile import CompiledPrompt, PromptSource, compile_prompt
from npc_sdk.prompt.formats.interface import ChatFormat
from npc_sdk.prompt.history import Counter
from npc_sdk.prompt.trace import Part
from npc_sdk.requests import Sampling, Segment
from npc_sdk.session.bark import Barks
from npc_sdk.session.live_tool import LiveTools
from npc_sdk.session.past import Past, chat_length
from npc_sdk.session.recall import Recall
from npc_sdk.session.state import GameState
from npc_sdk.session.tool_use import ToolUse
from npc_sdk.session.toolbelt import Toolbelt
from npc_sdk.session.viewpoint import View, Viewpoint
from npc_sdk.settings import SessionSettings

REMEMBERED_COUNTS = 256
_SECRETS = Book("secrets")
_TOLD = Rules(is_essential=True)


@dataclass(frozen=True, slots=True)
class Draft:
    """A prompt before it is fitted to the window, and what the state leaves out: lines, secrets, and tools for now.

    timers are the lore's that still run in a chat of length messages, the player's words included.

    A reply drafts once: what its rounds add stands behind it, so that the cached prefix holds.
    """

    source: PromptSource
    left_out: tuple[Part, ...]
    timers: Timers = NO_TIMERS
    length: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """Holds the state by reference: a draft sees what the game has set until then."""

    npc_id: str
    persona: Persona
    world: WorldFile
    recall: Recall
    viewpoint: Viewpoint
    state: GameState
    engine: Engine
    settings: SessionSettings
    chat_format: ChatFormat
    tool_format: ToolFormat
    belt: Toolbelt
    count: Counter
    use: ToolUse = field(default_factory=ToolUse)
    barks: Barks = field(default_factory=Barks)

    def opening(self, player: str) -> tuple[Message, ...]:
        """What a conversation begins with at this moment: the greeting, where there is one."""
        said = greeting_line(self.persona, self.viewpoint.view(player).variables, player)
        return (Message("assistant", said),) if said else ()

    def live(
        self, used_in_reply: Mapping[str, int] | None = None, *, state: Mapping[str, JsonValue] | None = None
    ) -> LiveTools:
        """What the NPC may call at this moment. state is laid over what the game has set."""
        variables = {**self.state.seen_by(self.npc_id), **(state or {})}
        return self.belt.live(variables, self.use, used_in_reply or {}, time.monotonic())

    def draft(
        self,
        words: Message,
        *,
        player: str,
        past: Past,
        state: Mapping[str, JsonValue] | None = None,
        directive: str = "",
    ) -> Draft:
        """What the NPC is told with these words. state is laid over what the game has set.

        The tools are declared as they always are, so that the cached prefix holds: what of them may be called is not
        the prompt's business but the run's.
        """
        view = self.viewpoint.view(player, state)
        situation, unfilled = render_situation(self.persona, view.variables, player, self._moment(view))
        found = self.recall.find(words.text, view, past)
        secrets, kept = _secrets(self.persona, self.npc_id, view)
        source = PromptSource(
            persona=self.persona,
            world=self.world,
            tools=self._declared(),
            history=past.messages,
            turn=(words,),
            situation=situation,
            directive=directive,
            matches=(*secrets, *found.matches),
            passed_over=found.passed_over,
            untold=found.rest,
        )
        faults = tuple(Part("situation", "the game's state", 0, is_in=False, why=why) for why in view.faults)
        lines = tuple(Part("situation", "a line", 0, is_in=False, why=why) for why in unfilled)
        spent = self.live(state=state).left_out if self._declared() else ()
        calls = (Part("call", name, 0, is_in=False, why=why) for name, why in spent)
        return Draft(source, (*kept, *faults, *lines, *calls), found.timers, chat_length(past) + 1)

    def compile(self, draft: Draft, *, reply_tokens: int, rounds: Sequence[Message] = ()) -> CompiledPrompt:
        """The prompt, with what earlier rounds of the reply said and did behind the words.

        Raises: PromptTooLong.
        """
        source = dataclasses.replace(draft.source, turn=(*draft.source.turn, *rounds))
        prompt = compile_prompt(
            source,
            chat_format=self.chat_format,
            count=self.count,
            window_tokens=self.engine.info.context_tokens,
            reply_tokens=reply_tokens,
        )
        trace = dataclasses.replace(prompt.trace, parts=(*prompt.trace.parts, *draft.left_out))
        return dataclasses.replace(prompt, trace=trace)

    def sampling(self, chosen: Sampling | None = None) -> Sampling:
        """The caller's choice, or else the persona's over the settings'; the chat format's stops always hold."""
        sampling = chosen or self.persona.sampling.apply(Sampling(max_new_tokens=self.settings.reply_tokens))
        return dataclasses.replace(sampling, stop=tuple(dict.fromkeys((*sampling.stop, *self.chat_format.stop))))

    def _moment(self, view: View) -> tuple[str, ...]:
        """What the character is aware of besides what the game reports: the date, its mood, how it feels."""
        today = (f"Today is {view.today_told}.",) if view.today_told else ()
        return (*today, *temper_lines(self.persona, view.temper, view.player, self.viewpoint.names))

    def _declared(self) -> tuple[ToolSpec, ...]:
        """None where no reply may ever call."""
        return self.belt.specs if self.settings.tool_rounds else ()


def _secrets(persona: Persona, npc_id: str, view: View) -> tuple[list[Match], list[Part]]:
    """The secrets that may be told now, as lore, and the account of those that are kept."""
    found = open_secrets(persona, view.viewer.variables)
    told = [
        Match(
            LoreEntry(f"{npc_id}.secret.{secret.id}", secret.text, rules=_TOLD, book=_SECRETS),
            1.0,
            f"may be told now: {secret.when}",
        )
        for secret in found.opened
    ]
    kept = [
        Part("secret", f"{npc_id}.secret.{one.secret.id}", 0, is_in=False, why=one.why, book=_SECRETS.name)
        for one in found.closed
    ]
    return told, kept


def remembered(count: Counter) -> Counter:
    """The same count, which remembers what it counted last: most parts of a prompt come again in the next one."""

    @lru_cache(maxsize=REMEMBERED_COUNTS)
    def counted(segments: tuple[Segment, ...]) -> int:
        return count(segments)

    return lambda segments: counted(tuple(segments))
