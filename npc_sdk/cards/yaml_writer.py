"""Writes plain data as YAML that a writer would have written: quotes where needed, long texts as blocks.

What persona/yaml_reader.py reads back is the very same value. Called by cards/imported.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_WIDTH = 110
_PLAIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ][\wÀ-ɏ '’.,;!?()/+&*%“”…–—-]*")
_WORDS = frozenset({"null", "true", "false"})
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_TROUBLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]")
_ESCAPED = re.compile("[\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def to_yaml(value: Mapping[str, Any], schema: str) -> str:
    """The text of a file; schema is the address that the editor line names."""
    return f"# yaml-language-server: $schema={schema}\n" + "\n".join(_map(value, "")) + "\n"


def _map(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        yield from _under(f"{indent}{_key(key)}:", item, indent)


def _under(head: str, item: Any, indent: str) -> Iterator[str]:
    """A value behind its key, or below it."""
    if isinstance(item, Mapping) and item:
        yield head
        yield from _map(item, indent + "  ")
    elif isinstance(item, list | tuple) and item:
        if _is_short(item):
            yield f"{head} [{', '.join(_scalar(part) for part in item)}]"
        else:
            yield head
            yield from _list(item, indent + "  ")
    else:
        yield from _text(head, item, indent + "  ")


def _list(items: list[Any] | tuple[Any, ...], indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Mapping) and item:
            lines = _map(item, indent + "  ")
            yield f"{indent}- {next(lines).lstrip(' ')}"
            yield from lines
        elif isinstance(item, list | tuple) and item:
            yield f"{indent}- [{', '.join(_scalar(part) for part in item)}]"
        else:
            yield from _text(f"{indent}-", item, indent + "  ")


def _text(head: str, item: Any, indent: str) -> Iterator[str]:
    """A scalar on the line, or a long text as a block."""
    if isinstance(item, str) and _fits_block(item):
        if "\n" in item:
            yield f"{head} |-"
            yield from (indent + line if line else "" for line in item.split("\n"))
            return
        if len(head) + len(item) > _WIDTH and " " in item:
            yield f"{head} >-"
            yield from (indent + line for line in _folded(item, _WIDTH - len(indent)))
            return
    yield f"{head} {_scalar(item)}"


def _fits_block(text: str) -> bool:
    """Whether a block shows the text as it is: nothing strange, no blanks at the ends of lines or doubled."""
    lines = text.split("\n")
    is_neat = all(line == line.strip() for line in lines) and bool(lines[0]) and bool(lines[-1])
    return is_neat and "  " not in text and not _TROUBLE.search(text.replace("\n", ""))


def _folded(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _is_short(items: list[Any] | tuple[Any, ...]) -> bool:
    is_flat = all(not isinstance(item, Mapping | list | tuple) for item in items)
    return is_flat and sum(len(str(item)) + 4 for item in items) <= 70 and not any("\n" in str(item) for item in items)


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and key.lower() not in _WORDS else _quoted(key)


def _scalar(value: Any) -> str:
    if not isinstance(value, str):
        return _quoted(value)
    is_plain = _PLAIN.fullmatch(value) and value[-1] != " " and value.lower() not in _WORDS and "," not in value
    return value if is_plain and len(value) < 200 else _quoted(value)


def _quoted(value: Any) -> str:
    """As JSON, whose texts stand in double quotes with escapes that YAML has too."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
