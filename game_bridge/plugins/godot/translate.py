"""GDScript of Godot 3 as Godot 4 writes it: what our own test programs and samples use, not the whole language.

Knows text only. Called by the conformance program and the samples, which are written once, for Godot 3.
"""

from __future__ import annotations

import re

_YIELD = "yield("
_SIGNALS = {"idle_frame": "process_frame"}
_ARGUMENT = r"[^,()]+"  # without a call in it

# whole words, and what Godot 4 calls the same thing
_WORDS = {
    "TYPE_REAL": "TYPE_FLOAT",
    "OS.get_ticks_msec": "Time.get_ticks_msec",
    "Engine.target_fps": "Engine.max_fps",
    "font_color_shadow": "font_shadow_color",
    "rect_position": "position",
    "rect_size": "size",
    "hint_tooltip": "tooltip_text",
    "caret_position": "caret_column",
    "event.scancode": "event.keycode",
    "event.shift": "event.shift_pressed",
    "get_tree().set_input_as_handled": "get_viewport().set_input_as_handled",
}
_RULES = [
    # what a script declares
    (re.compile(r"^export\(String, (.*)\) var ", re.MULTILINE), r"@export_enum(\1) var "),
    (re.compile(r"^(export|onready) var ", re.MULTILINE), r"@\1 var "),
    # signals
    (
        re.compile(rf"\.(connect|disconnect)\(({_ARGUMENT}), self, ({_ARGUMENT}), \[(.+)\]\)"),
        r".\1(\2, Callable(self, \3).bind(\4))",
    ),
    (re.compile(rf"\.(connect|disconnect)\(({_ARGUMENT}), self, ({_ARGUMENT})\)"), r".\1(\2, Callable(self, \3))"),
    # pictures
    (re.compile(r"(\w+) = Image\.new\(\)\n\s*\1\.create\("), r"\1 = Image.create("),
    (re.compile(r"^\s*\w+\.(?:un)?lock\(\)\n", re.MULTILINE), ""),
    # values
    (re.compile(r"\bPoolIntArray\b"), "PackedInt32Array"),
    (re.compile(r"\bPoolRealArray\b"), "PackedFloat32Array"),
    (re.compile(r"\bPool(\w+)Array\b"), r"Packed\1Array"),
    (re.compile(r"\bparse_json\("), "JSON.parse_string("),
    (re.compile(r"\bto_json\("), "JSON.stringify("),
    (re.compile(r"\.plus_file\("), ".path_join("),
    (re.compile(r"\.linear_interpolate\("), ".lerp("),
    (re.compile(r"\.clip\("), ".intersection("),
    # nodes
    (re.compile(r"^(\t+(?:\w+\.)?)update\(\)$", re.MULTILINE), r"\1queue_redraw()"),
    (re.compile(r"\.add_(color|constant|stylebox)_override\("), r".add_theme_\1_override("),
    (re.compile(r"\.align = Label\.ALIGN_"), ".horizontal_alignment = HORIZONTAL_ALIGNMENT_"),
    (re.compile(r"\.autowrap = true$", re.MULTILINE), ".autowrap_mode = TextServer.AUTOWRAP_WORD_SMART"),
    # scenes and project files
    (re.compile(r'^(\[node .*)type="YSort"(.*\])$', re.MULTILINE), r'\1type="Node2D"\2' + "\ny_sort_enabled = true"),
    (re.compile(r"^config_version=4$", re.MULTILINE), "config_version=5"),
]
_WORD = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in _WORDS))


def translate(text: str) -> str:
    """A script, a scene or a project file of Godot 3 for Godot 4."""
    while (start := text.find(_YIELD)) >= 0:
        end = _closing(text, start + len(_YIELD))
        owner, _, signal = text[start + len(_YIELD) : end].rpartition(", ")
        text = text[:start] + _awaited(owner, signal.strip('"')) + text[end + 1 :]
    for pattern, new in _RULES:
        text = pattern.sub(new, text)
    return _WORD.sub(lambda found: _WORDS[found[0]], text)


def _awaited(owner: str, signal: str) -> str:
    """A coroutine is awaited by its call, a signal by its name."""
    return f"await {owner}" if signal == "completed" else f"await {owner}.{_SIGNALS.get(signal, signal)}"


def _closing(text: str, at: int) -> int:
    """Where the bracket that was opened before a place is closed. Raises: ValueError where it is not."""
    depth = 1
    for index in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise ValueError(f"a bracket is open: {text[at : at + 60]!r}")
