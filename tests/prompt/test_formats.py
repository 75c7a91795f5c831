"""The chat formats, byte for byte against chat templates rendered by transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from npc_sdk.decoding.stream_parser import StreamParser
from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.decoding.tool_formats.interface import ParsedCall
from npc_sdk.engine.local.profile import TOOL_FORMATS
from npc_sdk.errors import SettingsError
from npc_sdk.messages import FunctionCall, ImagePart, Message, ToolResult, ToolSpec
from npc_sdk.prompt.formats import chat_format
from npc_sdk.prompt.formats.interface import result_json, tool_declaration

from .templates import CHATML, LLAMA3, MISTRAL, NEMOTRON

GIVE = ToolSpec("give_item", "Hand over an item.", {"type": "object", "properties": {"item": {"type": "string"}}})
WAIT = ToolSpec("stay_here", "Wait “here”.", {"type": "object", "properties": {}})
CALL = FunctionCall("call0call", "give_item", {"item": "Löffel", "count": 2})
OTHER = FunctionCall("call1call", "stay_here", {})
DONE = ToolResult("call0call", "give_item", "accepted", {"left": ["lantern"]})
REFUSED = ToolResult("call0call", "give_item", "refused", "You do not hold a Löffel.")

FORMATS = ("nemotron", "nemotron-wrapped", "chatml", "llama3", "mistral")
SYSTEM = Message("system", "You are Mara.\nVoice: gruff and short.")
ASK = Message("user", "Any work for me?")
ANSWER = Message("assistant", "No.")


@pytest.fixture(scope="session")
def render(tokenizer_folder: Path) -> Any:
    """A template rendered through transformers."""
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(tokenizer_folder / "tokenizer.json")
    )

    def _render(template: str, messages: Sequence[Mapping[str, Any]], **kwargs: Any) -> str:
        return str(
            fast.apply_chat_template(
                list(messages),  # type: ignore[arg-type]
                chat_template=template,
                tokenize=False,
                add_generation_prompt=True,
                **kwargs,
            )
        )

    return _render


def _ours(name: str, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
    form = chat_format(name)
    segments = form.system(messages[0], tools)
    for message in messages[1:]:
        segments += form.turn(message)
    return "".join(segment.text for segment in segments + form.opening())


def _written(call: FunctionCall) -> str:
    return json.dumps({"name": call.name, "arguments": dict(call.arguments)}, ensure_ascii=False)


def _nemotron_dict(message: Message) -> dict[str, Any]:
    """The template takes no tool calls: they are written into the content."""
    content = message.text
    for call in message.tool_calls:
        content += f"\n<toolcall> {_written(call)} </toolcall>"
    if message.tool_result is not None:
        content = json.dumps(result_json(message.tool_result), ensure_ascii=False)
    return {"role": message.role, "content": content}


def _openai_dict(message: Message) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        out["tool_calls"] = [
            {"type": "function", "id": call.call_id, "function": {"name": call.name, "arguments": dict(call.arguments)}}
            for call in message.tool_calls
        ]
    if message.tool_result is not None:
        out["tool_call_id"] = message.tool_result.call_id
        out["content"] = json.dumps(result_json(message.tool_result), ensure_ascii=False)
    return out


def _llama3_dict(message: Message) -> dict[str, Any]:
    """A result is rendered as JSON by the template itself."""
    content = {} if message.tool_result is None else {"content": dict(result_json(message.tool_result))}
    return {**_openai_dict(message), **content}


TURNS = [
    pytest.param([SYSTEM, ASK], (), id="one question"),
    pytest.param([SYSTEM], (), id="system alone"),
    pytest.param([SYSTEM, ASK], (GIVE,), id="one tool"),
    pytest.param([SYSTEM, ASK, ANSWER, ASK], (GIVE, WAIT), id="two tools, several turns"),
    pytest.param([SYSTEM, ANSWER, ASK], (), id="greeting first"),
    pytest.param([SYSTEM, ASK, Message("assistant", "Here.", tool_calls=(CALL,))], (GIVE,), id="words and a call"),
    pytest.param([SYSTEM, ASK, Message("assistant", "", tool_calls=(CALL,))], (GIVE,), id="a call alone"),
    pytest.param([SYSTEM, ASK, Message("assistant", "", tool_calls=(CALL, OTHER))], (GIVE,), id="two calls"),
    pytest.param(
        [SYSTEM, ASK, Message("assistant", "", tool_calls=(CALL,)), Message("tool", "", tool_result=DONE), ANSWER],
        (GIVE,),
        id="a result",
    ),
    pytest.param(
        [SYSTEM, ASK, Message("assistant", "", tool_calls=(CALL,)), Message("tool", "", tool_result=REFUSED)],
        (GIVE,),
        id="a refusal",
    ),
    pytest.param([SYSTEM, Message("user", "Grüße 🙂 {{ x }} “a” \\n")], (), id="characters"),
]


@pytest.mark.parametrize("contexts", [(), ("The mill burned.",), ("One.", "Two.")], ids=["bare", "one", "two"])
@pytest.mark.parametrize("is_wrapped", [False, True], ids=["bare tools", "wrapped tools"])
@pytest.mark.parametrize(("messages", "tools"), TURNS)
def test_nemotron_equals_its_template(
    render: Any, messages: list[Message], tools: tuple[ToolSpec, ...], is_wrapped: bool, contexts: tuple[str, ...]
) -> None:
    declared = [tool_declaration(tool, is_wrapped=is_wrapped) for tool in tools] or None
    theirs = render(NEMOTRON, map(_nemotron_dict, messages), tools=declared, contexts=list(contexts))
    with_contexts = [Message("system", messages[0].text, contexts=contexts), *messages[1:]]
    assert _ours("nemotron-wrapped" if is_wrapped else "nemotron", with_contexts, tools) == theirs


@pytest.mark.parametrize(("messages", "tools"), TURNS)
def test_chatml_equals_its_template(render: Any, messages: list[Message], tools: tuple[ToolSpec, ...]) -> None:
    declared = [tool_declaration(tool, is_wrapped=True) for tool in tools] or None
    assert _ours("chatml", messages, tools) == render(CHATML, map(_openai_dict, messages), tools=declared)


def _has_words_and_calls(messages: list[Message]) -> bool:
    return any(message.text and message.tool_calls for message in messages)


@pytest.mark.parametrize(("messages", "tools"), TURNS)
def test_llama3_equals_its_template(render: Any, messages: list[Message], tools: tuple[ToolSpec, ...]) -> None:
    if _has_words_and_calls(messages) or any(len(message.tool_calls) > 1 for message in messages):
        pytest.skip("the template has no place for words beside a call, nor for two calls")
    declared = [tool_declaration(tool, is_wrapped=True) for tool in tools] or None
    assert _ours("llama3", messages, tools) == render(LLAMA3, map(_llama3_dict, messages), tools=declared)


@pytest.mark.parametrize(("messages", "tools"), TURNS)
def test_mistral_equals_its_template_but_for_the_system_text(
    render: Any, messages: list[Message], tools: tuple[ToolSpec, ...]
) -> None:
    """The template declares tools before the newest question: the same place only where it is the first."""
    if _has_words_and_calls(messages) or len(messages) == 1:
        pytest.skip("the template has no place for words beside a call, nor for no turn at all")
    if sum(message.role == "user" for message in messages) != 1:
        tools = ()
    declared = [tool_declaration(tool, is_wrapped=True) for tool in tools] or None
    theirs = render(MISTRAL, map(_openai_dict, messages[1:]), tools=declared)
    assert _ours("mistral", [Message("system", ""), *messages[1:]], tools) == theirs
    assert _ours("mistral", messages, tools) == f"[INST] {SYSTEM.text}[/INST]{theirs}"


PICTURE = ImagePart("image/png", b"")


@pytest.mark.parametrize(
    ("name", "message", "text"),
    [
        pytest.param(
            "nemotron",
            Message("user", "Hi.", contexts=("One.", "Two.")),
            "<extra_id_1>User\n<context> One. </context>\n<context> Two. </context>\n\nHi.\n",
            id="nemotron passages",
        ),
        pytest.param(
            "nemotron",
            Message("user", "What is it?", images=(PICTURE, PICTURE)),
            "<extra_id_1>User\n<image>\n<image>\nWhat is it?\n",
            id="nemotron pictures",
        ),
        pytest.param(
            "chatml",
            Message("user", "Hi.", contexts=("One.",), images=(PICTURE,)),
            "<|im_start|>user\n<context> One. </context>\n\n<image>\nHi.<|im_end|>\n",
            id="chatml passage and picture",
        ),
        pytest.param(
            "llama3",
            Message("user", "Hi.", contexts=("One.",)),
            "<|start_header_id|>user<|end_header_id|>\n\n<context> One. </context>\n\nHi.<|eot_id|>",
            id="llama3 passage",
        ),
        pytest.param(
            "mistral",
            Message("user", "Hi.", contexts=("One.",)),
            "[INST] <context> One. </context>\n\nHi.[/INST]",
            id="mistral passage",
        ),
    ],
)
def test_a_turns_own_passages_and_pictures_stand_before_its_words(name: str, message: Message, text: str) -> None:
    assert "".join(segment.text for segment in chat_format(name).turn(message)) == text


CALLED = Message("assistant", "Here.", tool_calls=(CALL, OTHER))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(
            "llama3",
            '<|start_header_id|>assistant<|end_header_id|>\n\nHere.\n{"name": "give_item", "parameters": '
            '{"item": "Löffel", "count": 2}}; {"name": "stay_here", "parameters": {}}<|eot_id|>',
            id="llama3",
        ),
        pytest.param(
            "mistral",
            ' Here.[TOOL_CALLS] [{"name": "give_item", "arguments": {"item": "Löffel", "count": 2}, '
            '"id": "call0call"}, '
            '{"name": "stay_here", "arguments": {}, "id": "call1call"}]</s>',
            id="mistral",
        ),
    ],
)
def test_words_and_calls_are_framed_as_the_dialect_has_them(name: str, text: str) -> None:
    assert "".join(segment.text for segment in chat_format(name).turn(CALLED)) == text


@pytest.mark.parametrize(
    ("call_id", "short"), [("call-7", "0000call7"), ("a" * 8 + "bcdef", "aaaabcdef"), ("é", "0" * 9)]
)
def test_mistral_ids_have_nine_characters(call_id: str, short: str) -> None:
    turn = chat_format("mistral").turn(Message("assistant", "", tool_calls=(FunctionCall(call_id, "f", {}),)))
    assert f'"id": "{short}"' in "".join(segment.text for segment in turn)
    told = chat_format("mistral").turn(Message("tool", "", tool_result=ToolResult(call_id, "f", "accepted")))
    assert f'"call_id": "{short}"' in "".join(segment.text for segment in told)


@pytest.mark.parametrize("name", FORMATS)
def test_the_players_words_are_the_last_untrusted_segment_of_their_turn(name: str) -> None:
    turn = chat_format(name).turn(Message("user", "Any work?", contexts=("One.",), images=(PICTURE,)))
    assert [segment.text for segment in turn if not segment.is_trusted][-1] == "Any work?"


@pytest.mark.parametrize("name", FORMATS)
def test_calls_in_the_history_read_as_calls_of_the_models_dialect(name: str) -> None:
    """What a model is shown of its own calls is what its parser would take for them."""
    written = "".join(segment.text for segment in chat_format(name).turn(CALLED)[1:])
    parser = StreamParser(tool_format(TOOL_FORMATS[name.removesuffix("-wrapped")]))
    calls = [item for item in [*parser.feed(written), *parser.finish()] if isinstance(item, ParsedCall)]
    assert calls == [ParsedCall(call.name, call.arguments) for call in CALLED.tool_calls]


STOPS = {
    "nemotron": "<extra_id_1>", "nemotron-wrapped": "<extra_id_1>", "chatml": "<|im_end|>", "llama3": "<|eot_id|>",
    "mistral": "</s>",
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_knows_its_name_and_where_a_reply_stops(name: str) -> None:
    form = chat_format(name)
    assert (form.name, form.stop[0]) == (name, STOPS[name])
    ends = "".join(segment.text for segment in form.turn(ANSWER) + form.turn(ASK))
    assert ends.count(STOPS[name]) >= 1


def test_an_unknown_format_is_refused() -> None:
    known = ", ".join(FORMATS)
    with pytest.raises(SettingsError, match=f"unknown chat format 'vicuna'.*{known}"):
        chat_format("vicuna")
