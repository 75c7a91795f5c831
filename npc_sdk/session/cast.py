"""Every NPC as it is authored now, and the change to another edition of the content while sessions are open.

Making an edition is slow and may run on any thread; adopting it is quick and belongs to the loop, between turns: a
reply keeps the scene that it began with. Owned by the world.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.engine.interface import Engine
from npc_sdk.errors import NpcError, SettingsError
from npc_sdk.lore.alias import Aliases
from npc_sdk.lore.book import LoreBook
from npc_sdk.lore.content import WorldContent
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.lore.index_store import OnProgress
from npc_sdk.lore.language import Language
from npc_sdk.lore.semantic import Embedder
from npc_sdk.persona.problem import name_hint
from npc_sdk.persona.schema import Persona
from npc_sdk.prompt.formats import chat_format
from npc_sdk.requests import Priority, Segment
from npc_sdk.session.ahead import Guess
from npc_sdk.session.bark import Barks
from npc_sdk.session.feelings import Feelings
from npc_sdk.session.learned import Learned
from npc_sdk.session.past import Past
from npc_sdk.session.recall import Recall
from npc_sdk.session.scene import Scene, remembered
from npc_sdk.session.state import GameState
from npc_sdk.session.toolbelt import Toolbelt
from npc_sdk.session.viewpoint import Viewpoint
from npc_sdk.settings import SessionSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Edition:
    """Content with its lore indexed; constants are the entries that may stand in a front."""

    content: WorldContent
    book: LoreBook
    constants: tuple[LoreEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What another edition brought, as NPC ids; changed are those whose rules, persona or tools are others now."""

    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        kinds = (("changed", self.changed), ("added", self.added), ("removed", self.removed))
        return "; ".join(f"{kind} {', '.join(ids)}" for kind, ids in kinds if ids) or "only lore"


