"""`npc chat NPC`: a conversation without a game. Acts are shown, and whoever types decides on them."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from npc_sdk.cli import option
from npc_sdk.events import ToolCall

if TYPE_CHECKING:
    from npc_sdk.cli.terminal import Terminal
    from npc_sdk.session import Session
    from npc_sdk.settings import Settings
    from npc_sdk.world import World

PROMPT = "> "
PATIENCE_S = 3600.0


def chat(
    npc_id: Annotated[str, typer.Argument(metavar="NPC", help="Whom to talk to: the name of a persona's folder.")],
    player: option.Player = "Traveller",
    engine: option.Engine = None,
    personas: option.Personas = None,
    state: option.StateFile = None,
    seed: option.Seed = None,
    settings: option.SettingsFile = None,
) -> None:
    """Talk to one character, without a game.

    Acts are shown, and you answer each with y or n; what the character only shows is in italics. Lines piped in are
    said one by one, and all acts are accepted. Files that you edit meanwhile are played from the next line on. An empty
    line or the end of input leaves.
    """
    from rich.console import Console

    from npc_sdk.cli.assembly import open_world, read_settings, read_state
    from npc_sdk.cli.terminal import Terminal, loading

    chosen = _patient(read_settings(settings, engine=engine, personas=personas))
    values = read_state(state)
    console = Console(highlight=False)
    with asyncio.Runner() as runner:
        with loading(console, chosen.engine.model) as on_progress:
            world = open_world(chosen, on_progress, seed=seed)
        try:
            world.set_state(values, npc_id if values else None)
            session = world.talk(npc_id, player=player)
            _converse(runner, world, session, Terminal(world.cast[npc_id].name, console))
        finally:
            runner.run(_close(world))


def _patient(chosen: Settings) -> Settings:
    """The settings with an hour for each reply: a person who decides about an act takes their time."""
    waits = ("tool_timeout_s", "confirm_timeout_s", "reply_timeout_s")
    session = chosen.session.model_copy(update=dict.fromkeys(waits, PATIENCE_S))
    return chosen.model_copy(update={"session": session})


def _converse(runner: asyncio.Runner, world: World, session: Session, terminal: Terminal) -> None:
    """Line by line, until an empty one, the end of input or Ctrl-C."""
    from npc_sdk.watch import EditCheck

    edits = EditCheck(world.content.root)
    terminal.say(session.greeting)
    runner.run(_approach(session))
    try:
        while words := _read(PROMPT):
            if edits.is_edited():
                runner.run(_reload(world, terminal))
            runner.run(_reply(session, words, terminal))
    except KeyboardInterrupt:
        return
    finally:
        terminal.settle()


async def _reload(world: World, terminal: Terminal) -> None:
    """Goes on with the edited files, or tells their mistakes and goes on as before."""
    from npc_sdk.watch import reload

    told = await reload(world)
    for problem in told.problems:
        terminal.console.print(str(problem), style="red", highlight=False, markup=False)
    terminal.console.print(f"reloaded: {told.change}" if told.change else "still as before", style="dim")


async def _reply(session: Session, words: str, terminal: Terminal) -> None:
    async with aclosing(session.say(words)) as events:
        async for event in events:
            if isinstance(event, ToolCall):
                terminal.call(event.call)
                _decide(session, event)
            else:
                terminal.show(event)


def _decide(session: Session, event: ToolCall) -> None:
    """Whoever types is the player, who may have to agree, and the game, which lets it happen or not."""
    call_id = event.call.call_id
    if event.needs_confirmation:
        is_agreed = _is_allowed("do you agree? [Y/n] ")
        session.confirm(call_id, is_agreed)
        if is_agreed:
            session.tool_result(call_id)
    elif _is_allowed("let it happen? [Y/n] "):
        session.tool_result(call_id)
    else:
        session.tool_result(call_id, "refused", "The player does not want that.")


async def _approach(session: Session) -> None:
    """Has the model read what the first words will stand behind, while they are typed."""
    session.approach()


async def _close(world: World) -> None:
    await world.close()


def _is_allowed(question: str) -> bool:
    """Asks whoever types; without a terminal everything is accepted."""
    if not sys.stdin.isatty():
        return True
    return _read(f"  {question}").casefold() not in ("n", "no")


def _read(prompt: str) -> str:
    """One line; empty at the end of input. The prompt is only shown to a person."""
    try:
        return input(prompt if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""
