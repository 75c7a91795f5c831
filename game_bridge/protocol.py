"""Frames to messages and back, and messages to the SDK's events and errors and back.

Owns validation at the trust boundary; knows no socket. Floor 0 only, so a game's process loads no model code.
Called by the server, the client and the golden vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from game_bridge import message as wire
from game_bridge.frame import clip, pack_map, unpack_map
from npc_sdk import errors, events
from npc_sdk.errors import BridgeError, ContentError, NpcError, ProtocolError, TooLarge, VersionMismatch
from npc_sdk.messages import FunctionCall, ImagePart, ToolResult

DEFAULT_LIMITS = wire.Limits()
_CLIENT: TypeAdapter[wire.ClientMessage] = TypeAdapter(Annotated[wire.ClientMessage, Field(discriminator="type")])
_SERVER: TypeAdapter[wire.ServerMessage] = TypeAdapter(Annotated[wire.ServerMessage, Field(discriminator="type")])
_REQUEST_ID: TypeAdapter[str] = TypeAdapter(wire.RequestId)
_REF: TypeAdapter[int] = TypeAdapter(wire.Ref)
_MAX_FAULT_CHARS, _MAX_PLACE_CHARS = 600, 120
_SIZE_FAULTS = frozenset({"string_too_long", "too_long"})

Model = TypeVar("Model", bound=wire.WireModel)
Checked = TypeVar("Checked")


@dataclass(frozen=True, slots=True)
class Opened:
    """Frames whose first is a sound map, but whose fields nobody has checked yet."""

    body: dict[str, Any]
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """Whom a refusal answers, as far as the refused message said it soundly."""

    ref: int | None = None
    request_id: str | None = None


def encode(message: wire.WireModel, blobs: Sequence[bytes] = (), limits: wire.Limits = DEFAULT_LIMITS) -> list[bytes]:
    """The frames of one message; blobs are the pictures of a say.

    Raises: ProtocolError, TooLarge.
    """
    _check_blobs(blobs, limits)
    body = {name: value for name, value in message.model_dump().items() if value is not None}
    ordered = {"type": body.pop("type"), **body}
    return [pack_map(ordered, max_bytes=limits.max_body_bytes), *blobs]


def encode_event(event: events.Event, request_id: str, limits: wire.Limits = DEFAULT_LIMITS) -> list[bytes]:
    """The frames of an event, under the request_id that the client knows. Text, of which there is the most, goes
    without a model in between: a third of the time for the same bytes.

    Raises: ProtocolError, TooLarge for an event that the wire cannot carry.
    """
    if isinstance(event, events.TextDelta) and len(event.text) <= wire.MAX_REPLY_CHARS:
        body = {"type": "text", "request_id": request_id, "text": event.text}
        return [pack_map(body, max_bytes=limits.max_body_bytes)]
    return encode(to_message(event, request_id), limits=limits)


def open_frames(frames: Sequence[bytes], limits: wire.Limits = DEFAULT_LIMITS) -> Opened:
    """Unpack the first frame and check count and size of the others.

    Raises: ProtocolError, TooLarge.
    """
    if not frames:
        raise ProtocolError("The message has no frame", hint="send one msgpack map")
    _check_blobs(frames[1:], limits)
    return Opened(unpack_map(frames[0], max_bytes=limits.max_body_bytes), tuple(frames[1:]))


def read_client(opened: Opened) -> wire.ClientMessage:
    """The message that a client sent.

    Raises: ProtocolError, TooLarge, VersionMismatch for a hello of another version.
    """
    _check_version(opened.body)
    message = _checked(_CLIENT, opened.body)
    expected = len(message.images) if isinstance(message, wire.Say) else 0
    if len(opened.blobs) != expected:
        raise ProtocolError(
            f"{message.type}: {len(opened.blobs)} extra frames came, {expected} were announced",
            hint="only a say has extra frames, one for each entry of images",
        )
    return message


def read_server(opened: Opened) -> wire.ServerMessage:
    """The message that a server sent.

    Raises: ProtocolError, TooLarge.
    """
    if opened.blobs:
        raise ProtocolError(
            f"{len(opened.blobs)} extra frames came from the server", hint="server messages have one frame"
        )
    return _checked(_SERVER, opened.body)


def decode_client(frames: Sequence[bytes], limits: wire.Limits = DEFAULT_LIMITS) -> wire.ClientMessage:
    """open_frames and read_client in one."""
    return read_client(open_frames(frames, limits))


def decode_server(frames: Sequence[bytes], limits: wire.Limits = DEFAULT_LIMITS) -> wire.ServerMessage:
    """open_frames and read_server in one."""
    return read_server(open_frames(frames, limits))


def address_of(body: dict[str, Any]) -> Address:
    """The ref, and for a say the request_id, of a body that failed its checks."""
    request_id = _sound(_REQUEST_ID, body.get("request_id")) if body.get("type") == "say" else None
    return Address(_sound(_REF, body.get("ref")), request_id)


def make(model: type[Model], **fields: Any) -> Model:
    """Build a message from values of our own side.

    Raises: ProtocolError, TooLarge, in the same words as for a message that came in.
    """
    try:
        return model(**fields)
    except ValidationError as exc:
        raise _explain(exc, f"{model.__name__.lower()}.") from exc


def images_of(say: wire.Say, blobs: Sequence[bytes]) -> tuple[ImagePart, ...]:
    """Pair the announced media types with the extra frames."""
    return tuple(ImagePart(media_type, data) for media_type, data in zip(say.images, blobs, strict=True))


def to_message(event: events.Event, request_id: str) -> wire.EventMessage:
    """An event as its message, under the request_id that the client knows.

    Raises: ProtocolError, TooLarge for an event that the wire cannot carry.
    """
    match event:
        case events.TextDelta():
            return make(wire.Text, request_id=request_id, text=event.text)
        case events.Sentence():
            return make(wire.Sentence, request_id=request_id, index=event.index, text=event.text)
        case events.Emote():
            return make(wire.Emote, request_id=request_id, text=event.text, kind=event.kind)
        case events.Structured():
            return make(wire.Structured, request_id=request_id, value=event.value)
        case events.Notice():
            told = _cut(event.message, wire.MAX_ERROR_CHARS)
            return make(wire.Notice, request_id=request_id, code=event.code, subject=event.subject, message=told)
        case events.ToolCall(call=call):
            return make(
                wire.ToolCall,
                request_id=request_id,
                call_id=call.call_id,
                name=call.name,
                arguments=dict(call.arguments),
                needs_confirmation=event.needs_confirmation or None,
            )
        case events.ToolSettled(result=result):
            return make(wire.ToolSettled, request_id=request_id, **asdict(result))
        case events.ReplyFinished():
            return make(
                wire.Finished,
                request_id=request_id,
                text=event.text,
                finish_reason=event.finish_reason,
                usage=make(wire.UsageFields, **asdict(event.usage)),
                timings=make(wire.TimingFields, **asdict(event.timings)),
            )
        case events.ReplyFailed():
            return make(
                wire.Failed,
                request_id=request_id,
                text=event.text,
                bark=event.bark or None,
                **_error_fields(event.error),
            )


def to_event(message: wire.EventMessage) -> events.Event:
    """The event that a message stands for."""
    match message:
        case wire.Text():
            return events.TextDelta(message.request_id, message.text)
        case wire.Sentence():
            return events.Sentence(message.request_id, message.index, message.text)
        case wire.Emote():
            return events.Emote(message.request_id, message.text, message.kind)
        case wire.Structured():
            return events.Structured(message.request_id, message.value)
        case wire.Notice():
            return events.Notice(message.request_id, message.code, message.subject, message.message)
        case wire.ToolCall():
            call = FunctionCall(message.call_id, message.name, message.arguments)
            return events.ToolCall(message.request_id, call, needs_confirmation=bool(message.needs_confirmation))
        case wire.ToolSettled():
            result = ToolResult(message.call_id, message.name, message.status, message.content)
            return events.ToolSettled(message.request_id, result)
        case wire.Finished():
            usage, timings = events.Usage(**dict(message.usage)), events.Timings(**dict(message.timings))
            return events.ReplyFinished(message.request_id, message.text, message.finish_reason, usage, timings)
        case wire.Failed():
            return events.ReplyFailed(message.request_id, to_error(message), message.text, message.bark or "")


def to_error(message: wire.Error | wire.Failed) -> NpcError:
    """The error of the tree that has this code; a code that this version does not know becomes a BridgeError."""
    if message.code == ContentError.code:
        return ContentError(message.message, path="server", hint=message.hint)
    kind = _ERRORS_BY_CODE.get(message.code)
    if kind is None:
        return BridgeError(f"{message.message} [{message.code}]", hint=message.hint)
    return kind(message.message, hint=message.hint)


def mistake_of(error: NpcError) -> wire.Mistake:
    """A mistake of an authored file, with its place where it has one."""
    hint = _cut(error.hint, wire.MAX_ERROR_CHARS)
    if not isinstance(error, ContentError):
        return make(wire.Mistake, path="", message=_cut(error.message, wire.MAX_ERROR_CHARS), hint=hint)
    told = f"{error.field}: {error.message}" if error.field else error.message
    path, message = str(error.path), _cut(told, wire.MAX_ERROR_CHARS)
    return make(wire.Mistake, path=path, line=error.line, column=error.column, message=message, hint=hint)


def error_message(error: NpcError, ref: int | None) -> wire.Error:
    """An error as the answer to a message that ends no reply."""
    return make(wire.Error, ref=ref, **_error_fields(error))


def _error_fields(error: NpcError) -> dict[str, Any]:
    """A ContentError's place is put in front of its message, as the wire has no field for it."""
    text = str(error).removesuffix(f" ({error.hint})") if isinstance(error, ContentError) else error.message
    return {
        "code": error.code,
        "message": _cut(text, wire.MAX_ERROR_CHARS),
        "hint": _cut(error.hint, wire.MAX_ERROR_CHARS),
        "retryable": error.retryable,
    }


