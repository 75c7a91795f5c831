"""What somebody must not know: each entry of lore, each secret, each fact of a persona, and from whom it is hidden.

Goes by what authors wrote and not by what the session makes of it, so that the two can be held against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from npc_sdk.evals.leak.text import plain
from npc_sdk.lore.content import WorldContent
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.lore.scan import Viewer
from npc_sdk.lore.scope import barred
from npc_sdk.messages import JsonValue
from npc_sdk.persona.calendar import DateError
from npc_sdk.persona.condition import holds
from npc_sdk.persona.load import PERSONA_FILE
from npc_sdk.persona.schema import Persona
from npc_sdk.persona.secret import Secret, kept_secrets
from npc_sdk.persona.temper import start_temper, variables
from npc_sdk.persona.yaml_reader import FieldPath

FactKind: TypeAlias = Literal["lore", "secret", "knows"]
State: TypeAlias = Mapping[str, JsonValue]

PLAYER = "Traveller"


@dataclass(frozen=True, slots=True)
class Fact:
    """owner is whose persona it stands in, "" for lore; where is the field there. entry is the lore entry.

    names: how a prompt's trace may call it.
    """

    fact_id: str
    kind: FactKind
    text: str
    path: Path
    line: int = 0
    owner: str = ""
    where: FieldPath = ()
    keys: tuple[str, ...] = ()
    when: str = ""
    names: frozenset[str] = frozenset()
    entry: LoreEntry | None = None


def facts_of(content: WorldContent) -> tuple[Fact, ...]:
    """Everything in the content that somebody might not have to know."""
    lore = [_lore_fact(entry) for entry in content.lore]
    return (*lore, *(fact for npc_id, persona in content.personas.items() for fact in _own(npc_id, persona, content)))


def _lore_fact(entry: LoreEntry) -> Fact:
    named = tuple(dict.fromkeys((*entry.keys, *entry.rules.secondary_keys)))
    return Fact(
        entry.entry_id,
        "lore",
        entry.text,
        entry.path,
        entry.line,
        keys=named,
        when=entry.scope.when,
        names=frozenset({entry.entry_id}),
        entry=entry,
    )


def _own(npc_id: str, persona: Persona, content: WorldContent) -> Iterator[Fact]:
    path = content.root / npc_id / PERSONA_FILE
    for index, text in enumerate(persona.knows):
        yield Fact(f"{npc_id}.knows[{index}]", "knows", text, path, owner=npc_id, where=("knows", index))
    for index, secret in enumerate(persona.secrets):
        where: FieldPath = ("secrets", index)
        if not isinstance(secret, Secret):
            yield Fact(f"{npc_id}.secrets[{index}]", "secret", secret, path, owner=npc_id, where=where)
            continue
        fact_id = f"{npc_id}.{secret.id}"
        names = frozenset({secret.id, fact_id}) if secret.when else frozenset[str]()
        yield Fact(
            fact_id,
            "secret",
            secret.text,
            path,
            owner=npc_id,
            where=where,
            keys=(secret.id.replace("_", " "), *([secret.hint] if secret.hint else [])),
            when=secret.when or "",
            names=names,
        )


@dataclass(frozen=True)
class Eyes:
    """One character in one state of the game: what it may know there. Built from the authored files alone."""

    content: WorldContent
    npc_id: str
    state: State = field(default_factory=dict)

    @cached_property
    def viewer(self) -> Viewer:
        """The character as the rules of scopes see it."""
        persona, world = self.content.personas[self.npc_id], self.content.world
        today = self._today()
        date: JsonValue = world.calendar.parts(today) if world.calendar and today is not None else None
        own: State = {"date": date} if date is not None else {}
        said = self.state.get("place")
        place = (world.place_id(said) or said) if isinstance(said, str) else persona.home or ""
        known = {**variables(start_temper(persona)), **self.state, **own, "player": PLAYER}
        return Viewer(self.npc_id, frozenset(persona.factions), place, today, known)

    def _today(self) -> int | None:
        calendar = self.content.world.calendar
        if calendar is None:
            return None
        try:
            return calendar.read(self.state["date"]) if "date" in self.state else calendar.start
        except DateError:
            return calendar.start

    def may_know(self, fact: Fact) -> bool:
        """Whether the author lets this character be told the fact in this state."""
        if fact.entry is not None:
            return not barred(fact.entry.scope, self.viewer)
        if fact.owner == self.npc_id:
            return not fact.when or holds(fact.when, self.viewer.variables)[0]
        return plain(fact.text) in self._own_words or (fact.kind == "knows" and plain(fact.text) in self._known_lore)

    @cached_property
    def _own_words(self) -> frozenset[str]:
        """What the character's author has told it too: a fact that two personas hold is hidden from neither."""
        persona = self.content.personas[self.npc_id]
        return frozenset(map(plain, (*persona.knows, *kept_secrets(persona))))

    @cached_property
    def _known_lore(self) -> frozenset[str]:
        known = (entry for entry in self.content.lore if not barred(entry.scope, self.viewer))
        return frozenset(plain(entry.text) for entry in known)
