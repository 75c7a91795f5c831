"""Hot reload: edits are played between turns, broken ones are not, and only what changed is thrown away."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import threading
import time
from pathlib import Path

import pytest

from npc_sdk import watch as watch_module
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import ContentError, SettingsError, UnknownNpc
from npc_sdk.events import ReplyFinished
from npc_sdk.requests import GenerateRequest
from npc_sdk.session import Session
from npc_sdk.watch import Reload, reload, watch
from npc_sdk.world import World

FILES = {
    "world/world.yaml": "name: Alderwick\n",
    "world/lore/places.md": "## The mill\nkeys: mill\nThe mill burned down.\n",
    "mara/persona.yaml": "name: Mara\nrole: the smith\nvoice: {style: gruff}\ngreeting: Yes?\n",
    "pip/persona.yaml": "name: Pip\nrole: a child\nvoice: {style: cheeky}\n",
}


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    return tmp_path


@pytest.fixture
def world(root: Path) -> World:
    return World.load(root, ScriptedEngine("Aye."))


def _system(world: World, npc_id: str) -> str:
    return "".join(segment.text for segment in world.preview(npc_id, "Hello.").segments)


async def test_an_edited_persona_is_played_and_its_front_alone_is_forgotten(world: World, root: Path) -> None:
    write(root, {"mara/persona.yaml": FILES["mara/persona.yaml"].replace("gruff", "merry")})
    told = await reload(world)
    assert told.change is not None
    assert (told.change.changed, told.change.added, told.change.removed) == (("mara",), (), ())
    assert "Voice: merry." in _system(world, "mara")
    (forgotten,) = world.engine.forgotten  # type: ignore[attr-defined]
    assert "Voice: gruff." in "".join(segment.text for segment in forgotten)


async def test_edited_lore_changes_answers_and_no_front(world: World, root: Path) -> None:
    write(root, {"world/lore/places.md": "## The mill\nkeys: mill\nThe mill stands again.\n"})
    told = await reload(world)
    assert str(told.change) == "only lore"
    assert "stands again" in "".join(segment.text for segment in world.preview("pip", "the mill?").segments)
    assert world.engine.forgotten == []  # type: ignore[attr-defined]


async def test_a_broken_edit_is_told_with_its_place_and_the_last_good_one_is_played(world: World, root: Path) -> None:
    write(root, {"mara/persona.yaml": "name: Mara\nrole: the smith\nvoice: {style: gruff}\ngaols: [x]\n"})
    told = await reload(world)
    assert told.change is None
    (problem,) = told.problems
    assert isinstance(problem, ContentError)
    assert (problem.path, problem.line, problem.column, problem.field) == (root / "mara/persona.yaml", 4, 1, "gaols")
    assert "did you mean 'goals'?" in problem.hint
    assert "Voice: gruff." in _system(world, "mara")


async def test_a_model_that_is_not_there_keeps_the_old_edition(world: World, root: Path) -> None:
    write(root, {"mara/persona.yaml": FILES["mara/persona.yaml"] + "model: big\n"})
    told = await reload(world)
    assert [type(problem) for problem in told.problems] == [SettingsError]
    assert "Yes?" in world.talk("mara").greeting


async def test_an_npc_comes_and_goes_while_talks_with_it_go_on(world: World, root: Path) -> None:
    session = world.talk("pip")
    (root / "pip/persona.yaml").unlink()
    (root / "pip").rmdir()
    write(root, {"wren/persona.yaml": "name: Wren\nrole: the ferrywoman\nvoice: {style: calm}\n"})
    told = await reload(world)
    assert told.change is not None
    assert (told.change.added, told.change.removed) == (("wren",), ("pip",))
    with pytest.raises(UnknownNpc):
        world.talk("pip")
    assert isinstance(await _end(session, "Still there?"), ReplyFinished)
    assert world.talk("wren").npc_id == "wren"


async def test_a_turn_keeps_the_edition_that_it_began_with(root: Path) -> None:
    world = World.load(root, ScriptedEngine("one two three four", delay_s=0.01))
    session = world.talk("mara")
    stream = session.say("Hello.")
    await anext(stream)
    write(root, {"mara/persona.yaml": FILES["mara/persona.yaml"].replace("gruff", "merry")})
    await reload(world)
    async for event in stream:
        last = event
    assert isinstance(last, ReplyFinished)
    await _end(session, "And now?")
    first, second = (_prompt(request) for request in world.engine.requests)  # type: ignore[attr-defined]
    assert "Voice: gruff." in first
    assert "Voice: merry." in second
    assert [message.text for message in session.history[:3]] == ["Yes?", "Hello.", "one two three four"]


async def test_a_hundred_edits_under_eight_conversations_lose_and_mix_nothing(root: Path) -> None:
    """Each edition marks persona, tool and lore with one number: a prompt that holds two of them is of two editions."""
    played: list[set[str]] = []

    def note(request: GenerateRequest) -> str:
        played.append(set(re.findall(r"\be\d+e\b", _prompt(request))))
        return "Aye."

    async def is_played(edition: str) -> None:
        while not any(edition in marks for marks in played[-64:]):
            await asyncio.sleep(0.005)

    rng, stop = random.Random(5), asyncio.Event()
    write(root, _edition(0))
    world = World.load(root, ScriptedEngine(note))
    sessions = [world.talk(npc_id) for npc_id in ("mara", "pip") for _ in range(4)]
    talks = [asyncio.create_task(_talk_on(session, stop)) for session in sessions]
    for number in range(1, 101):
        write(root, _edition(number))
        if is_broken := rng.random() < 0.3:
            write(root, {"mara/persona.yaml": f"name: Mara\nrole: smith {number}\nvoice: [gruff\n"})
        told = await reload(world)
        assert (told.change is None) == bool(told.problems) == is_broken
        if not is_broken:
            await asyncio.wait_for(is_played(f"e{number}e"), 60)
    stop.set()
    said = [await talk for talk in talks]
    assert all(said), said
    for session, count in zip(sessions, said, strict=True):
        assert sum(message.role == "user" for message in session.history) == min(count, len(session.history) // 2)
    assert all(len(marks) == 1 for marks in played)


async def test_the_later_of_two_edits_is_played_however_long_the_first_takes(
    world: World, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, is_first = watch_module._read, threading.Event()

    def slowly(*args: object) -> object:
        edition = read(*args)  # type: ignore[arg-type]
        if not is_first.is_set():
            is_first.set()
            time.sleep(0.3)
        return edition

    monkeypatch.setattr(watch_module, "_read", slowly)
    write(root, {"mara/persona.yaml": FILES["mara/persona.yaml"].replace("gruff", "merry")})
    first = asyncio.create_task(reload(world))
    await asyncio.to_thread(is_first.wait)
    write(root, {"mara/persona.yaml": FILES["mara/persona.yaml"].replace("gruff", "calm")})
    await asyncio.gather(first, reload(world))
    assert "Voice: calm." in _system(world, "mara")


async def test_an_edit_that_breaks_the_library_ends_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> object:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(World, "adopt", fail)
    (problem,) = (await reload(world)).problems
    assert "ZeroDivisionError: a bug" in str(problem)


async def test_what_others_begin_with_stays_cached(root: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from npc_sdk.engine.create import create_engine

    write(root, {"world/world.yaml": "name: Alderwick\npremise: " + "It lies by the river. " * 12 + "\n"})
    played = World.load(root, create_engine("hearth"))
    await played.warmup("pip")
    await played.warmup("mara")
    full = (await played.warmup("pip")).cached_tokens
    write(root, {"mara/persona.yaml": FILES["mara/persona.yaml"] + "language: French\n"})
    told = await reload(played)
    assert told.change is not None
    assert told.change.changed == ("mara",)
    after = await played.warmup("pip")
    assert (after.cached_tokens, after.prompt_tokens) == (full, full)
    await played.close()


async def test_folders_that_move_are_noticed(
    world: World, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told: asyncio.Queue[Reload] = asyncio.Queue()
    task = asyncio.create_task(watch(world, told.put_nowait))
    await asyncio.sleep(0.3)
    (root / "pip").rename(tmp_path_factory.mktemp("away") / "pip")
    change = (await asyncio.wait_for(told.get(), 60)).change
    task.cancel()
    await asyncio.wait([task])
    assert change is not None
    assert change.removed == ("pip",)


async def test_who_is_gone_is_forgotten_with_the_last_conversation(world: World, root: Path) -> None:
    sessions = [world.talk("pip"), world.talk("pip")]
    shutil.rmtree(root / "pip")
    await reload(world)
    for session in sessions:
        assert "pip" in world._cast.scenes
        world.end(session.session_id)
    assert set(world._cast.scenes) == {"mara"}


async def test_saved_files_are_noticed(world: World, root: Path) -> None:
    told: asyncio.Queue[Reload] = asyncio.Queue()
    task = asyncio.create_task(watch(world, told.put_nowait))
    await asyncio.sleep(0.3)
    write(root, {"mara/persona.yaml": "name: Mara\n"})
    first = await asyncio.wait_for(told.get(), 60)
    assert {problem.message for problem in first.problems} == {"is missing"}
    write(root, {"mara/persona.yaml": FILES["mara/persona.yaml"].replace("smith", "old smith")})
    while (second := await asyncio.wait_for(told.get(), 60)).change is None:
        # The system tells of one write in two goes where the writer was held up between them.
        assert {problem.message for problem in second.problems} == {"is missing"}
    assert second.change.changed == ("mara",)
    task.cancel()
    await asyncio.wait([task])
    assert "the old smith" in _system(world, "mara")


def _edition(number: int) -> dict[str, str]:
    tool = f"  - {{name: wave, description: Wave as in e{number}e.}}\n"
    return {
        "world/world.yaml": f"name: Alderwick\npremise: It is e{number}e.\ntools:\n{tool}",
        "world/lore/places.md": f"## The mill\nkeys: mill\nThe mill is of e{number}e.\n",
        "mara/persona.yaml": f"name: Mara\nrole: the smith of e{number}e\nvoice: {{style: gruff}}\ntools: [wave]\n",
        "pip/persona.yaml": f"name: Pip\nrole: a child of e{number}e\nvoice: {{style: cheeky}}\ntools: [wave]\n",
    }


def _prompt(request: GenerateRequest) -> str:
    return "".join(segment.text for segment in request.segments)


async def _talk_on(session: Session, stop: asyncio.Event) -> int:
    count = 0
    while not stop.is_set():
        assert isinstance(await _end(session, "And the mill?"), ReplyFinished)
        count += 1
        await asyncio.sleep(0.04)  # a player types; without a pause the loop leaves the reading thread no time
    return count


async def _end(session: Session, words: str) -> object:
    events = [event async for event in session.say(words)]
    assert sum(type(event).__name__.startswith("Reply") for event in events) == 1
    return events[-1]
