"""What is computed ahead of the player: what it settles, that the newest guess wins, and that no reply shows it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import EngineCrashed, Overloaded, PromptTooLong, RequestError, UnknownNpc
from npc_sdk.events import Usage
from npc_sdk.lore.entry import LoreEntry, Match
from npc_sdk.messages import Message
from npc_sdk.prompt.compile import CompiledPrompt, PromptSource, compile_prompt
from npc_sdk.prompt.formats import chat_format
from npc_sdk.requests import PrefillRequest, Priority, Segment
from npc_sdk.session import Session, ahead
from npc_sdk.session.ahead import certain_chars

from .stage import GIVE, MARA, WORLD, accept, end_of, hear, make_session, make_world

Way = Callable[[Session], None]


@pytest.fixture(autouse=True)
def unrested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every guess at once, however slow the machine is: test_ahead_share.py has those that wait."""
    monkeypatch.setattr(ahead, "RESTS", 0)


class SlowEngine(ScriptedEngine):
    """Computes a front for as long as a test lets it, and remembers what was cancelled."""

    def __init__(self, script: str = "Fine.") -> None:
        super().__init__(script)
        self.cancelled: list[str] = []
        self.may_end = asyncio.Event()
        self.ended: list[str] = []

    async def prefill(self, request: PrefillRequest) -> Usage:
        await super().prefill(request)
        await self.may_end.wait()
        self.ended.append(request.request_id)
        return Usage()

    def cancel(self, request_id: str) -> None:
        self.cancelled.append(request_id)
        super().cancel(request_id)


def text(segments: tuple[Segment, ...]) -> str:
    return "".join(segment.text for segment in segments)


def fronts(engine: ScriptedEngine) -> list[str]:
    return [text(request.segments) for request in engine.prefills]


