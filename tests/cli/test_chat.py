"""What a chat shows, and who decides about acts."""

from __future__ import annotations

import asyncio
import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from npc_sdk import World
from npc_sdk.cli import chat
from npc_sdk.cli.seeded import SeededEngine
from npc_sdk.cli.terminal import Terminal, loading
from npc_sdk.engine.interface import Engine
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import EngineCrashed
from npc_sdk.events import Emote, ReplyFailed, Sentence, TextDelta
from npc_sdk.messages import FunctionCall
from npc_sdk.requests import GenerateRequest, Sampling
from npc_sdk.session import ahead
from npc_sdk.settings import SessionSettings, Settings, bundled_personas

CALL = 'Very well. <toolcall> {"name": "follow_player", "arguments": {}} </toolcall>'


class Utf8(io.StringIO):
    encoding = "utf-8"


def terminal(**options: object) -> tuple[Terminal, Utf8]:
    out = Utf8()
    return Terminal("Pip", Console(file=out, width=60, highlight=False, **options)), out  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "status"), [("y", "accepted"), ("", "accepted"), ("n", "refused"), ("No", "refused")]
)
async def test_person_decides_about_each_act(answer: str, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    world = World.load(bundled_personas(), ScriptedEngine([CALL, "There."]))
    shown, out = terminal()
    await chat._reply(world.talk("pip"), "Come with me.", shown)
    await world.close()
    assert "Pip: Very well." in out.getvalue()
    assert "Pip asks for follow_player()" in out.getvalue()
    assert f"follow_player {status}" in out.getvalue()
    assert "Pip: There." in out.getvalue()


SHY = {
    "world/world.yaml": "name: Alderwick\ntools:\n  - {name: follow_player, description: Follow., confirm: true}\n",
    "pip/persona.yaml": "name: Pip\nrole: a child\nvoice: {style: cheeky}\ntools: [follow_player]\n",
}


@pytest.mark.parametrize(
    ("answer", "shown_as"), [("y", "accepted"), ("n", "refused: the player declined")], ids=["agrees", "declines"]
)
async def test_a_person_is_asked_once_whether_they_agree(
    answer: str, shown_as: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, text in SHY.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    questions: list[str] = []

    def decide(question: str) -> str:
        questions.append(question)
        return answer

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", decide)
    world = World.load(tmp_path, ScriptedEngine([CALL, "There."]))
    shown, out = terminal()
    await chat._reply(world.talk("pip"), "Come with me.", shown)
    await world.close()
    assert [question.strip() for question in questions] == ["do you agree? [Y/n]"]
    assert f"follow_player {shown_as}" in out.getvalue()
    assert "Pip: There." in out.getvalue()


EMOTES = (Emote("r", "grins", "action"), TextDelta("r", "Catch me "), Emote("r", "runs", "action"), TextDelta("r", "!"))


def test_what_is_shown_is_in_italics_on_a_terminal() -> None:
    shown, out = terminal(force_terminal=True)
    for event in EMOTES:
        shown.show(event)
    shown.settle()
    assert "\x1b[3;39mgrins" in out.getvalue()
    assert "\x1b[39mCatch me" in out.getvalue()


def test_what_is_shown_has_asterisks_where_there_are_no_italics() -> None:
    shown, out = terminal()
    for event in EMOTES:
        shown.show(event)
    shown.settle()
    assert out.getvalue() == "Pip: *grins* Catch me *runs* !\n"


async def test_a_person_may_think_longer_than_a_game(monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = Settings(session=SessionSettings(tool_timeout_s=0.05, reply_timeout_s=0.05))

    def decide_slowly(_: str) -> str:
        time.sleep(0.2)
        return "y"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", decide_slowly)
    world = World.load(bundled_personas(), ScriptedEngine([CALL, "There."]), settings=chat._patient(hasty).session)
    shown, out = terminal()
    await chat._reply(world.talk("pip"), "Come with me.", shown)
    await world.close()
    assert "Pip: There." in out.getvalue()


async def test_piped_chat_accepts_every_act(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    world = World.load(bundled_personas(), ScriptedEngine([CALL, "There."]))
    shown, out = terminal()
    await chat._reply(world.talk("pip"), "Come with me.", shown)
    await world.close()
    assert "follow_player accepted" in out.getvalue()


def test_speech_grows_on_a_terminal_and_stays_once() -> None:
    shown, out = terminal(force_terminal=True)
    for piece in ("Catch me ", "if you can!"):
        shown.show(TextDelta("r", piece))
    shown.settle()
    assert out.getvalue().rstrip().endswith("if you can!\x1b[0m")


def test_sentences_do_not_break_the_speech_they_are_made_of() -> None:
    shown, out = terminal()
    for event in (TextDelta("r", "Aye. S"), Sentence("r", 0, "Aye."), TextDelta("r", "orry.")):
        shown.show(event)
    shown.settle()
    assert out.getvalue() == "Pip: Aye. Sorry.\n"


def test_failure_is_shown_with_its_hint() -> None:
    shown, out = terminal()
    shown.show(TextDelta("r", "Well"))
    shown.show(ReplyFailed("r", EngineCrashed("the model broke", hint="start again"), "Well"))
    assert out.getvalue() == "Pip: Well\n  the model broke (start again)\n"


def test_call_shows_its_arguments() -> None:
    shown, out = terminal()
    shown.call(FunctionCall("c", "sell_item", {"item": "lantern", "price": 4}))
    assert out.getvalue() == "  Pip asks for sell_item(item='lantern', price=4)\n"


def test_loading_is_silent_where_piped() -> None:
    out = Utf8()
    with loading(Console(file=out), "hearth") as on_progress:
        on_progress(1, 2, "layer 1")
    assert out.getvalue() == ""


def test_state_file_must_hold_variables(tmp_path: Path) -> None:
    from npc_sdk.cli.assembly import read_state
    from npc_sdk.errors import SettingsError

    path = tmp_path / "state.yaml"
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(SettingsError, match="holds list"):
        read_state(path)


def test_state_file_is_read_as_authored_files_are(tmp_path: Path) -> None:
    from npc_sdk.cli.assembly import read_state
    from npc_sdk.errors import SettingsError

    path = tmp_path / "state.yaml"
    path.write_text("door: no\nquest: on\n", encoding="utf-8")
    assert read_state(path) == {"door": "no", "quest": "on"}
    path.write_text("quest: the mill: given\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"state\.yaml:1:16: a ': ' stands where no key can be"):
        read_state(path)


async def test_seeded_engine_draws_each_request_differently_and_each_run_alike() -> None:
    async def seeds(seed: int) -> list[int | None]:
        inner = ScriptedEngine("Hm.")
        engine: Engine = SeededEngine(inner, seed)
        for number in range(3):
            request = GenerateRequest(f"r{number}", ())
            assert [item async for item in engine.stream(request)]
        return [request.sampling.seed for request in inner.requests]

    first, again, other = await seeds(1), await seeds(1), await seeds(2)
    assert first == again
    assert len({*first, *other}) == 6


async def test_seed_of_a_request_is_left_alone() -> None:
    inner = ScriptedEngine("Hm.")
    request = GenerateRequest("r", (), sampling=Sampling(seed=5))
    assert [item async for item in SeededEngine(inner, 1).stream(request)]
    assert inner.requests[0].sampling.seed == 5


def test_the_model_reads_ahead_while_a_person_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "RESTS", 0)  # however slow this machine is
    engine = ScriptedEngine("There.")
    seen: list[int] = []

    def type_slowly(_: str) -> str:
        seen.append(len(engine.prefills))
        return "Hello." if len(seen) == 1 else ""

    monkeypatch.setattr("builtins.input", type_slowly)
    with asyncio.Runner() as runner:
        world = World.load(bundled_personas(), engine)
        chat._converse(runner, world, world.talk("pip"), terminal()[0])
        runner.run(world.close())
    assert seen == [1, 2], "once at the greeting, once after the reply"


def test_files_that_are_edited_are_played_from_the_next_line_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    persona = tmp_path / "wren" / "persona.yaml"
    for path, text in (
        (tmp_path / "world" / "world.yaml", "name: Alderwick\n"),
        (persona, "name: Wren\nrole: the ferrywoman\nvoice: {style: calm}\n"),
    ):
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
    edits = iter(("", "voice: [calm\n", "voice: {style: merry and warm}\n"))

    def edit_and_type(_: str) -> str:
        edit = next(edits, None)
        if edit:
            persona.write_text(f"name: Wren\nrole: the ferrywoman\n{edit}", encoding="utf-8")
        return "" if edit is None else "Hello."

    monkeypatch.setattr("builtins.input", edit_and_type)
    engine = ScriptedEngine("There.")
    screen, out = terminal()
    with asyncio.Runner() as runner:
        world = World.load(tmp_path, engine)
        chat._converse(runner, world, world.talk("wren"), screen)
    spoken = ["".join(segment.text for segment in request.segments) for request in engine.requests]
    assert ["Voice: calm." in prompt for prompt in spoken] == [True, True, False]
    assert "Voice: merry and warm." in spoken[2]
    shown = out.getvalue().replace("\n", "")
    assert "persona.yaml:3:" in shown
    assert "still as before" in shown
    assert "reloaded: changed wren" in shown
