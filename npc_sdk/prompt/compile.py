"""Compiles one prompt: stable parts first, this turn's passages and words last, never over the model's window.

Rules, persona, tools and the player's words always fit, or PromptTooLong says what is too big. Lore may take a
share of what is left, history the rest; the oldest exchanges go first, several at a time, so that the prefix
stays the same over several turns. Called by session; knows no engine, only a function that counts tokens.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from npc_sdk.errors import PromptTooLong
from npc_sdk.lore.entry import LoreEntry, Match
from npc_sdk.messages import Message, ToolSpec
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.prompt.formats.interface import ChatFormat
from npc_sdk.prompt.history import Counter, History, Turn
from npc_sdk.prompt.pack import CONSTANT_SHARE, Budget, pack
from npc_sdk.prompt.system import system_text
from npc_sdk.prompt.tame import tamed
from npc_sdk.prompt.trace import Part, Trace
from npc_sdk.requests import Segment


@dataclass(frozen=True, slots=True)
class PromptSource:
    """Everything one prompt is made from.

    turn is the player's words and, in a reply that called tools, its own calls and their results so far. directive is
    what the game asks of this one reply, other than an answer in words.
    """

    persona: Persona
    world: WorldFile
    tools: tuple[ToolSpec, ...] = ()
    history: tuple[Message, ...] = ()
    turn: tuple[Message, ...] = ()
    situation: str = ""
    directive: str = ""
    matches: tuple[Match, ...] = ()
    passed_over: tuple[Match, ...] = ()
    untold: Callable[[], Iterable[Match]] = tuple


@dataclass(frozen=True, slots=True)
class CompiledPrompt:
    """segments for the model, tamed messages for engines that render themselves, and the account of how it came about.

    heard is the same messages as they were said and written, by which to tell a quotation from its own words.
    stable_segments of the segments, at the front, begin every prompt of this character while it has the same tools;
    bulk_segments stand before the player's words of this turn.
    """

    segments: tuple[Segment, ...]
    messages: tuple[Message, ...]
    heard: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    trace: Trace
    stable_segments: int
    bulk_segments: int

    def front(self, chars: int) -> tuple[Segment, ...]:
        """The segments up to the first so many characters of the player's words, with which the prompt must end.

        Cut from the whole, so that a prompt made ahead of time and the one that is asked for cannot differ.
        """
        assert self.messages[-1].role == "user", "only a prompt that ends with the player's words has this front"
        said = self.segments[self.bulk_segments].text[:chars]
        bulk = self.segments[: self.bulk_segments]
        return (*bulk, Segment(said)) if said else bulk


def compile_prompt(
    source: PromptSource, *, chat_format: ChatFormat, count: Counter, window_tokens: int, reply_tokens: int
) -> CompiledPrompt:
    """The prompt for the next words of this character.

    Raises: PromptTooLong where the fixed parts alone leave no room for a reply of reply_tokens.
    """
    system = Message("system", system_text(source.persona, source.world), contexts=source.persona.knows)
    fixed = _fixed_parts(source, system, chat_format, count)
    room = window_tokens - reply_tokens - sum(part.tokens for part in fixed)
    lasting = window_tokens - reply_tokens - sum(part.tokens for part in fixed if part.kind in _LASTING)
    history = History(source.history, chat_format, count)
    while room >= 0:
        budget = Budget(room)
        chosen = _choose(source, system, history, budget, int(lasting * CONSTANT_SHARE), chat_format, count)
        segments = (*_joined((chosen.front, *chosen.past, *chosen.turn)), *chat_format.opening())
        total = count(segments)
        over = total + reply_tokens - window_tokens
        if over <= 0:
            trace = Trace(
                _in_order(fixed, budget.parts), total, window_tokens, reply_tokens, partial(_untold, source.untold)
            )
            return _compiled(chosen, segments, source.tools, trace)
        room -= over  # words that meet at a seam can take more tokens joined than alone
    raise _too_long(fixed, window_tokens, reply_tokens)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What gets into a prompt: the system turn, the history, the player's words and what came of them."""

    front: Turn
    past: tuple[Turn, ...]
    turn: tuple[Turn, ...]


def _choose(
    source: PromptSource,
    system: Message,
    history: History,
    budget: Budget,
    constant_room: int,
    chat_format: ChatFormat,
    count: Counter,
) -> _Chosen:
    """The prompt's messages, with as much lore and history as there is room for. Mutates: budget."""

    def measure(entry: LoreEntry) -> int:
        return _passage_tokens(entry.text, chat_format, count)

    lore = pack(source.matches, budget, measure, constant_room)
    past = history.choose(budget)
    budget.parts += [_out(match) for match in source.passed_over]
    known = dataclasses.replace(system, contexts=(*system.contexts, *lore.constants))
    turn = _with_passages(source, lore.told)
    return _Chosen(
        Turn(known, tuple(chat_format.system(known, source.tools))),
        past,
        tuple(Turn(message, tuple(chat_format.turn(message))) for message in turn),
    )


