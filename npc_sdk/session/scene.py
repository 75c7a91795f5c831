"""Everything a reply of one NPC is made from, other than the conversation: persona, world, lore, state, model.

Drafts and compiles prompts, the same way for a reply and for a preview. Made by the world, one an NPC.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from npc_sdk.decoding.sentence import SentenceCutter
from npc_sdk.decoding.tool_formats.interface import ToolFormat
from npc_sdk.engine.interface import Engine
from npc_sdk.lore.book import LoreBook
from npc_sdk.lore.entry import SearchResult
from npc_sdk.messages import JsonValue, Message, ToolSpec
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.situation import render_situation
from npc_sdk.prompt.compile import CompiledPrompt, Counter, PromptSource, compile_prompt
from npc_sdk.prompt.formats.interface import ChatFormat
from npc_sdk.prompt.trace import Part
from npc_sdk.requests import Sampling, Segment
from npc_sdk.session.live_tool import LiveTools
from npc_sdk.session.state import GameState
from npc_sdk.session.tool_use import ToolUse
from npc_sdk.session.toolbelt import Toolbelt
from npc_sdk.settings import SessionSettings

REMEMBERED_COUNTS = 256
_SHOWN = re.compile(r"\*[^*\n]+\*|\[[^\]\n]+\]")  # emotes, as the history holds them


@dataclass(frozen=True, slots=True)
class Draft:
    """A prompt before it is fitted to the window, and what the state leaves out: lines, and tools for now.

    A reply drafts once: what its rounds add stands behind it, so that the cached prefix holds.
    """

    source: PromptSource
    left_out: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """Holds the state by reference: a draft sees what the game has set until then."""

    npc_id: str
    persona: Persona
    world: WorldFile
    book: LoreBook
    state: GameState
    engine: Engine
    settings: SessionSettings
    chat_format: ChatFormat
    tool_format: ToolFormat
    belt: Toolbelt
    count: Counter
    use: ToolUse = field(default_factory=ToolUse)

    @property
    def opening(self) -> tuple[Message, ...]:
        """What every conversation begins with: the greeting, where there is one."""
        return (Message("assistant", self.persona.greeting),) if self.persona.greeting else ()

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
        history: Sequence[Message],
        state: Mapping[str, JsonValue] | None = None,
        directive: str = "",
    ) -> Draft:
        """What the NPC is told with these words. state is laid over what the game has set.

        The tools are declared as they always are, so that the cached prefix holds: what of them may be called is not
        the prompt's business but the run's.
        """
        variables = {**self.state.seen_by(self.npc_id), **(state or {})}
        situation, unfilled = render_situation(self.persona, variables, player)
        found = self._recall(words.text, history)
        source = PromptSource(
            persona=self.persona,
            world=self.world,
            tools=self._declared(),
            history=tuple(history),
            turn=(words,),
            situation=situation,
            directive=directive,
            matches=found.matches,
            passed_over=found.passed_over,
        )
        lines = tuple(Part("situation", "a line", 0, is_in=False, why=why) for why in unfilled)
        spent = self.live(state=state).left_out if self._declared() else ()
        return Draft(source, (*lines, *(Part("call", name, 0, is_in=False, why=why) for name, why in spent)))

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

    def _declared(self) -> tuple[ToolSpec, ...]:
        """None where no reply may ever call."""
        return self.belt.specs if self.settings.tool_rounds else ()

    def _recall(self, words: str, history: Sequence[Message]) -> SearchResult:
        """Lore for the player's words. Where they name nothing ("And where is it?"), for what the NPC said last."""
        limit = self.settings.lore_limit
        found = self.book.search(words, npc_id=self.npc_id, limit=limit)
        before = last_sentence(history)
        if found.matches or not before or not limit:
            return found
        again = self.book.search(before, npc_id=self.npc_id, limit=limit)
        matches = tuple(dataclasses.replace(m, why=f"in the NPC's last sentence: {m.why}") for m in again.matches)
        return SearchResult(matches, again.passed_over)


def remembered(count: Counter) -> Counter:
    """The same count, which remembers what it counted last: most parts of a prompt come again in the next one."""

    @lru_cache(maxsize=REMEMBERED_COUNTS)
    def counted(segments: tuple[Segment, ...]) -> int:
        return count(segments)

    return lambda segments: counted(tuple(segments))


def last_sentence(history: Sequence[Message]) -> str:
    """What the NPC said last, what it only showed left out; empty where it has said nothing."""
    for message in reversed(history):
        if message.role == "assistant" and (said := _SHOWN.sub("", message.text)).strip():
            cutter = SentenceCutter()
            return [*cutter.feed(said), *cutter.finish()][-1]
    return ""
