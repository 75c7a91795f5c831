"""The table of tool dialects. A new one is one file and one row here."""

from __future__ import annotations

from collections.abc import Callable

from npc_sdk.decoding.tool_formats.hermes import HermesTools
from npc_sdk.decoding.tool_formats.interface import ToolFormat
from npc_sdk.decoding.tool_formats.llama3 import Llama3Tools
from npc_sdk.decoding.tool_formats.mistral import MistralTools
from npc_sdk.decoding.tool_formats.nemotron import NemotronTools
from npc_sdk.errors import SettingsError

_FORMATS: dict[str, Callable[[], ToolFormat]] = {
    "nemotron": NemotronTools,
    "hermes": HermesTools,
    "llama3": Llama3Tools,
    "mistral": MistralTools,
}


def tool_format(name: str) -> ToolFormat:
    """Raises: SettingsError for a dialect nobody wrote."""
    try:
        return _FORMATS[name]()
    except KeyError:
        known = ", ".join(_FORMATS)
        raise SettingsError(f"unknown tool format {name!r}", hint=f"known formats: {known}") from None
