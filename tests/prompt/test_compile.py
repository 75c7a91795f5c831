"""A compiled prompt: never over the window, fixed parts always in, the rest by rule and accounted for."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npc_sdk.errors import PromptTooLong
from npc_sdk.lore.entry import LoreEntry, Match
from npc_sdk.messages import FunctionCall, Message, ToolResult, ToolSpec
from npc_sdk.persona.schema import Persona, Voice, WorldFile
from npc_sdk.prompt.compile import CompiledPrompt, PromptSource, compile_prompt
from npc_sdk.prompt.formats import chat_format
from npc_sdk.prompt.history import TRIM_STEP
from npc_sdk.requests import Segment

PERSONA = Persona(
    name="Mara", role="the blacksmith", voice=Voice(style="gruff and short"), knows=("The hammer is lost.",)
)
WORLD = WorldFile(name="Alderwick", premise="A village by the river.")
TOOL = ToolSpec("give_item", "Hand over an item.", {"type": "object", "properties": {}})
FORMATS = ("nemotron", "chatml", "llama3", "mistral")


def count_words(segments: Sequence[Segment]) -> int:
    """Every word a token: sums over parts equal the whole."""
    return sum(len(segment.text.split()) for segment in segments)


def count_joined(segments: Sequence[Segment]) -> int:
    """Two characters a token, and 1 more where segments meet: parts are cheaper alone than joined."""
    return sum(len(segment.text) + 1 for segment in segments) // 2 + len(segments)


def _exchange(n: int, words: int = 4) -> tuple[Message, Message]:
    return Message("user", f"q{n} " + "w " * words), Message("assistant", f"a{n} " + "w " * words)


def _history(lengths: Sequence[int]) -> tuple[Message, ...]:
    return tuple(message for n, words in enumerate(lengths) for message in _exchange(n, words))


def _source(history: tuple[Message, ...] = (), **changes: object) -> PromptSource:
    values: dict[str, object] = {
        "turn": (Message("user", "Any work for me?"),),
        "situation": "You are talking to Robin.",
    }
    return PromptSource(PERSONA, WORLD, tools=(TOOL,), history=history, **{**values, **changes})  # type: ignore[arg-type]


def _compile(source: PromptSource, window: int, reply: int = 10, name: str = "nemotron") -> CompiledPrompt:
    return compile_prompt(
        source, chat_format=chat_format(name), count=count_words, window_tokens=window, reply_tokens=reply
    )


def _match(n: int, words: int = 5) -> Match:
    return Match(LoreEntry(f"e{n}", f"lore{n} " + "w " * words), 1.0, "key 'x' was said")


@given(
    lengths=st.lists(st.integers(0, 40), max_size=14),
    lore=st.lists(st.integers(0, 40), max_size=6),
    window=st.integers(60, 600),
    reply=st.integers(1, 80),
    name=st.sampled_from(FORMATS),
    count=st.sampled_from([count_words, count_joined]),
)
def test_the_window_holds_and_what_must_be_in_is_in(
    lengths: list[int], lore: list[int], window: int, reply: int, name: str, count: object
) -> None:
    source = _source(_history(lengths), matches=tuple(_match(n, words) for n, words in enumerate(lore)))
    try:
        prompt = compile_prompt(
            source,
            chat_format=chat_format(name),
            count=count,  # type: ignore[arg-type]
            window_tokens=window,
            reply_tokens=reply,
        )
    except PromptTooLong:
        bare = _compile(_source(), 100_000, reply, name)
        assert count(bare.segments) + reply + 5 > window  # type: ignore[operator]
        return
    text = "".join(segment.text for segment in prompt.segments)
    assert count(prompt.segments) + reply <= window  # type: ignore[operator]
    assert prompt.trace.total_tokens == count(prompt.segments)  # type: ignore[operator]
    for needed in ("You are Mara", "give_item", "The hammer is lost.", "You are talking to Robin.", "Any work for me?"):
        assert needed in text
    kept = [n for n in range(len(lengths)) if re.search(rf"\bq{n}\b", text)]
    assert kept == list(range(len(lengths) - len(kept), len(lengths))), "the oldest go first"
    assert all(re.search(rf"\ba{n}\b", text) for n in kept), "an exchange goes or stays whole"


@given(lengths=st.lists(st.integers(0, 60), max_size=14), window=st.integers(100, 500))
def test_every_part_is_in_the_account(lengths: list[int], window: int) -> None:
    passed = (Match(LoreEntry("p", "Hidden."), 0.0, "known only to tobin"),)
    prompt = _compile(_source(_history(lengths), matches=(_match(1), _match(2, 200)), passed_over=passed), window)
    kinds = [part.kind for part in prompt.trace.parts]
    assert kinds.count("history") == len(lengths)
    assert [part.name for part in prompt.trace.parts if part.kind == "lore"] == ["e1", "e2", "p"]
    taken = sum(part.tokens for part in prompt.trace.parts if part.is_in)
    assert prompt.trace.total_tokens <= taken + 10
    text = "".join(segment.text for segment in prompt.segments)
    for part in prompt.trace.parts:
        if part.kind == "lore" and part.name.startswith("e"):
            assert part.is_in == (f"lore{part.name[1:]} " in text)


def test_stable_parts_come_first_and_the_moment_last() -> None:
    text = "".join(segment.text for segment in _compile(_source(_history([1, 1]), matches=(_match(1),)), 1000).segments)
    stable = ("You play", "A village", "You are Mara", "give_item", "The hammer", "q0", "q1")
    order = [text.index(part) for part in (*stable, "lore1", "talking to Robin", "Any work")]
    assert order == sorted(order)


def test_the_same_history_prefix_survives_several_turns() -> None:
    """What is dropped goes in steps, so that the cached prefix is reused between the steps."""
    starts = []
    for length in range(5, 25):
        prompt = _compile(_source(_history([10] * length)), 300)
        kept = [part.is_in for part in prompt.trace.parts if part.kind == "history"]
        starts.append(kept.index(True))
    assert all(start % TRIM_STEP == 0 for start in starts)
    assert len(set(starts)) <= len(starts) // TRIM_STEP + 1
    assert starts == sorted(starts)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6])
def test_the_newest_exchange_stays_where_it_fits(length: int) -> None:
    room = _compile(_source(), 1000).trace.total_tokens + 10 + 6 + 30
    prompt = _compile(_source(_history([40] * (length - 1) + [8])), room)
    kept = [part.is_in for part in prompt.trace.parts if part.kind == "history"]
    assert kept[-1]


def test_lore_takes_its_share_only() -> None:
    bare = _compile(_source(), 1000).trace.total_tokens
    prompt = _compile(_source(_history([8] * 8), matches=tuple(_match(n, 30) for n in range(9))), bare + 10 + 400)
    lore = sum(part.tokens for part in prompt.trace.parts if part.kind == "lore" and part.is_in)
    assert 0 < lore <= 0.4 * 400
    assert any("tokens, " in part.why for part in prompt.trace.dropped)
    assert any(part.kind == "history" and part.is_in for part in prompt.trace.parts)


def test_a_prompt_too_long_names_the_largest_parts() -> None:
    with pytest.raises(PromptTooLong) as caught:
        _compile(_source(turn=(Message("user", "word " * 500),)), 300)
    assert "the model's window has 300" in caught.value.message
    assert caught.value.hint.startswith("largest parts: this turn 50")


def test_a_turn_with_calls_keeps_its_passages_with_the_players_words() -> None:
    turn = (
        Message("user", "Give me the lamp."),
        Message("assistant", "Here.", tool_calls=(FunctionCall("c1", "give_item", {"item": "lamp"}),)),
        Message("tool", "", tool_result=ToolResult("c1", "give_item", "accepted")),
    )
    prompt = _compile(_source(turn=turn, matches=(_match(1),)), 1000)
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "tool"]
    assert [bool(message.contexts) for message in prompt.messages] == [True, True, False, False]
    assert prompt.messages[1].contexts[-1] == "You are talking to Robin."


def test_passages_of_earlier_turns_do_not_return() -> None:
    earlier = (Message("user", "Hello.", contexts=("Old passage.",)), Message("assistant", "Hm."))
    text = "".join(segment.text for segment in _compile(_source(earlier), 1000).segments)
    assert "Hello." in text
    assert "Old passage." not in text


def test_the_greeting_stands_before_the_first_question() -> None:
    history = (Message("assistant", "What do you want?"), *_exchange(1))
    prompt = _compile(_source(history), 1000)
    assert [message.role for message in prompt.messages] == ["system", "assistant", "user", "assistant", "user"]
