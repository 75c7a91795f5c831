"""Where an author may have told a fact a second time: every text that some character is given, and who that is.

Called by repeat.py. Texts count as read by a character if the prompt or its own mouth can hold them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from npc_sdk.evals.leak.fact import Eyes, Fact
from npc_sdk.lore.content import WORLD_FOLDER, WorldContent
from npc_sdk.persona.greeting import greetings
from npc_sdk.persona.load import PERSONA_FILE, WORLD_FILE
from npc_sdk.persona.schema import Persona
from npc_sdk.persona.secret import Secret
from npc_sdk.persona.yaml_reader import FieldPath, field_name


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
    for index, tool in enumerate(content.world.tools):
        yield Passage(f"tools.{tool.name}", tool.description, path, where=("tools", index, "description"))
    for npc_id, persona in content.personas.items():
        yield from _persona_passages(npc_id, persona, content.root / npc_id / PERSONA_FILE)


def _persona_passages(npc_id: str, persona: Persona, path: Path) -> Iterator[Passage]:
    for where, text in _texts(persona):
        yield Passage(f"{npc_id}.{field_name(where)}", text, path, owner=npc_id, where=where)


def _texts(persona: Persona) -> Iterator[tuple[FieldPath, str]]:
    """Every text of a persona that is no fact of its own and can reach its prompt or the player."""
    yield from (((key,), getattr(persona, key)) for key in ("name", "role", "description", "appearance"))
    yield ("voice", "style"), persona.voice.style
    several: dict[FieldPath, Sequence[str]] = {
        ("voice", "examples"): persona.voice.examples,
        ("goals",): persona.goals,
        ("taboos",): persona.taboos,
        ("situation",): persona.situation,
        ("barks",): persona.barks,
    }
    for where, texts in several.items():
        yield from (((*where, index), text) for index, text in enumerate(texts))
    is_one = isinstance(persona.greeting, str)
    for index, text in enumerate(greetings(persona)):
        yield ("greeting",) if is_one else ("greeting", index), text
    for index, secret in enumerate(persona.secrets):
        if isinstance(secret, Secret) and secret.when:
            yield ("secrets", index, "hint"), secret.hint
    if persona.mood is not None:
        yield from ((("mood", "moves", what), mood) for what, mood in persona.mood.moves.items())
        yield ("mood", "start"), persona.mood.start or ""
    for other, bond in persona.relationships.items():
        yield from ((("relationships", other, "words", str(level)), line) for level, line in bond.words.items())
