"""Where an author may have told a fact a second time: every text that some character is given, and who that is.

Called by repeat.py. Texts count as read by a character if the prompt or its own mouth can hold them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from npc_sdk.evals.leak.fact import Eyes, Fact
from npc_sdk.lore.content import WORLD_FOLDER, WorldContent
from npc_sdk.persona.greeting import greetings
from npc_sdk.persona.load import PERSONA_FILE, WORLD_FILE
from npc_sdk.persona.schema import Persona
from npc_sdk.persona.secret import secret_hints
from npc_sdk.persona.yaml_reader import FieldPath


@dataclass(frozen=True, slots=True)
class Passage:
    """A text and where it stands. fact is set where the text is itself a fact with its own bounds.

    owner is whose persona it stands in, "" where every character is told.
    """

    name: str
    text: str
    path: Path
    line: int = 0
    owner: str = ""
    where: FieldPath = ()
    fact: Fact | None = None

    def is_read_by(self, eyes: Eyes) -> bool:
        """Whether the character is given this text."""
        if self.fact is None:
            return self.owner in {"", eyes.npc_id}
        is_others = self.fact.entry is None and self.fact.owner != eyes.npc_id
        return not is_others and eyes.may_know(self.fact)


def passages_of(content: WorldContent, facts: tuple[Fact, ...]) -> Iterator[Passage]:
    """Every text of the content that a prompt can hold."""
    for fact in facts:
        yield Passage(fact.fact_id, fact.text, fact.path, fact.line, fact.owner, fact.where, fact)
    path = content.root / WORLD_FOLDER / WORLD_FILE
    yield Passage("premise", content.world.premise, path, where=("premise",))
    for index, rule in enumerate(content.world.rules):
        yield Passage(f"rules[{index}]", rule, path, where=("rules", index))
    for npc_id, persona in content.personas.items():
        yield from _persona_passages(npc_id, persona, content.root / npc_id / PERSONA_FILE)


def _persona_passages(npc_id: str, persona: Persona, path: Path) -> Iterator[Passage]:
    single = {"role": persona.role, "description": persona.description, "appearance": persona.appearance}
    several = {
        "goals": persona.goals,
        "situation": persona.situation,
        "greeting": greetings(persona),
        "barks": persona.barks,
        "secrets": secret_hints(persona),
    }
    for key, text in single.items():
        yield Passage(f"{npc_id}.{key}", text, path, owner=npc_id, where=(key,))
    for key, texts in several.items():
        for index, text in enumerate(texts):
            yield Passage(f"{npc_id}.{key}[{index}]", text, path, owner=npc_id, where=(key, index))
    for index, text in enumerate(persona.voice.examples):
        yield Passage(f"{npc_id}.voice.examples[{index}]", text, path, owner=npc_id, where=("voice", "examples", index))