class Cast:
    """engines holds the world's own under "" and every other that a persona may name.

    Raises: SettingsError where an engine wants a chat or tool format that nobody wrote, or a persona a model that is
    not there.
    """

    def __init__(self, engines: Mapping[str, Engine], settings: SessionSettings, embedder: Embedder | None) -> None:
        self.state = GameState()
        self.feelings = Feelings()
        self.learned = Learned()
        self._barks = Barks()
        self.scenes: dict[str, Scene] = {}  # also of those who left, while a session is open
        self._engines = engines
        self._settings = settings
        self._embedder = embedder
        self._chance = str(settings.lore_seed) if settings.lore_seed is not None else secrets.token_hex(8)
        self._counts = {name: remembered(engine.count_tokens) for name, engine in engines.items()}
        self._edition: Edition | None = None

    @property
    def edition(self) -> Edition:
        """What is played now."""
        assert self._edition is not None, "a cast is used after its first edition was adopted"
        return self._edition

    @property
    def personas(self) -> Mapping[str, Persona]:
        """Who can be talked to."""
        return self.edition.content.personas

    def prepare(self, content: WorldContent, on_progress: OnProgress | None = None) -> Edition:
        """Indexes the lore. Safe on any thread. Raises: SettingsError, ModelFormatError."""
        book = LoreBook.build(
            content.lore,
            language=content.world.language,
            embedder=self._embedder,
            min_similarity=self._settings.lore_min_similarity,
            cache_dir=self._settings.lore_cache_dir,
            on_progress=on_progress,
        )
        return Edition(content, book, tuple(entry for entry in content.lore if entry.rules.is_constant))

    def adopt(self, edition: Edition, open_ids: Collection[str] = ()) -> Change:
        """Every turn that begins from now on is of this edition. Mutates: scenes; the engines forget what is stale.

        open_ids are of NPCs with a session, who stay at hand though the edition has them no more.
        Raises: SettingsError, and then nothing has changed.
        """
        scenes = dict(self._build(edition))
        before = self._edition.content.personas if self._edition else {}
        has_new_lore = self._edition is not None and self._edition.constants != edition.constants
        changed = [
            npc_id
            for npc_id in before
            if npc_id in scenes and _has_new_front(self.scenes[npc_id], scenes[npc_id], has_new_lore=has_new_lore)
        ]
        removed = [npc_id for npc_id in before if npc_id not in scenes]
        alike = next((scene for npc_id, scene in scenes.items() if npc_id in before and npc_id not in changed), None)
        for npc_id in (*changed, *removed):
            self._forget(self.scenes[npc_id], scenes.get(npc_id), alike)
        gone = {npc_id: scene for npc_id, scene in self.scenes.items() if npc_id in open_ids and npc_id not in scenes}
        self.scenes.clear()  # sessions hold this very map
        self.scenes.update(gone | scenes)
        self._edition = edition
        return Change(tuple(changed), tuple(sorted(set(scenes) - set(before))), tuple(removed))

    def _build(self, edition: Edition) -> Iterator[tuple[str, Scene]]:
        content = edition.content
        words = Language.named(content.world.language).words
        recall = Recall(
            book=edition.book,
            aliases=Aliases(alias_names(content), words),
            learned=self.learned,
            calendar=content.world.calendar,
            limit=self._settings.lore_limit,
            chance=self._chance,
        )
        for npc_id, persona in content.personas.items():
            yield npc_id, self._scene(npc_id, persona, content, recall)

    def _scene(self, npc_id: str, persona: Persona, content: WorldContent, recall: Recall) -> Scene:
        model = persona.model or ""
        if model not in self._engines:
            path = content.root / npc_id
            hint = name_hint(model, [name for name in self._engines if name], "models")
            raise SettingsError(f"{path}: model {model!r} is not among the settings' models", hint=hint)
        engine = self._engines[model]
        return Scene(
            npc_id=npc_id,
            persona=persona,
            world=content.world,
            recall=recall,
            viewpoint=self._viewpoint(npc_id, persona, content),
            state=self.state,
            engine=engine,
            settings=self._settings,
            chat_format=chat_format(engine.info.chat_format),
            tool_format=tool_format(engine.info.tool_format),
            belt=Toolbelt(persona, content.world),
            count=self._counts[model],
            barks=self._barks,
        )

    def _viewpoint(self, npc_id: str, persona: Persona, content: WorldContent) -> Viewpoint:
        names = {other: one.name for other, one in content.personas.items()}
        return Viewpoint(npc_id, persona, content.world, self.state, self.feelings, self.learned, names)

    @staticmethod
    def _forget(old: Scene, new: Scene | None, alike: Scene | None) -> None:
        """Has the engine throw away what it keeps of an NPC's old prompts, but not what others begin with too.

        alike is an NPC that has not changed: rules and premise, which all share, stand in its front as they did.
        """
        front = _front(old)
        kept = [_front(scene) for scene in (new, alike) if scene is not None and scene.engine is old.engine]
        old.engine.forget(front, max(kept, key=lambda other: _shared_chars(front, other), default=()))

    def release(self, npc_id: str) -> None:
        """No session with an NPC is open any more. Mutates: scenes, if it is of an edition that is gone."""
        if npc_id not in self.personas:
            self.scenes.pop(npc_id, None)


def _shared_chars(one: Sequence[Segment], other: Sequence[Segment]) -> int:
    """How much two fronts have in common."""
    texts = ["".join(segment.text for segment in front) for front in (one, other)]
    differ = (at for at, (left, right) in enumerate(zip(*texts, strict=False)) if left != right)
    return next(differ, min(map(len, texts)))


def _has_new_front(old: Scene, new: Scene, *, has_new_lore: bool) -> bool:
    """Whether an NPC's prompts begin otherwise; most of a large cast is told apart without making a prompt."""
    if not has_new_lore and (old.persona, old.world) == (new.persona, new.world):
        return False
    return old.engine is not new.engine or _front(old) != _front(new)


def _front(scene: Scene) -> tuple[Segment, ...]:
    """What all prompts of an NPC begin with; nothing where it does not fit the window, which its replies will say."""
    try:
        guess = Guess(scene, "Traveller", Past())
        return guess.request(f"{scene.npc_id}/front", Priority.BACKGROUND, is_stable_only=True).segments
    except NpcError as exc:
        log.debug("%s has no front: %s", scene.npc_id, exc)
        return ()


def alias_names(content: WorldContent) -> dict[str, tuple[str, ...]]:
    """Every other name of people and places, by the name that stands for all of them."""
    names = {name: tuple(entry.aliases) for name, entry in content.world.names.items()}
    for place in content.world.places.values():
        names[place.name] = (*names.get(place.name, ()), *place.aliases)
    return names


def fronts_file(folder: Path, npc_id: str) -> Path:
    """Where an NPC's front is kept for the next start."""
    return folder / f"{npc_id}.front"