def _cut(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else f"{text[: max_chars - 1]}…"


def _check_blobs(blobs: Sequence[bytes], limits: wire.Limits) -> None:
    if len(blobs) > limits.max_images:
        raise TooLarge(f"{len(blobs)} extra frames came; {limits.max_images} are allowed", hint="send fewer pictures")
    for index, blob in enumerate(blobs):
        if not blob:
            raise ProtocolError(f"images[{index}]: the frame is empty")
        if len(blob) > limits.max_image_bytes:
            raise TooLarge(
                f"images[{index}]: {len(blob)} bytes; {limits.max_image_bytes} are allowed", hint="shrink the picture"
            )


def _check_version(body: dict[str, Any]) -> None:
    """Look at a hello's version before its fields, since a later version may have other fields."""
    version = body.get("protocol")
    if body.get("type") == "hello" and isinstance(version, int) and version != wire.PROTOCOL:
        raise VersionMismatch(f"protocol: {version!r} is not spoken here", hint=f"this server speaks {wire.PROTOCOL}")


def _checked(adapter: TypeAdapter[Checked], value: object) -> Checked:
    try:
        return adapter.validate_python(value)
    except ValidationError as exc:
        raise _explain(exc) from exc


def _sound(adapter: TypeAdapter[Checked], value: object) -> Checked | None:
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError:
        return None


def _explain(exc: ValidationError, prefix: str = "") -> BridgeError:
    """The first fault, as place, reason and value."""
    fault = exc.errors(include_url=False, include_context=False)[0]
    place = prefix + ".".join(str(part) for part in fault["loc"])
    kind = TooLarge if fault["type"] in _SIZE_FAULTS else ProtocolError
    others = exc.error_count() - 1
    hint = f"and {others} more faults" if others else ""
    told = _cut(fault["msg"], _MAX_FAULT_CHARS)  # which may hold what came
    return kind(f"{_cut(place, _MAX_PLACE_CHARS) or 'type'}: {told}, got {clip(fault['input'])}", hint=hint)


def _tree(root: type[NpcError]) -> list[type[NpcError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in _tree(child))]


_ERRORS_BY_CODE = {kind.code: kind for kind in _tree(NpcError) if kind.__module__ == errors.__name__}
