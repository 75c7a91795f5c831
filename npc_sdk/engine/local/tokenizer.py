"""Text to token ids and back, with control tokens only where the text is trusted.

Wraps one ``tokenizers.Tokenizer``; knows no chat format. Called by the engine on the asyncio side (encode) and the
model's thread (decode), hence the lock.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from npc_sdk.engine.local.config import read_json
from npc_sdk.errors import ModelFormatError, RequestError
from npc_sdk.requests import GenerateRequest, Segment

# Tool and thinking markers are part of a reply's text even where a tokenizer flags them as special.
VISIBLE_MARKERS = frozenset(
    (
        *(
            f"<{slash}{name}>"
            for name in ("tool", "toolcall", "tool_call", "tool_response", "tools", "context", "think")
            for slash in ("", "/")
        ),
        *("[TOOL_CALLS]", "[/TOOL_CALLS]", "[ARGS]", "[CALL_ID]"),
    )
)
_ADDED = '"added_tokens":'
CONTROL_NAME = re.compile(r"<extra_id_\d+>|<\|.+\|>")


class ModelTokenizer:
    """Encodes prompt segments and decodes replies. Raises: ModelFormatError for a folder without a usable one."""

    def __init__(self, folder: Path, *, has_bos: bool = False) -> None:
        self._tokenizer = _open(folder)
        self._lock = threading.Lock()
        added = self._tokenizer.get_added_tokens_decoder()
        # Runs of spaces are added tokens in some vocabularies; they are text.
        self._structural = {token.content: (i, token) for i, token in added.items() if token.content.strip()}
        self._control = frozenset(i for i, token in self._structural.values() if _is_control(token))
        self._pattern = _alternatives(self._structural.values())
        self._visible = _alternatives([one for one in self._structural.values() if one[0] not in self._control])
        self._seal(folder)
        self._settings = _settings(folder)
        self._bos = self._bos_ids(folder) if has_bos else []

    @property
    def vocab_size(self) -> int:
        """One more than the highest id."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    @property
    def control_ids(self) -> frozenset[int]:
        """Ids that never appear in a reply's text."""
        return self._control

    @property
    def eos_id(self) -> int | None:
        """The end token that tokenizer_config.json names."""
        return self.token_id(_content(self._settings.get("eos_token")))

    def token_id(self, content: str) -> int | None:
        """The id of a structural token, None where the vocabulary has none of that name."""
        return self._structural[content][0] if content in self._structural else None

    def encode(self, segments: Sequence[Segment]) -> list[int]:
        """The prompt's ids. Plain text runs on across segments, so that the cuts leave no trace in the ids."""
        ids, plain = self._extended(list(self._bos), "", segments)
        return ids + self._encode_plain(plain)

    def encode_prompt(self, request: GenerateRequest) -> tuple[list[int], int | None]:
        """A prompt's ids, and how many tokens all before the player's words makes where these are left out.

        Only the text that the words run on from is encoded twice: its last token may be another one without them.
        """
        count = request.bulk_segments
        if count is None:
            return self.encode(request.segments), None
        ids, plain = self._extended(list(self._bos), "", request.segments[:count])
        last = self._encode_plain(plain)
        bulk_tokens = len(ids) + len(last)
        ids, whole = self._extended(ids, plain, request.segments[count:])
        return ids + (last if whole == plain else self._encode_plain(whole)), bulk_tokens

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, structural tokens included."""
        with self._lock:
            return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def as_json(self) -> str:
        """The vocabulary as a tokenizers file in which control tokens alone are special: all others are text."""
        with self._lock:
            written = self._tokenizer.to_str()
        start = written.index(_ADDED) + len(_ADDED)
        added, end = json.JSONDecoder().raw_decode(written, start)  # the whole as objects would take 100 MB
        for token in added:
            token["special"] = token["id"] in self._control
        return written[:start] + json.dumps(added) + written[end:]

    def encode_written(self, text: str) -> list[int]:
        """The ids of what a model writes: visible markers are their own tokens, control tokens are split."""
        ids: list[int] = []
        start = 0
        for match in self._visible.finditer(text) if self._visible else ():
            ids += [*self._encode_plain(text[start : match.start()]), self._structural[match[0]][0]]
            start = match.end()
        return ids + self._encode_plain(text[start:])

    def _extended(self, ids: list[int], plain: str, segments: Sequence[Segment]) -> tuple[list[int], str]:
        """The ids up to the last structural token, and the text after it, which may run on. Mutates: ids."""
        for piece in self._pieces(segments):
            if isinstance(piece, str):
                plain += piece
                continue
            token_id, token = piece
            ids += self._encode_plain(plain.rstrip() if token.lstrip else plain)
            ids.append(token_id)
            plain = ""
        return ids, plain

    def _pieces(self, segments: Sequence[Segment]) -> Iterator[str | tuple[int, AddedToken]]:
        """Text and, from trusted segments, structural tokens."""
        for segment in segments:
            if not segment.is_trusted or self._pattern is None:
                yield segment.text
                continue
            start = 0
            for match in self._pattern.finditer(segment.text):
                yield segment.text[start : match.start()]
                token_id, token = self._structural[match[0]]
                yield token_id, token
                start = match.end()
                while token.rstrip and segment.text[start : start + 1].isspace():
                    start += 1
            yield segment.text[start:]

    def _encode_plain(self, text: str) -> list[int]:
        """Ids of text in which no structural token is recognised. Raises: RequestError for a lone surrogate."""
        if not text:
            return []
        try:
            with self._lock:
                return list(self._tokenizer.encode(text, add_special_tokens=False).ids)
        except TypeError as exc:
            raise RequestError("the prompt holds half a character", hint="give text that is valid Unicode") from exc

    def _seal(self, folder: Path) -> None:
        """Makes the tokenizer split every structural token in text, and proves it. Raises: ModelFormatError."""
        tokens = [token for _, token in self._structural.values()]
        # Only tokens flagged special are split; the flag also decides about decoding, which does not skip by flag here.
        self._tokenizer.add_special_tokens([_as_special(token) for token in tokens])
        self._tokenizer.encode_special_tokens = True
        for content in self._structural:
            leaked = self._control.intersection(self._encode_plain(content))
            if leaked:
                hint = "a player could type it as a control token; this tokenizer is not safe to serve"
                message = f"{folder}: text {content!r} still becomes control token {min(leaked)}"
                raise ModelFormatError(message, hint=hint)

    def _bos_ids(self, folder: Path) -> list[int]:
        """The begin token. Raises: ModelFormatError where it is asked for but not there."""
        name = _content(self._settings.get("bos_token"))
        bos = self.token_id(name)
        if bos is None:
            hint = "set add_bos to false in npc_model.json, or name bos_token in tokenizer_config.json"
            raise ModelFormatError(f"{folder}: bos_token is {name!r}, which the vocabulary lacks", hint=hint)
        return [bos]


def _open(folder: Path) -> Tokenizer:
    """Reads tokenizer.json. Raises: ModelFormatError."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        hint = "copy tokenizer.json beside the weights, or name a folder that has one with the tokenizer setting"
        raise ModelFormatError(f"{folder} has no tokenizer.json", hint=hint)
    try:
        return Tokenizer.from_file(str(path))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as exc:  # the Rust side raises bare Exception, and its panics are not even that
        raise ModelFormatError(f"{path} cannot be read: {exc}", hint="copy the file again") from exc


def _settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json, empty where there is none."""
    path = folder / "tokenizer_config.json"
    return read_json(path) if path.exists() else {}


def _content(value: object) -> str:
    """A token's text from either form of tokenizer_config.json: a string or an object."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else ""


def _is_control(token: AddedToken) -> bool:
    """Whether a token is machinery and never words; known by flag or by name, as some builds leave the flag out."""
    if token.content in VISIBLE_MARKERS:
        return False
    return bool(token.special) or CONTROL_NAME.fullmatch(token.content) is not None


def _as_special(token: AddedToken) -> AddedToken:
    """The same token with the special flag."""
    return AddedToken(
        token.content,
        single_word=token.single_word,
        lstrip=token.lstrip,
        rstrip=token.rstrip,
        normalized=token.normalized,
        special=True,
    )


def _alternatives(tokens: Sequence[tuple[int, AddedToken]] | Any) -> re.Pattern[str] | None:
    """A pattern that finds structural tokens, the longest name first."""
    names = sorted((token.content for _, token in tokens), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names))) if names else None
