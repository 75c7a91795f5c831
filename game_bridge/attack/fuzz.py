"""``python -m game_bridge.attack.fuzz frames|zmtp|picture``: readers fuzzed with their own branches for a guide.

Needs atheris (the extra "fuzz"). A reader that raises what is no NpcError is a finding: it is printed with its trace,
its bytes are kept, and the process ends with an exit code of its own. Without findings it ends with 0.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

from npc_sdk.errors import NpcError, SettingsError

Reader = Callable[[bytes], None]

_TOKEN = b"s3cret"
_MAX_BYTES = 4_096
_PIECES = (1, 7, 64, 4_096)
# a picture may hold 70 MB for a moment
_RSS_MB = 1_024


def read_frames(data: bytes) -> None:
    """A client's message: the first byte says how many of the rest are its first frame."""
    from game_bridge import protocol

    at = 1 + 16 * data[0] if data else 0
    frames = [data[1:at], data[at:]] if len(data) > at else [data[1:]]
    protocol.decode_client(frames)


def read_stream(data: bytes) -> None:
    """A connection's bytes: the first one says with which mechanism, and in pieces of what size they come."""
    from game_bridge import zmtp

    choice = data[0] if data else 0
    size = _PIECES[choice >> 1 & 3]
    handshake = zmtp.Handshake("PLAIN" if choice & 1 else "NULL", lambda _user, shown: shown == _TOKEN)
    reader = zmtp.FrameReader(zmtp.Bounds(frame_bytes=2_000, message_bytes=4_000, frames=4, surplus=8))
    if choice & 8:
        handshake.is_done = True  # straight to what comes behind it
    for start in range(1, len(data), size):
        piece = data[start : start + size]
        if not handshake.is_done:
            handshake.feed(piece)
            piece = handshake.rest if handshake.is_done else b""
        reader.feed(piece)
        while (item := reader.next()) is not None:
            if isinstance(item, bytes):
                zmtp.answer_command(item)
        assert reader.held <= 4_000 + 64 * 8, "more is held than the bounds say"


def read_picture(data: bytes) -> None:
    """A picture: the first byte says of what type."""
    from npc_sdk.messages import ImagePart
    from npc_sdk.vision.decode import decode

    types = ("image/png", "image/jpeg", "image/webp", "image/x-rgb8", "image/x-rgba8")
    picture = decode(ImagePart(types[data[0] % len(types)] if data else types[0], data[1:]), max_px=16)
    assert len(picture.pixels) == 3 * picture.width * picture.height


TARGETS: dict[str, Reader] = {"frames": read_frames, "zmtp": read_stream, "picture": read_picture}


def seeds(target: str) -> Iterable[bytes]:
    """Sound bytes to begin with."""
    from game_bridge.vectors import load_valid

    if target == "picture":
        from game_bridge.attack.picture_seed import make_seeds

        types = {"image/png": b"\0", "image/jpeg": b"\1", "image/webp": b"\2"}
        return [types[seed.media_type] + seed.data for seed in make_seeds([(7, 5)])]
    heads = [vector.frames[0] for vector in load_valid() if vector.sender == "client"]
    if target == "frames":
        return [b"\xff" + head for head in heads]
    from game_bridge import zmtp

    hello = zmtp.encode_command(b"HELLO", b"\4game\6" + _TOKEN)
    kind = b"\x0bSocket-Type\0\0\0\6DEALER"
    plain = zmtp.encode_greeting("PLAIN") + hello + zmtp.encode_command(b"INITIATE", kind)
    null = zmtp.encode_greeting("NULL") + zmtp.encode_command(b"READY", kind)
    message = zmtp.encode_message([heads[0], b"picture"]) + zmtp.encode_ping(3.0)
    return [b"\7" + plain + message, b"\6" + null + message, b"\x0e" + message * 3]


def guarded(reader: Reader) -> Reader:
    """A refusal with a type is what should happen."""

    def read(data: bytes) -> None:
        try:
            reader(data)
        except NpcError:
            return

    return read


def fuzz(target: str, runs: int, seconds: int, keep: Path) -> None:
    """Does not come back: libFuzzer ends the process. Raises: SettingsError where atheris is not installed."""
    atheris = _atheris()
    # loaded under its eyes, so that it sees which branches a change of the bytes leads to
    with atheris.instrument_imports(include=["game_bridge", "npc_sdk"]):
        guarded(TARGETS[target])(b"")
    corpus = keep / f"{target}-corpus"  # the next run goes on from what this one has found to be new
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-runs={runs}", f"-max_total_time={seconds}", f"-rss_limit_mb={_RSS_MB}", f"-max_len={_MAX_BYTES}"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={keep}/", str(corpus)], guarded(TARGETS[target]))
    atheris.Fuzz()


def _atheris() -> ModuleType:
    try:
        return importlib.import_module("atheris")
    except ImportError as exc:
        raise SettingsError("atheris is not installed", hint='pip install "npc-sdk[fuzz]"') from exc


def main() -> None:
    """0 runs or seconds are without end."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.attack.fuzz", description=fuzz.__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "npc-fuzz")
    options = parser.parse_args()
    try:
        fuzz(options.target, options.runs or -1, options.seconds, options.keep)
    except SettingsError as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    main()
