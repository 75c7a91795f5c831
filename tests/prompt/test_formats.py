"""The chat formats, byte for byte against chat templates rendered by transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from npc_sdk.errors import SettingsError
from npc_sdk.messages import FunctionCall, ImagePart, Message, ToolResult, ToolSpec
from npc_sdk.prompt.formats import chat_format
from npc_sdk.prompt.formats.interface import result_json, tool_declaration

from .templates import CHATML, NEMOTRON

GIVE = ToolSpec("give_item", "Hand over an item.", {"type": "object", "properties": {"item": {"type": "string"}}})
WAIT = ToolSpec("stay_here", "Wait “here”.", {"type": "object", "properties": {}})
CALL = FunctionCall("c1", "give_item", {"item": "Löffel", "count": 2})
OTHER = FunctionCall("c2", "stay_here", {})
DONE = ToolResult("c1", "give_item", "accepted", {"left": ["lantern"]})
REFUSED = ToolResult("c1", "give_item", "refused", "You do not hold a Löffel.")

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


def _chatml_dict(message: Message) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        out["tool_calls"] = [
            {"type": "function", "function": {"name": call.name, "arguments": dict(call.arguments)}}
            for call in message.tool_calls
        ]
    if message.tool_result is not None:
        out["content"] = json.dumps(result_json(message.tool_result), ensure_ascii=False)
    return out


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
    assert _ours("chatml", messages, tools) == render(CHATML, map(_chatml_dict, messages), tools=declared)


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
    ],
)
def test_a_turns_own_passages_and_pictures_stand_before_its_words(name: str, message: Message, text: str) -> None:
    assert "".join(segment.text for segment in chat_format(name).turn(message)) == text


@pytest.mark.parametrize("name", ["nemotron", "nemotron-wrapped", "chatml"])
def test_a_format_knows_its_name_and_where_a_reply_stops(name: str) -> None:
    form = chat_format(name)
    assert form.name == name
    assert form.turn(ASK)[0].text.startswith(form.stop[0].replace("im_end", "im_start"))


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"unknown chat format 'vicuna'.*nemotron, nemotron-wrapped, chatml"):
        chat_format("vicuna")
