"""The world: its cast, one engine, the state that the game sets, and the sessions that are open.

Knows content folders and who talks to whom, not how a reply comes about (session/). Used by games, the bridge and
the command line, from one asyncio loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import secrets
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from npc_sdk.engine.interface import Engine
from npc_sdk.engine.stats import EngineStats
from npc_sdk.errors import DuplicateRequest, Overloaded, RequestError, UnknownNpc, UnknownSession
from npc_sdk.events import Usage
from npc_sdk.lore.content import WorldContent, load_world
from npc_sdk.lore.index_store import OnProgress
from npc_sdk.lore.semantic import Embedder
from npc_sdk.messages import JsonValue, Message, ToolSpec
from npc_sdk.persona.calendar import DateError
from npc_sdk.persona.problem import name_hint
from npc_sdk.persona.schema import Persona
from npc_sdk.persona.situation import MAX_PLAYER_CHARS
from npc_sdk.persona.temper import Temper
from npc_sdk.prompt.compile import CompiledPrompt
from npc_sdk.requests import Priority
from npc_sdk.session import Session
from npc_sdk.session.ahead import Ahead, Guess
from npc_sdk.session.cast import Cast, Change, Edition, fronts_file
from npc_sdk.session.past import Past
from npc_sdk.session.scene import Scene
from npc_sdk.session.state import checked_state
from npc_sdk.settings import SessionSettings

MAX_SESSIONS = 1024
MAX_ID_CHARS = 128
DEFAULT_PLAYER = "Traveller"


class World:
    """models are engines that a persona may name instead of the world's own; embedder lets lore be found by meaning.

    Raises: SettingsError where an engine wants a chat or tool format that nobody wrote, or a persona a model that is
    not there.
    """

    def __init__(
        self,
        content: WorldContent,
        engine: Engine,
        settings: SessionSettings | None = None,
        *,
        models: Mapping[str, Engine] | None = None,
        embedder: Embedder | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        self.engine = engine
        self._engines = {"": engine, **(models or {})}
        self._cast = Cast(self._engines, settings or SessionSettings(), embedder)
        self._cast.adopt(self._cast.prepare(content, on_progress))
        self.reloading = asyncio.Lock()  # of whoever reads the folder anew: the later edit must win
        self._sessions: dict[str, Session] = {}
        self._ahead = Ahead()

    @classmethod
    def load(
        cls,
        personas_dir: Path | str,
        engine: Engine,
        settings: SessionSettings | None = None,
        *,
        tools: Sequence[ToolSpec] = (),
        models: Mapping[str, Engine] | None = None,
    ) -> World:
        """The world of a content folder; tools are declared in code, beside those of world.yaml (Toolbox.specs).

        Raises: ContentError with every mistake of every file, SettingsError.
        """
        return cls(load_world(personas_dir, tools), engine, settings, models=models)

    @property
    def content(self) -> WorldContent:
        """What was authored, in the edition that is played."""
        return self._cast.edition.content

    @property
    def cast(self) -> Mapping[str, Persona]:
        """Who can be talked to, by npc_id."""
        return self._cast.personas

    @property
    def pronunciations(self) -> Mapping[str, str]:
        """How names are said, for the game's voices."""
        return {name: entry.say for name, entry in self.content.world.names.items() if entry.say}

    def prepare(self, content: WorldContent) -> Edition:
        """Readies other content to take the place of this one. Slow, safe on any thread. Raises: SettingsError."""
        return self._cast.prepare(content)

    def adopt(self, edition: Edition) -> Change:
        """Goes on with other content: turns that have begun keep the old one, those to come have the new one.

        Open sessions go on, also with an NPC who is gone. Raises: SettingsError, and then nothing has changed.
        """
        return self._cast.adopt(edition, {session.npc_id for session in self._sessions.values()})

    def talk(
        self, npc_id: str, *, player: str = DEFAULT_PLAYER, session_id: str | None = None, guest: str = ""
    ) -> Session:
        """Opens a session. guest is whoever asks, as the bridge's connection: guests take turns, in hints and pictures.

        Raises: UnknownNpc, DuplicateRequest, RequestError, Overloaded.
        """
        self._scene(npc_id)
        _check_player(player)
        session_id = self._new_id(npc_id) if session_id is None else session_id
        self._check_id(session_id)
        if len(self._sessions) >= MAX_SESSIONS:
            raise Overloaded(f"{MAX_SESSIONS} sessions are open", hint="end those that are over with World.end")
        session = Session(npc_id, self._cast.scenes, self._ahead, session_id=session_id, player=player, guest=guest)
        self._sessions[session_id] = session
        return session

    def session(self, session_id: str) -> Session:
        """An open session. Raises: UnknownSession."""
        try:
            return self._sessions[session_id]
        except KeyError:
            raise UnknownSession(f"session {session_id!r} is not open", hint="begin one with World.talk") from None

    def end(self, session_id: str) -> None:
        """Closes a session; a reply in progress ends as cancelled. Raises: UnknownSession."""
        session = self.session(session_id)
        session.close()
        del self._sessions[session_id]
        if not any(other.npc_id == session.npc_id for other in self._sessions.values()):
            self._cast.release(session.npc_id)

    async def warmup(self, npc_id: str) -> Usage:
        """Computes what all of an NPC's prompts begin with: rules, persona, tools. For a loading screen, which waits.

        Where the settings name a fronts_dir, reads it from there instead; Mutates: the folder, which is for the next
        start.
        Raises: UnknownNpc, PromptTooLong; Overloaded and its kind, after which the first reply takes longer.
        """
        scene = self._scene(npc_id)
        guess = Guess(scene, DEFAULT_PLAYER, Past(scene.opening(DEFAULT_PLAYER)))
        request_id = f"{npc_id}/warmup-{secrets.token_hex(4)}"
        request = guess.request(request_id, Priority.NEARBY, is_stable_only=True)
        folder = scene.settings.fronts_dir
        if folder is not None:
            request = dataclasses.replace(request, snapshot=fronts_file(folder, npc_id))
        return await scene.engine.prefill(request)

    def approach(
        self, npc_id: str, *, player: str = DEFAULT_PLAYER, among: Collection[str] | None = None, guest: str = ""
    ) -> None:
        """The player walks up to an NPC: computes in the background what its next prompt begins with. Returns at once.

        Goes on from the conversation that this player has open with the NPC, the latest of several; among session_ids
        only, where several games share this world. guest is whoever asks, as in talk.
        Raises: UnknownNpc, RequestError for a player's name; nothing that the engine has to say.
        """
        scene = self._scene(npc_id)
        _check_player(player)
        for session in reversed(self._sessions.values()):
            is_own = among is None or session.session_id in among
            if is_own and (session.npc_id, session.player) == (npc_id, player):
                session.approach()
                return
        guess = Guess(scene, player, Past(scene.opening(player)))
        owner = f"{npc_id}/approach/{guest}/{player}"
        self._ahead.expect(owner, guess, Priority.NEARBY, guest=guest, is_new=True, is_passing=True)

    def depart(self, guest: str) -> None:
        """A guest is gone: nothing more is computed ahead for it. Its sessions stay until they are ended."""
        self._ahead.depart(guest)

    def note_frame(self, frame_s: float) -> None:
        """Tells the engine how long the game took for a frame, so that it can give way. Raises: RequestError."""
        if not 0 <= frame_s < math.inf:
            raise RequestError(f"frame_s is {frame_s!r}", hint="give the frame's seconds, 0.0167 for one")
        for engine in self._engines.values():
            engine.note_frame(frame_s)

    def stats(self) -> EngineStats:
        """What the engine did so far."""
        return self.engine.stats()

    def set_state(self, values: Mapping[str, JsonValue], npc_id: str | None = None) -> None:
        """Sets variables for prompts, all or none: the world's, or one NPC's own. None takes a variable away.

        Raises: RequestError for a value that cannot be used, UnknownNpc.
        """
        if npc_id is not None:
            self._scene(npc_id)
        self._check_date(values)
        self._cast.state.set(values, npc_id)

    def happen(self, event: str, npc_id: str, *, player: str = DEFAULT_PLAYER) -> Temper:
        """Something of world.yaml's events came about between a player and an NPC; how it feels about them now.

        Raises: UnknownNpc, RequestError for an event that the world does not know.
        """
        viewpoint = self._scene(npc_id).viewpoint
        _check_player(player)
        events = self.content.world.events
        if event not in events:
            raise RequestError(f"there is no event {event!r}", hint=name_hint(event, events, "events"))
        viewpoint.happen(event, player)
        return self.temper(npc_id, player=player)

    def temper(self, npc_id: str, *, player: str = DEFAULT_PLAYER) -> Temper:
        """An NPC's mood and what it thinks of a player and of others. Raises: UnknownNpc."""
        return self._scene(npc_id).viewpoint.view(player).temper

    def learn(self, npc_id: str, text: str = "", *, entry_id: str = "", source: str, keys: Sequence[str] = ()) -> str:
        """An NPC comes to know something: a new fact of one sentence, or an entry of the lore whatever its scope.

        source says how, for the trace: "told by Robin", "saw it". Returns the id by which forget takes it.
        Raises: UnknownNpc, RequestError.
        """
        self._scene(npc_id)
        book = self._cast.edition.book
        if bool(text) == bool(entry_id):
            raise RequestError("an NPC learns a text or an entry", hint="give one of text and entry_id")
        if text:
            return self._cast.learned.tell(npc_id, text, source=source, keys=keys, is_taken=book.has)
        if not book.has(entry_id):
            raise RequestError(f"there is no lore entry {entry_id!r}", hint=book.near_ids(entry_id))
        self._cast.learned.reveal(npc_id, entry_id, source=source)
        return entry_id

    def forget(self, npc_id: str, entry_id: str) -> None:
        """Takes back what an NPC has learned. Raises: UnknownNpc, RequestError."""
        self._scene(npc_id)
        self._cast.learned.forget(npc_id, entry_id)

    def preview(
        self,
        npc_id: str,
        words: str,
        *,
        player: str = DEFAULT_PLAYER,
        state: Mapping[str, JsonValue] | None = None,
        history: Sequence[Message] = (),
    ) -> CompiledPrompt:
        """The prompt that a reply to these words would begin with; nothing is run. state is laid over the game's.

        Raises: UnknownNpc, RequestError, PromptTooLong.
        """
        scene = self._scene(npc_id)
        _check_player(player)
        past, checked = Past(tuple(history)), checked_state(state or {})
        self._check_date(checked)
        draft = scene.draft(Message("user", words), player=player, past=past, state=checked)
        return scene.compile(draft, reply_tokens=scene.sampling().max_new_tokens)

    async def close(self) -> None:
        """Ends every session and frees the engine."""
        for session_id in list(self._sessions):
            self.end(session_id)
        await self._ahead.close()
        for engine in self._engines.values():
            await engine.close()

    def _scene(self, npc_id: str) -> Scene:
        if npc_id not in self.cast:
            hint = name_hint(str(npc_id), self.cast, "NPCs")
            raise UnknownNpc(f"there is no NPC {npc_id!r}", hint=hint)
        return self._cast.scenes[npc_id]

    def _check_date(self, values: Mapping[str, JsonValue]) -> None:
        """Raises: RequestError for a date that the world's calendar does not have."""
        calendar, date = self.content.world.calendar, values.get("date")
        if calendar is None or date is None:
            return
        try:
            calendar.read(date)
        except DateError as exc:
            raise RequestError(f"date: {exc.message}", hint=exc.hint) from exc

    def _new_id(self, npc_id: str) -> str:
        """Random, so that nobody can guess another player's."""
        return f"{npc_id}-{secrets.token_hex(8)}"

    def _check_id(self, session_id: str) -> None:
        if not 0 < len(session_id) <= MAX_ID_CHARS:
            raise RequestError(f"{session_id[:40]!r} is no session id", hint=f"take 1 to {MAX_ID_CHARS} characters")
        if session_id in self._sessions:
            raise DuplicateRequest(f"session {session_id!r} is open already", hint="end it, or take another id")


def _check_player(player: str) -> None:
    if not player.strip() or len(player) > MAX_PLAYER_CHARS or not player.isprintable():
        raise RequestError(
            f"{player[:80]!r} is no player name", hint=f"take 1 to {MAX_PLAYER_CHARS} characters on one line"
        )
