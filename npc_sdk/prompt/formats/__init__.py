"""The table of chat formats. A new one is one file and one row here."""

from __future__ import annotations

from collections.abc import Callable

from npc_sdk.errors import SettingsError
from npc_sdk.prompt.formats.chatml import ChatMLFormat
from npc_sdk.prompt.formats.interface import ChatFormat
from npc_sdk.prompt.formats.llama3 import Llama3Format
from npc_sdk.prompt.formats.mistral import MistralFormat
from npc_sdk.prompt.formats.nemotron import NemotronFormat

_FORMATS: dict[str, Callable[[], ChatFormat]] = {
    "nemotron": NemotronFormat,
    "nemotron-wrapped": lambda: NemotronFormat(is_wrapped=True, name="nemotron-wrapped"),
    "chatml": ChatMLFormat,
    "llama3": Llama3Format,
    "mistral": MistralFormat,
}


def chat_format(name: str) -> ChatFormat:
    """Raises: SettingsError for a format nobody wrote."""
    try:
        return _FORMATS[name]()
    except KeyError:
        known = ", ".join(_FORMATS)
        raise SettingsError(f"unknown chat format {name!r}", hint=f"known formats: {known}") from None
