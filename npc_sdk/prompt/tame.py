"""Messages as engines that render them themselves may have them: with every look-alike of a marker disarmed.

Such an engine's server may read control tokens out of plain text, so its copy is as tame as the segments are. Called
by compile.py.
"""

from __future__ import annotations

import dataclasses

from npc_sdk.guard.neutralize import neutralize
from npc_sdk.messages import FunctionCall, JsonValue, Message, ToolResult


def tamed(message: Message) -> Message:
    """The message with all of its texts disarmed."""
    return dataclasses.replace(
        message,
        text=neutralize(message.text),
        contexts=tuple(neutralize(passage) for passage in message.contexts),
        tool_calls=tuple(_tamed_call(call) for call in message.tool_calls),
        tool_result=_tamed_result(message.tool_result),
    )


def _tamed_call(call: FunctionCall) -> FunctionCall:
    arguments = {neutralize(name): _tamed_value(value) for name, value in call.arguments.items()}
    return dataclasses.replace(call, name=neutralize(call.name), arguments=arguments)


def _tamed_result(result: ToolResult | None) -> ToolResult | None:
    if result is None:
        return None
    return dataclasses.replace(result, name=neutralize(result.name), content=_tamed_value(result.content))


def _tamed_value(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return neutralize(value)
    if isinstance(value, dict):
        return {neutralize(key): _tamed_value(inner) for key, inner in value.items()}
    return [_tamed_value(inner) for inner in value] if isinstance(value, list) else value