async def settle() -> None:
    """As many turns of the loop as a task takes that waits for nothing."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("words", "certain"),
    [
        ("", ""),
        ("Whe", ""),
        ("Where is the mi", "Where is the"),
        ("Where is the ", "Where is the"),
        ("  Where is  the \n mill", "Where is  the"),
        ("a <b", "a"),
        ("say <tool call> now please", "say"),
        ("list [inst] of", "list"),
        ("no ＜ｔ", "no"),
        ("say { and then", "say"),
        ("¿Dónde está el", "¿Dónde está"),
    ],
)
def test_what_may_still_change_is_not_certain(words: str, certain: str) -> None:
    assert words.lstrip()[: certain_chars(words)] == certain


def compiled(words: str, name: str, lore: int) -> CompiledPrompt:
    source = PromptSource(
        MARA,
        WORLD,
        history=(Message("user", "Hello"), Message("assistant", "Hm.")),
        turn=(Message("user", words),),
        situation="It rains.",
        matches=tuple(Match(LoreEntry(f"e{n}", f"lore {n}"), 1.0, "key") for n in range(lore)),
    )
    count: Callable[..., int] = lambda segments: len(text(tuple(segments)).split())  # noqa: E731
    return compile_prompt(source, chat_format=chat_format(name), count=count, window_tokens=4000, reply_tokens=10)


PIECES = st.lists(
    st.sampled_from(
        [
            "Where ",
            "mill",
            " ",
            "\n",
            "<",
            "tool",
            "call",
            ">",
            "</",
            "[inst",
            "]",
            "＜",
            "|",
            "<img src",
            "é",
            "{",
            '"',
        ]
    ),
    max_size=8,
).map("".join)


@given(so_far=PIECES, more=PIECES, name=st.sampled_from(["nemotron", "chatml"]), lore=st.integers(0, 2))
def test_a_front_is_what_the_prompt_begins_with(so_far: str, more: str, name: str, lore: int) -> None:
    front = compiled(so_far or "…", name, lore).front(certain_chars(so_far))
    whole = compiled(f"{so_far}{more}" or "x", name, lore).segments
    if f"{so_far}{more}".strip():
        assert text(whole).startswith(text(front))
        assert whole[: len(front) - 1] == front[:-1]


async def test_typed_words_are_computed_up_to_the_last_whole_one() -> None:
    session, engine = make_session("Fine.")
    session.typing("Where is the mi")
    await settle()
    (request,) = engine.prefills
    assert text(request.segments).endswith("Where is the")
    assert (request.npc_id, request.priority) == ("mara", Priority.NEARBY)
    assert request.bulk_segments == len(request.segments) - 1  # all but the words so far


async def test_words_so_far_bring_their_lore() -> None:
    session, engine = make_session("Fine.")
    session.typing("Where is the mill")
    await settle()
    await hear(session, "Where is the mill?")
    assert "The old mill burned down." in fronts(engine)[0]
    assert text(engine.requests[0].segments).startswith(fronts(engine)[0])


async def test_the_same_front_is_asked_for_once() -> None:
    session, engine = make_session("Fine.")
    for typed in ("Where i", "Where is", "Where is", "Where is t", "Where is th"):
        session.typing(typed)
        await settle()
    assert [front.rpartition("\n")[2] for front in fronts(engine)] == ["Where", "Where is"]


async def test_the_newest_guess_wins() -> None:
    engine = SlowEngine()
    world = make_world(engine)
    session = world.talk("mara")
    for typed in ("Where ", "Where is ", "Where is n"):
        session.typing(typed)
        await settle()
    assert len(engine.prefills) == 2
    assert engine.cancelled == [engine.prefills[0].request_id]
    engine.may_end.set()
    await settle()
    assert engine.ended == [engine.prefills[1].request_id]
    await world.close()


async def test_forgotten_words_are_not_computed_further() -> None:
    engine = SlowEngine()
    world = make_world(engine)
    session = world.talk("mara")
    session.typing("Where is it")
    await settle()
    session.typing(" ")
    await settle()
    assert engine.cancelled == [engine.prefills[0].request_id]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    session.typing("")
    assert len(engine.prefills) == 1
    await world.close()


@pytest.mark.parametrize(
    "way",
    [
        lambda session: session.typing("Where is the mill"),
        lambda session: session.typing("Something else altogether, about a debt"),
        lambda session: session.approach(),
    ],
    ids=["right", "wrong", "approach"],
)
async def test_a_guess_changes_nothing_of_the_prompt(way: Way) -> None:
    asked = []
    for hint in (way, lambda _session: None):
        session, engine = make_session("Fine.")
        hint(session)
        await settle()
        events = await hear(session, "Where is the well?", request_id="r")
        asked.append((engine.requests[0].segments, engine.requests[0].messages, end_of(events).text))
    assert asked[0] == asked[1]


async def test_say_ends_a_guess_and_does_not_wait_for_it() -> None:
    engine = SlowEngine()
    world = make_world(engine, reads_ahead=False)
    session = world.talk("mara")
    session.typing("Where is it")
    await settle()
    assert end_of(await hear(session, "Where is it?")).text == "Fine."
    assert engine.prefills[0].request_id in engine.cancelled
    assert not engine.ended
    await world.close()


async def test_after_a_reply_the_next_prompt_is_begun() -> None:
    session, engine = make_session(["The smithy is shut.", "Fine."])
    await hear(session, "Hello")
    await settle()
    (request,) = engine.prefills
    assert request.priority == Priority.BACKGROUND
    assert "The smithy is shut." in text(request.segments)
    await hear(session, "Oh?")
    assert text(engine.requests[1].segments).startswith(text(request.segments))


async def test_what_a_reply_did_is_in_the_next_front() -> None:
    session, engine = make_session([GIVE, "There."])
    await hear(session, answer=accept)
    await settle()
    assert [request.start_by_s for request in engine.requests] == [None, None]
    assert "sword" in fronts(engine)[0]
    assert "There." in fronts(engine)[0]


async def test_reading_ahead_can_be_switched_off() -> None:
    session, engine = make_session("Fine.", reads_ahead=False)
    await hear(session)
    await settle()
    assert not engine.prefills


async def test_words_typed_while_the_npc_speaks_are_computed_after_it() -> None:
    session, engine = make_session("Fine.", reads_ahead=False)
    stream = session.say("Hello")
    await anext(stream)
    session.typing("And the well")
    session.approach()
    await settle()
    assert not engine.prefills
    async for _event in stream:
        pass
    await settle()
    assert fronts(engine)[0].endswith("And the")
    assert "Fine." in fronts(engine)[0]


@pytest.mark.parametrize("error", [Overloaded("full"), PromptTooLong("long"), EngineCrashed("gone"), ValueError("odd")])
async def test_a_guess_that_fails_is_nobodys_trouble(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    class Broken(ScriptedEngine):
        async def prefill(self, request: PrefillRequest) -> Usage:
            await super().prefill(request)
            raise error

    engine = Broken("Fine.")
    session = make_world(engine, reads_ahead=False).talk("mara")
    for _ in range(2):
        session.typing("Where is it")
        await settle()
    assert len(engine.prefills) == 2, "what failed may be asked for again"
    assert end_of(await hear(session)).text == "Fine."
    ours = [record for record in caplog.records if record.name.startswith("npc_sdk")]
    assert [record.levelname for record in ours] == ["DEBUG", "DEBUG"]
    assert str(error) in ours[0].message


@pytest.mark.parametrize(
    "words", ["x " * 50_000, "half \ud800 a", "\x00 \x00 ", "<" * 5_000], ids=["long", "half", "nul", "<"]
)
async def test_typing_takes_anything(words: str) -> None:
    session, _ = make_session("Fine.")
    session.typing(words)
    await settle()
    assert end_of(await hear(session)).text == "Fine."


@pytest.mark.parametrize("end", ["end", "close"])
async def test_the_end_leaves_no_task_behind(end: str) -> None:
    engine = SlowEngine()
    world = make_world(engine)
    session = world.talk("mara")
    world.approach("pip")
    session.approach()
    await settle()
    assert len(engine.prefills) == 2
    if end == "end":
        world.end(session.session_id)
        session.typing("Too late")
        session.approach()
        assert len(engine.cancelled) == 1
    await world.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(engine.prefills) == len(engine.cancelled) == 2


async def test_a_close_right_after_a_reply_leaves_no_task_behind() -> None:
    engine = SlowEngine()
    world = make_world(engine)
    await hear(world.talk("mara"))
    await world.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_approach_is_computed_anew_each_time_but_not_twice_at_once() -> None:
    engine = SlowEngine()
    world = make_world(engine)
    session = world.talk("mara")
    session.approach()
    session.approach()
    await settle()
    assert len(engine.prefills) == 1
    engine.may_end.set()
    await settle()
    session.approach()
    await settle()
    assert len(engine.prefills) == 2, "what was computed a while ago may be gone from the cache"
    await world.close()


async def test_the_world_approaches_with_the_conversation_that_is_open() -> None:
    engine = ScriptedEngine("The smithy is shut.")
    world = make_world(engine, reads_ahead=False)
    await hear(world.talk("mara", player="Robin"))
    world.approach("mara", player="Robin")
    world.approach("mara", player="Alda")
    await settle()
    known, new = fronts(engine)
    assert "The smithy is shut." in known
    assert "The smithy is shut." not in new
    assert MARA.greeting in new
    assert {request.priority for request in engine.prefills} == {Priority.NEARBY}
    with pytest.raises(UnknownNpc):
        world.approach("maro")
    with pytest.raises(RequestError):
        world.approach("mara", player="two\nlines")


async def test_warmup_computes_what_all_prompts_of_an_npc_share() -> None:
    engine = ScriptedEngine("Fine.")
    world = make_world(engine)
    assert await world.warmup("mara") == Usage()
    (request,) = engine.prefills
    assert len(request.segments) == request.bulk_segments
    await hear(world.talk("mara"), "Hello")
    assert engine.requests[0].segments[: len(request.segments)] == request.segments
    with pytest.raises(UnknownNpc):
        await world.warmup("maro")


async def test_frames_and_stats_pass_through_the_world() -> None:
    engine = ScriptedEngine("Fine.")
    world = make_world(engine)
    world.note_frame(0.02)
    assert engine.frames_s == [0.02]
    assert world.stats() == engine.stats()
    for wrong in (-0.1, float("nan"), float("inf")):
        with pytest.raises(RequestError):
            world.note_frame(wrong)


async def test_an_approach_goes_on_only_from_conversations_that_are_the_games_own() -> None:
    engine = ScriptedEngine("Fine.")
    world = make_world(engine)
    await hear(world.talk("mara"), "Do not tell them of the swordfish.")
    engine.prefills.clear()
    world.approach("mara", among=())
    await settle()
    assert "swordfish" not in text(engine.prefills[-1].segments)
    world.approach("mara")
    await settle()
    assert "swordfish" in text(engine.prefills[-1].segments)
