"""The messages of the protocol: requests.py and replies.py under one roof. docs/protocol.md says what they mean.

A message's `type` on the wire is its class's name in snake case (wire.py packs it). Fields are JSON values, except
`Patch`es, whose arrays travel as raw buffers behind the header.
"""

from __future__ import annotations

from typing import Union

from terrafine.shared.replies import (
    STREAMED,
    Advice,
    AnnotationsChanged,
    Cancelling,
    Done,
    Failed,
    FileOpened,
    Learnt,
    MapChanged,
    MissingPixels,
    Models,
    ModelSaved,
    ObjectFound,
    PatchesRanked,
    PatchReady,
    PixelsStored,
    Pong,
    Progress,
    Reply,
    Seconds,
    SessionClosed,
    SessionOpened,
    Welcome,
)
from terrafine.shared.requests import (
    Advise,
    Cancel,
    ChangeAnnotations,
    CloseSession,
    FindObject,
    Hello,
    Learn,
    ListModels,
    MeasureUncertainty,
    OfferPixels,
    OpenFile,
    OpenSession,
    Ping,
    Predict,
    PutPixels,
    RankPatches,
    Request,
    SaveModel,
    SetAnnotations,
    SetLegend,
    SetSideInformation,
    UseWeights,
)

__all__ = [
    "MOST_SAMPLES",
    "PROTOCOL_VERSION",
    "STREAMED",
    "UPLOAD_BLOCK_PX",
    "Advice",
    "Advise",
    "AnnotationsChanged",
    "Cancel",
    "Cancelling",
    "ChangeAnnotations",
    "CloseSession",
    "Done",
    "Failed",
    "FileOpened",
    "FindObject",
    "Hello",
    "Learn",
    "Learnt",
    "ListModels",
    "MapChanged",
    "MeasureUncertainty",
    "Message",
    "MissingPixels",
    "ModelSaved",
    "Models",
    "ObjectFound",
    "OfferPixels",
    "OpenFile",
    "OpenSession",
    "PatchReady",
    "PatchesRanked",
    "Ping",
    "PixelsStored",
    "Pong",
    "Predict",
    "Progress",
    "PutPixels",
    "RankPatches",
    "Reply",
    "Request",
    "SaveModel",
    "Seconds",
    "SessionClosed",
    "SessionOpened",
    "SetAnnotations",
    "SetLegend",
    "SetSideInformation",
    "UseWeights",
    "Welcome",
]

PROTOCOL_VERSION = 1
MOST_SAMPLES = 64  # of a file that OpenFile names
UPLOAD_BLOCK_PX = 512  # pixels travel in blocks of this grid, anchored at the raster's origin

Message = Union[Request, Reply]
