"""The messages of the protocol, one frozen dataclass each. docs/protocol.md says what they mean; wire.py packs them.

A message's `type` on the wire is its class's name in snake case. Fields are JSON values, except `Patch`es, whose arrays
travel as raw buffers behind the header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Optional, Union

from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import ModelSpec

PROTOCOL_VERSION = 1
UPLOAD_BLOCK_PX = 512  # pixels travel in blocks of this grid, anchored at the raster's origin


# ---- requests ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    """First message of a connection. → Welcome"""

    client: str  # "terrafine-qgis 0.1.0"


@dataclass(frozen=True)
class Ping:
    """Answered by the socket thread at once, whatever the engine does. → Pong"""


@dataclass(frozen=True)
class ListModels:
    """→ Models"""


@dataclass(frozen=True)
class OpenSession:
    """Begin work on one raster with one model. → SessionOpened

    `session` is chosen by the client (a UUID) and kept in its project; opening one that the server still holds resumes
    it.
    """

    session: str
    model: str
    raster: RasterInfo


@dataclass(frozen=True)
class OfferPixels:
    """Blocks of pixels by what they hold: those whose content the server has need not travel. → MissingPixels

    `windows` are blocks of the upload grid, `digests` their contents' (patch.digest), in the same order. Raises
    ValueError where these do not fit together.
    """

    session: str
    windows: tuple[Window, ...]
    digests: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.windows) != len(self.digests):
            raise ValueError(f"{len(self.windows)} windows do not fit {len(self.digests)} digests")
        if not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in self.digests):
            raise ValueError("a digest is 64 lower-case hexadecimal digits")


@dataclass(frozen=True)
class PutPixels:
    """Hand over one block of pixels. → PixelsStored

    `patch.array` holds RasterInfo.file_bands in the raster's dtype; `patch.window` is one block of the upload grid.
    """

    session: str
    patch: Patch


@dataclass(frozen=True)
class ChangeAnnotations:
    """Append, remove, undo or redo marks: the delta says all. → AnnotationsChanged, or RevisionMismatch"""

    session: str
    delta: Delta


@dataclass(frozen=True)
class SetAnnotations:
    """Replace the server's marks with the client's, after a reconnect say. → AnnotationsChanged"""

    session: str
    annotations: tuple[Annotation, ...]
    revision: int


@dataclass(frozen=True)
class Predict:
    """Classify a window at the session's current marks. → MissingPixels | Progress and PatchReady …, Done

    With `changed_since` only those parts of `window` are sent that differ from the map of that revision.
    A newer ChangeAnnotations or Predict of the same session supersedes this one (error "superseded").
    """

    session: str
    window: Window
    changed_since: Optional[int] = None
    uncertainty: bool = False


@dataclass(frozen=True)
class Cancel:
    """Stop the request with this id; it ends with the error "cancelled". → Cancelling, answered by the socket thread"""

    request: str


@dataclass(frozen=True)
class CloseSession:
    """Forget a session, and the pixels that no other session has. → SessionClosed"""

    session: str


# ---- replies -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Welcome:
    server: str  # "terrafine-server 0.1.0"
    device: str  # as torch calls it: "cpu", "cuda", "cuda:1"
    limits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Pong:
    busy: bool  # is the engine at work?


@dataclass(frozen=True)
class Models:
    models: tuple[ModelSpec, ...]


@dataclass(frozen=True)
class SessionOpened:
    """`revision` is that of the marks the server still holds (0 for a new session); `warnings` are for the analyst."""

    session: str
    revision: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PixelsStored:
    window: Window


@dataclass(frozen=True)
class AnnotationsChanged:
    """`changed`: the window that the new marks can change, clipped to the raster; empty if none."""

    revision: int
    changed: Window


@dataclass(frozen=True)
class MissingPixels:
    """The blocks that the server lacks: for a Predict, at most limits.windows of them, to be offered and sent before it
    is asked again; of an OfferPixels, those whose content must be sent.
    """

    windows: tuple[Window, ...]


@dataclass(frozen=True)
class Progress:
    """`done` of `total`; `stage` says of what: "classify" are the patches of the map. A Client makes its own, "upload",
    for the blocks that it sends, or that the server has already.
    """

    done: int
    total: int
    stage: str = "classify"


@dataclass(frozen=True)
class PatchReady:
    """A finished rectangle: array uint8 (1, rows, columns) of class ids, 255 for no data; with uncertainty (2, …), the
    second band 0 … 254 for 0 … 1. `patch.revision` is that of the marks it was computed from.
    """

    patch: Patch


@dataclass(frozen=True)
class Done:
    """`seconds`: how long each stage took ("read", "encode", "features", "decode", "blend", "total").
    Other replies do not say: patches are parts of one piece of work and share its stages.
    """

    revision: int
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Cancelling:
    request: str


@dataclass(frozen=True)
class SessionClosed:
    session: str


@dataclass(frozen=True)
class Failed:
    """`code` is one of errors.BY_CODE."""

    code: str
    message: str
    hint: str = ""


Request = Union[
    Hello, Ping, ListModels, OpenSession, OfferPixels, PutPixels, ChangeAnnotations, SetAnnotations, Predict, Cancel,
    CloseSession,
]
Reply = Union[
    Welcome, Pong, Models, SessionOpened, PixelsStored, AnnotationsChanged, MissingPixels, Progress, PatchReady, Done,
    Cancelling, SessionClosed, Failed,
]
Message = Union[Request, Reply]
STREAMED = (Progress, PatchReady)  # replies that others follow; any other reply ends its request