def _joined(turns: Iterable[Turn]) -> Iterator[Segment]:
    return (segment for turn in turns for segment in turn.segments)


def _compiled(
    chosen: _Chosen, segments: tuple[Segment, ...], tools: tuple[ToolSpec, ...], trace: Trace
) -> CompiledPrompt:
    """The player's words are the last thing said in their turn: what stands before them may be read in bulk."""
    messages = tuple(turn.message for turn in (chosen.front, *chosen.past, *chosen.turn))
    tame = tuple(tamed(message) for message in messages)
    stable = len(chosen.front.segments)
    opened = [index for index, segment in enumerate(chosen.turn[0].segments) if not segment.is_trusted]
    bulk = stable + sum(len(turn.segments) for turn in chosen.past) + opened[-1]
    return CompiledPrompt(segments, tame, messages, tools, trace, stable, bulk)


def _out(match: Match) -> Part:
    entry = match.entry
    is_essential = entry.rules.is_essential and match.score > 0
    return Part("lore", entry.entry_id, 0, False, match.why, entry.book.name, is_essential=is_essential)


def _untold(matches: Callable[[], Iterable[Match]]) -> Iterator[Part]:
    return (_out(match) for match in matches())


def _fixed_parts(source: PromptSource, system: Message, chat_format: ChatFormat, count: Counter) -> list[Part]:
    """The parts without which there is no reply. Each is measured by what it adds to the rendered prompt."""
    bare = Message("system", system.text)
    steps: list[tuple[str, str, list[Segment]]] = [("system", "rules and persona", chat_format.system(bare, ()))]
    for index, tool in enumerate(source.tools):
        steps.append(("tool", tool.name, chat_format.system(bare, source.tools[: index + 1])))
    if system.contexts:
        steps.append(("knows", f"{len(system.contexts)} facts", chat_format.system(system, source.tools)))
    parts: list[Part] = []
    before = 0
    for kind, name, segments in steps:
        total = count(segments)
        parts.append(Part(kind, name, total - before, True, "always in"))  # type: ignore[arg-type]
        before = total
    if source.situation:
        tokens = _passage_tokens(source.situation, chat_format, count)
        parts.append(Part("situation", "the moment", tokens, True, "state that the game set"))
    if source.directive:
        tokens = _passage_tokens(source.directive, chat_format, count)
        parts.append(Part("situation", "what is asked for", tokens, True, "always in"))
    words = [segment for message in source.turn for segment in chat_format.turn(message)]
    parts.append(Part("words", "this turn", count(words), True, "always in"))
    parts.append(Part("opening", "reply opens", count(chat_format.opening()), True, "always in"))
    return parts


def _passage_tokens(text: str, chat_format: ChatFormat, count: Counter) -> int:
    """What a passage adds to a user turn; 1 more covers the line between passages and words."""
    bare = chat_format.turn(Message("user", "x"))
    return count(chat_format.turn(Message("user", "x", contexts=(text,)))) - count(bare) + 1


def _with_passages(source: PromptSource, lore: Sequence[str]) -> list[Message]:
    """The turn with its passages in front of the player's words; the situation stands near them."""
    words, *rest = source.turn
    told = tuple(passage for passage in (source.situation, source.directive) if passage)
    return [dataclasses.replace(words, contexts=(*lore, *told)), *rest]


_LASTING = ("system", "tool", "knows")
_ORDER = (*_LASTING, "constant", "history", "lore", "secret", "situation", "words", "opening")


def _in_order(fixed: Sequence[Part], chosen: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(sorted((*fixed, *chosen), key=lambda part: _ORDER.index(part.kind)))


def _too_long(fixed: Sequence[Part], window_tokens: int, reply_tokens: int) -> PromptTooLong:
    sizes = ", ".join(f"{part.name} {part.tokens}" for part in sorted(fixed, key=lambda p: -p.tokens)[:5])
    needed = sum(part.tokens for part in fixed) + reply_tokens
    return PromptTooLong(
        f"what must be in the prompt needs {needed} tokens with the reply, the model's window has {window_tokens}",
        hint=f"largest parts: {sizes}; reply {reply_tokens}. Shorten the persona, its tools or the player's words",
    )
