"""The proof: every character is asked about every fact outside its scope, and no prompt may hold one.

Takes prompts from the world as a reply would (World.preview) and looks only at what the player did not say.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.evals.leak.fact import PLAYER, Eyes, Fact, State, facts_of
from npc_sdk.evals.leak.moment import moments
from npc_sdk.evals.leak.passage import Passage, passages_of
from npc_sdk.evals.leak.question import Question, questions_about
from npc_sdk.evals.leak.repeat import Repeat, repeats
from npc_sdk.evals.leak.text import plain
from npc_sdk.lore.content import WorldContent
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.prompt.compile import CompiledPrompt
from npc_sdk.settings import SessionSettings
from npc_sdk.world import World

Ask: TypeAlias = Callable[[str, Question, State], CompiledPrompt]

_WINDOW_TOKENS = 1_000_000
_LORE_LIMIT = 32
_PARTS = frozenset({"lore", "constant", "secret"})


@dataclass(frozen=True, slots=True)
class Leak:
    """A fact that reached a character outside its scope.

    question is what brought it into a prompt; None where an author's copy was found by reading. passage is that copy.
    """

    npc_id: str
    fact: Fact
    question: Question | None = None
    passage: Passage | None = None
    words: str = ""


@dataclass(slots=True)
class LeakReport:
    """pairs are those of a character and a fact outside its scope that were tried, in so many states of the game."""

    pairs: int = 0
    questions: int = 0
    states: int = 0
    leaks: list[Leak] = field(default_factory=list)


@dataclass(slots=True)
class _Trial:
    """One run over a cast. Mutates: found, which keeps the first leak of a fact to a character."""

    content: WorldContent
    ask: Ask
    tried: set[tuple[str, str]] = field(default_factory=set)
    questions: int = 0
    found: dict[tuple[str, str], Leak] = field(default_factory=dict)

    def question(self, eyes: Eyes, about: Sequence[Fact], hidden: Sequence[Fact]) -> None:
        """Asks one character in one state about some facts and looks in each prompt for all that is hidden from it."""
        self.tried |= {(eyes.npc_id, fact.fact_id) for fact in about}
        asked = dict.fromkeys(question for fact in about for question in questions_about(fact))
        wanted = [(fact, plain(fact.text)) for fact in hidden]
        for question in asked:
            self.questions += 1
            prompt = self.ask(eyes.npc_id, question, eyes.state)
            names, told = _parts_in(prompt), _told(prompt)
            for fact, text in wanted:
                if fact.names & names or text in told:
                    self._note(Leak(eyes.npc_id, fact, question))

    def read(self, eyes: Eyes, hidden: Sequence[Fact], copies: Iterable[Repeat]) -> None:
        """Looks for copies in what the character is given."""
        ids = {fact.fact_id for fact in hidden}
        for copy in copies:
            if copy.fact.fact_id in ids and copy.passage.is_read_by(eyes):
                self._note(Leak(eyes.npc_id, copy.fact, None, copy.passage, copy.words))

    def _note(self, leak: Leak) -> None:
        self.found.setdefault((leak.npc_id, leak.fact.fact_id), leak)


def _untold(_done: int, _total: int, _what: str) -> None:
    """Progress that nobody asked for."""


def find_leaks(
    content: WorldContent,
    state: State | None = None,
    ask: Ask | None = None,
    on_progress: Callable[[int, int, str], None] = _untold,
) -> LeakReport:
    """Asks the whole cast. ask gives the prompt of a question; the world's own if not given.

    Raises: NpcError where a prompt cannot be compiled.
    """
    facts = facts_of(content)
    copies = repeats(facts, tuple(passages_of(content, facts)))
    trial = _Trial(content, ask or _asker(content))
    states = moments(facts, state or {})
    everybody = [Eyes(content, npc_id, moment) for moment in states for npc_id in content.personas]
    for done, eyes in enumerate(everybody):
        on_progress(done, len(everybody), eyes.npc_id)
        hidden = [fact for fact in facts if not eyes.may_know(fact)]
        trial.read(eyes, hidden, copies)
        # In the first state all is asked; in each further one only what a state decides, for the rest was asked.
        is_first = done < len(content.personas)
        trial.question(eyes, hidden if is_first else [fact for fact in hidden if fact.when], hidden)
    leaks = sorted(trial.found.values(), key=lambda leak: (str(leak.fact.path), leak.fact.fact_id, leak.npc_id))
    return LeakReport(len(trial.tried), trial.questions, len(states), leaks)


def _asker(content: WorldContent) -> Ask:
    """The world with its doors wide open: what a budget or a draw keeps out today may come in tomorrow.

    Other models that personas name are not asked for: the same prompt is compiled for each.
    """
    engine = ScriptedEngine("", context_tokens=_WINDOW_TOKENS)
    personas = {npc_id: one.model_copy(update={"model": None}) for npc_id, one in content.personas.items()}
    opened = dataclasses.replace(content, lore=tuple(map(_unruled, content.lore)), personas=personas)
    world = World(opened, engine, SessionSettings(lore_limit=_LORE_LIMIT))

    def ask(npc_id: str, question: Question, state: State) -> CompiledPrompt:
        return world.preview(npc_id, question.words, player=PLAYER, state=state, history=question.history)

    return ask


def _unruled(entry: LoreEntry) -> LoreEntry:
    """The entry without budget, chance, groups and times: its keys and its scope are what is left."""
    rules = dataclasses.replace(entry.rules, probability=100.0, delay=0, cooldown=0, groups=())
    return dataclasses.replace(entry, rules=rules, book=dataclasses.replace(entry.book, budget_tokens=None))


def _parts_in(prompt: CompiledPrompt) -> frozenset[str]:
    return frozenset(part.name for part in prompt.trace.parts if part.is_in and part.kind in _PARTS)


def _told(prompt: CompiledPrompt) -> str:
    """All that the prompt holds, less what the player said."""
    said = {message.text.strip() for message in prompt.messages if message.role == "user"}
    return plain(" ".join(segment.text for segment in prompt.segments if segment.text.strip() not in said))
