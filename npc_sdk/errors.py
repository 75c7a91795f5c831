"""The one error tree.

NpcError
├── SettingsError          settings          a setting is unknown or out of range
├── ContentError           content           a persona, lore or world file is wrong; names file, line and field
├── RequestError           bad_request       the caller asked for something that cannot be
│   ├── UnknownNpc         unknown_npc
│   ├── UnknownSession     unknown_session
│   ├── UnknownRequest     unknown_request
│   ├── DuplicateRequest   duplicate_request
│   ├── PromptTooLong      prompt_too_long   the parts that must fit do not fit the model's window
│   └── Unsupported        unsupported       asked of a model or server that cannot do it
├── ReplyTimeout           timeout           (retryable)
├── EngineError            engine            the model could not be run
│   ├── ModelFormatError   model_format      the checkpoint is not one that we can load
│   ├── Overloaded         overloaded        (retryable)
│   └── EngineCrashed      engine_crashed    (retryable)
└── BridgeError            bridge            the connection between game and server
    ├── ProtocolError      protocol          a frame that the protocol does not allow
    ├── AuthenticationFailed  auth            the server did not take the token or key
    ├── VersionMismatch    version
    ├── TooLarge           too_large
    └── ConnectionLost     connection_lost   (retryable)

Foreign exceptions are mapped once, where they enter: ``raise Mapped(...) from exc``.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class NpcError(Exception):
    """Anything a user can put right. code is stable and goes over the wire."""

    code: ClassVar[str] = "npc"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class SettingsError(NpcError):
    code = "settings"


class ContentError(NpcError):
    """A mistake in an authored file. field is the dotted path inside it; line and column count from 1, 0 if unknown."""

    code = "content"

    def __init__(
        self, message: str, *, path: Path | str, line: int = 0, column: int = 0, field: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.path = Path(path)
        self.line = line
        self.column = column
        self.field = field

    def __str__(self) -> str:
        numbers = (self.line, self.column) if self.column else (self.line,)
        place = ":".join(map(str, (self.path, *numbers))) if self.line else str(self.path)
        where = f"{place}: {self.field}" if self.field else place
        return f"{where}: {super().__str__()}"


class RequestError(NpcError):
    code = "bad_request"


class UnknownNpc(RequestError):
    code = "unknown_npc"


class UnknownSession(RequestError):
    code = "unknown_session"


class UnknownRequest(RequestError):
    code = "unknown_request"


class DuplicateRequest(RequestError):
    code = "duplicate_request"


class PromptTooLong(RequestError):
    code = "prompt_too_long"


class Unsupported(RequestError):
    code = "unsupported"


class ReplyTimeout(NpcError):
    code = "timeout"
    retryable = True


class DeadlineMissed(NpcError):
    """The words would have come too late to be worth saying; nothing was said."""

    code = "deadline_missed"


class EngineError(NpcError):
    code = "engine"


class ModelFormatError(EngineError):
    code = "model_format"


class Overloaded(EngineError):
    code = "overloaded"
    retryable = True


class EngineCrashed(EngineError):
    code = "engine_crashed"
    retryable = True


class BridgeError(NpcError):
    code = "bridge"


class ProtocolError(BridgeError):
    code = "protocol"


class AuthenticationFailed(BridgeError):
    code = "auth"


class VersionMismatch(BridgeError):
    code = "version"


class TooLarge(BridgeError):
    code = "too_large"


class ConnectionLost(BridgeError):
    code = "connection_lost"
    retryable = True
