"""The world: its cast, one engine, the state that the game sets, and the sessions that are open.

Knows content folders and who talks to whom, not how a reply comes about (session/). Used by games, the bridge and
the command line, from one asyncio loop.
"""

from __future__ import annotations

import dataclasses
import math
import secrets
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.engine.interface import Engine
from npc_sdk.engine.stats import EngineStats
from npc_sdk.errors import DuplicateRequest, Overloaded, RequestError, UnknownNpc, UnknownSession
from npc_sdk.events import Usage
from npc_sdk.lore.book import LoreBook
from npc_sdk.lore.content import WorldContent, load_world
from npc_sdk.messages import JsonValue, Message, ToolSpec
from npc_sdk.persona.problem import name_hint
from npc_sdk.persona.schema import Persona
from npc_sdk.persona.situation import MAX_PLAYER_CHARS
from npc_sdk.prompt.compile import CompiledPrompt
from npc_sdk.prompt.formats import chat_format
from npc_sdk.requests import Priority
from npc_sdk.session import Session
from npc_sdk.session.ahead import Ahead, Guess
from npc_sdk.session.scene import Scene, remembered
from npc_sdk.session.state import GameState, checked_state
from npc_sdk.session.toolbelt import Toolbelt
from npc_sdk.settings import SessionSettings

MAX_SESSIONS = 1024
MAX_ID_CHARS = 128
DEFAULT_PLAYER = "Traveller"


class World:
    """Raises: SettingsError where the engine wants a chat or tool format that nobody wrote."""

    def __init__(self, content: WorldContent, engine: Engine, settings: SessionSettings | None = None) -> None:
        self.cast: Mapping[str, Persona] = content.personas
        self.engine = engine
        self._state = GameState()
        self._sessions: dict[str, Session] = {}
        self._ahead = Ahead(engine)
        book, count = LoreBook(content.lore), remembered(engine.count_tokens)
        self._scenes = {
            npc_id: Scene(
                npc_id=npc_id,
                persona=persona,
                world=content.world,
                book=book,
                state=self._state,
                engine=engine,
                settings=settings or SessionSettings(),
                chat_format=chat_format(engine.info.chat_format),
                tool_format=tool_format(engine.info.tool_format),
                belt=Toolbelt(persona, content.world),
                count=count,
            )
            for npc_id, persona in content.personas.items()
        }

    @classmethod
    def load(
        cls,
        personas_dir: Path | str,
        engine: Engine,
        settings: SessionSettings | None = None,
        *,
        tools: Sequence[ToolSpec] = (),
    ) -> World:
        """The world of a content folder; tools are declared in code, beside those of world.yaml (Toolbox.specs).

        Raises: ContentError with every mistake of every file, SettingsError.
        """
        return cls(load_world(personas_dir, tools), engine, settings)

    def talk(self, npc_id: str, *, player: str = DEFAULT_PLAYER, session_id: str | None = None) -> Session:
        """Opens a session. Raises: UnknownNpc, DuplicateRequest, RequestError, Overloaded."""
        scene = self._scene(npc_id)
        _check_player(player)
        session_id = self._new_id(npc_id) if session_id is None else session_id
        self._check_id(session_id)
        if len(self._sessions) >= MAX_SESSIONS:
            raise Overloaded(f"{MAX_SESSIONS} sessions are open", hint="end those that are over with World.end")
        session = Session(scene, self._ahead, session_id=session_id, player=player)
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
        self.session(session_id).close()
        del self._sessions[session_id]

    async def warmup(self, npc_id: str) -> Usage:
        """Computes what all of an NPC's prompts begin with: rules, persona, tools. For a loading screen, which waits.

        Where the settings name a fronts_dir, reads it from there instead; Mutates: the folder, which is for the next
        start.
        Raises: UnknownNpc, PromptTooLong; Overloaded and its kind, after which the first reply takes longer.
        """
        scene = self._scene(npc_id)
        guess = Guess(scene, DEFAULT_PLAYER, scene.opening)
        request_id = f"{npc_id}/warmup-{secrets.token_hex(4)}"
        request = guess.request(request_id, Priority.NEARBY, is_stable_only=True)
        folder = scene.settings.fronts_dir
        if folder is not None:
            request = dataclasses.replace(request, snapshot=folder / f"{npc_id}.front")
        return await self.engine.prefill(request)

    def approach(self, npc_id: str, *, player: str = DEFAULT_PLAYER, among: Collection[str] | None = None) -> None:
        """The player walks up to an NPC: computes in the background what its next prompt begins with. Returns at once.

        Goes on from the conversation that this player has open with the NPC, the latest of several; among session_ids
        only, where several games share this world.
        Raises: UnknownNpc, RequestError for a player's name; nothing that the engine has to say.
        """
        scene = self._scene(npc_id)
        _check_player(player)
        for session in reversed(self._sessions.values()):
            is_own = among is None or session.session_id in among
            if is_own and (session.npc_id, session.player) == (npc_id, player):
                session.approach()
                return
        self._ahead.expect(f"{npc_id}/approach", Guess(scene, player, scene.opening), Priority.NEARBY, is_new=True)

    def note_frame(self, frame_s: float) -> None:
        """Tells the engine how long the game took for a frame, so that it can give way. Raises: RequestError."""
        if not 0 <= frame_s < math.inf:
            raise RequestError(f"frame_s is {frame_s!r}", hint="give the frame's seconds, 0.0167 for one")
        self.engine.note_frame(frame_s)

    def stats(self) -> EngineStats:
        """What the engine did so far."""
        return self.engine.stats()

    def set_state(self, values: Mapping[str, JsonValue], npc_id: str | None = None) -> None:
        """Sets variables for prompts, all or none: the world's, or one NPC's own. None takes a variable away.

        Raises: RequestError for a value that cannot be used, UnknownNpc.
        """
        if npc_id is not None:
            self._scene(npc_id)
        self._state.set(values, npc_id)

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
        draft = scene.draft(Message("user", words), player=player, history=history, state=checked_state(state or {}))
        return scene.compile(draft, reply_tokens=scene.sampling().max_new_tokens)

    async def close(self) -> None:
        """Ends every session and frees the engine."""
        for session_id in list(self._sessions):
            self.end(session_id)
        await self._ahead.close()
        await self.engine.close()

    def _scene(self, npc_id: str) -> Scene:
        try:
            return self._scenes[npc_id]
        except KeyError:
            hint = name_hint(str(npc_id), self._scenes, "NPCs")
            raise UnknownNpc(f"there is no NPC {npc_id!r}", hint=hint) from None

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
