"""What the server answers, one frozen dataclass each. docs/protocol.md says what they mean.

`seconds` of every reply: how long each stage took since the request's last reply, and "total".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

import numpy as np

from terrafine.shared.geo import Window
from terrafine.shared.learning import RankedPatch
from terrafine.shared.objects import Points
from terrafine.shared.patch import Patch
from terrafine.shared.spec import ModelSpec

Seconds = dict[str, float]


@dataclass(frozen=True)
class Welcome:
    server: str  # "terrafine-server 0.1.0"
    device: str  # as torch calls it: "cpu", "cuda", "cuda:1"
    limits: dict[str, int] = field(default_factory=dict)
    roots: tuple[str, ...] = ()  # names of folders whose files OpenFile may name
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class Pong:
    busy: bool  # is the engine at work, or starting?
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class Models:
    models: tuple[ModelSpec, ...]
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class SessionOpened:
    """`revision` is the one that the server still holds (0 for a new session); `warnings` are for the analyst."""

    session: str
    revision: int
    warnings: tuple[str, ...] = ()
    weights: str = ""  # that the session uses; "" is the model as it came
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class FileOpened:
    """The session's pixels come from this file from now on."""

    path: str
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class PixelsStored:
    window: Window
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class AnnotationsChanged:
    """`changed`: the window that the new marks can change, clipped to the raster; empty if none."""

    revision: int
    changed: Window
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class MissingPixels:
    """The blocks that the server lacks: for a Predict, at most limits.windows of them, to be offered and sent before it
    is asked again; of an OfferPixels, those whose content must be sent.
    """

    windows: tuple[Window, ...]
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """`done` of `total`; `stage` says of what: "classify" are the patches of the map, "learn" the steps of learning. A
    Client makes its own, "upload", for the blocks that it sends, or that the server has already.
    """

    done: int
    total: int
    stage: str = "classify"
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class PatchReady:
    """A finished rectangle: array uint8 (1, rows, columns) of class ids, 255 for no data; with uncertainty (2, …), the
    second band 0 … 254 for 0 … 1. `patch.revision` is that of the marks it was computed from.
    """

    patch: Patch
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    revision: int
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class PatchesRanked:
    """The patches to look at, the first first."""

    revision: int
    patches: tuple[RankedPatch, ...]
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class Advice:
    """`action` is "mark" or "learn"; `reason` says why, for a person. From the pixels that the marks changed and how
    sure, 0 … 1, the map is around them.
    """

    action: str
    reason: str
    changed_px: int
    certainty: float
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectFound:
    """`mask` bool (*window.shape): the object, nothing of it lies outside the window. `outline`, of its part around the
    first click inside, is a ring without holes, in raster pixel coordinates; empty where nothing was found. `score`,
    0 … 1, is how sure the model is of the object's pixels.
    """

    window: Window
    mask: np.ndarray
    outline: Points
    score: float
    seconds: Seconds = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mask.dtype != np.bool_ or self.mask.shape != self.window.shape:
            raise ValueError(f"a mask {self.mask.shape} of {self.mask.dtype} does not fit {self.window}")


@dataclass(frozen=True)
class Learnt:
    """`weights` is the server's name for what was learnt, for UseWeights. `right_before` and `right_after` are the
    shares of the marked pixels that the network has right by itself, without their marks; `changed`, where the map may
    differ.
    """

    revision: int
    weights: str
    right_before: float
    right_after: float
    changed: Window
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class MapChanged:
    """`changed`: the window in which the map may differ from before."""

    revision: int
    changed: Window
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class ModelSaved:
    model: ModelSpec
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class Cancelling:
    request: str
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class SessionClosed:
    session: str
    seconds: Seconds = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """`code` is one of errors.BY_CODE."""

    code: str
    message: str
    hint: str = ""
    seconds: Seconds = field(default_factory=dict)


Reply = Union[
    Welcome,
    Pong,
    Models,
    SessionOpened,
    FileOpened,
    PixelsStored,
    AnnotationsChanged,
    MissingPixels,
    Progress,
    PatchReady,
    Done,
    PatchesRanked,
    Advice,
    ObjectFound,
    Learnt,
    MapChanged,
    ModelSaved,
    Cancelling,
    SessionClosed,
    Failed,
]
STREAMED = (Progress, PatchReady)  # replies that others follow; any other reply ends its request
