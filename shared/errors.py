"""Every error that Terrafine raises on purpose.

    TerrafineError                  internal
    ├── BadRequest                  bad_request           a message that cannot be understood
    │   ├── UnsupportedVersion      unsupported_version   the other side speaks another protocol version
    │   ├── TooLarge                too_large             a frame, count or size over the agreed limit
    │   └── RevisionMismatch        revision_mismatch     a delta that does not start where the server's log ends
    ├── NotFound                    not_found             no such session, raster or model
    ├── UnusableRaster              unusable_raster       a raster that cannot be opened, read or classified
    ├── UnusableModel               unusable_model        a model folder that is broken, or does not fit the raster
    ├── ConfigError                 config                a configuration file, option or argument that makes no sense
    ├── Cancelled                   cancelled             the caller asked to stop
    ├── Superseded                  superseded            a newer revision overtook this work
    ├── ServerBusy                  busy                  the server refuses more work for now
    ├── EngineRestarted             engine_restarted      what computes broke down and was started again: ask once more
    ├── OutOfMemory                 out_of_memory         the server could not hold what was asked for
    └── ConnectionFailed            connection_failed     the other side cannot be reached or has gone silent
        └── NotAllowed              not_allowed           the server does not accept this client's key (any more)

Each class carries the code it has on the wire; `error_from_code` gives the class back, so that a client raises what
the server meant. `message` says what happened, `hint` what to do about it.
"""

from __future__ import annotations


class TerrafineError(Exception):
    """Base of all errors that are meant for a person; `message` says what happened, `hint` what to do.

    `is_remote` tells an error that the other side has sent, in English, from one that was raised here.
    """

    code = "internal"
    is_remote = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadRequest(TerrafineError):
    code = "bad_request"


class UnsupportedVersion(BadRequest):
    code = "unsupported_version"


class TooLarge(BadRequest):
    code = "too_large"


class RevisionMismatch(BadRequest):
    code = "revision_mismatch"


class NotFound(TerrafineError):
    code = "not_found"


class UnusableRaster(TerrafineError):
    code = "unusable_raster"


class UnusableModel(TerrafineError):
    code = "unusable_model"


class ConfigError(TerrafineError):
    code = "config"


class Cancelled(TerrafineError):
    code = "cancelled"


class Superseded(TerrafineError):
    code = "superseded"


class ServerBusy(TerrafineError):
    code = "busy"


class EngineRestarted(TerrafineError):
    code = "engine_restarted"


class OutOfMemory(TerrafineError):
    code = "out_of_memory"


class ConnectionFailed(TerrafineError):
    code = "connection_failed"


class NotAllowed(ConnectionFailed):
    code = "not_allowed"


def _tree(root: type[TerrafineError]) -> dict[str, type[TerrafineError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_tree(child))
    return found


BY_CODE = _tree(TerrafineError)


def error_from_code(code: str, message: str, hint: str = "") -> TerrafineError:
    """Return the error that `code` names; a code this version does not know gives a plain TerrafineError."""
    error = BY_CODE.get(code, TerrafineError)(message, hint)
    error.is_remote = True
    return error
