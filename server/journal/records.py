"""What a session's journal consists of, one line for each change.

    1f9a0c77 {"type": "journal", "fields": {"version": 1, "client": "…", "opened": {"session": "…", …}}}
    8a2b11d0 {"type": "pixels", "fields": {"windows": […], "digests": […]}}
    03c4e9aa {"type": "change", "fields": {"delta": {…}}}
    77ad90f1 {"type": "weights", "fields": {"name": "…", "digest": "…", …}}
    5b01fe2d {"type": "network", "fields": {"revision": 8, "weights": "…", …}}

The first word of a line is the CRC-32 of the rest: a line that was cut off is told from one that was not. Values are
written as in messages (docs/protocol.md).
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Optional, Union

from terrafine.shared import codec, wire
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import BadRequest
from terrafine.shared.geo import Window
from terrafine.shared.messages import OpenSession
from terrafine.shared.spec import LandCover

VERSION = 1


@dataclass(frozen=True)
class Journal:
    """The first record: whose session it is, what it was opened for, and the digest of the model (registry.digest)."""

    version: int
    client: str
    opened: OpenSession
    model: str = ""


@dataclass(frozen=True)
class Pixels:
    """Blocks that the session has from now on, by the digests of what they hold."""

    windows: tuple[Window, ...]
    digests: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """The file of the session's pixels, as its client named it, and what tells it from a later one; "" for none."""

    path: str
    stamp: str


@dataclass(frozen=True)
class Change:
    """A change of the marks."""

    delta: Delta


@dataclass(frozen=True)
class Marks:
    """All marks that there are."""

    marks: tuple[Annotation, ...]
    revision: int


@dataclass(frozen=True)
class Weights:
    """Weights that were learnt: the SHA-256 of their file; the rest as in engine.weights.Weights."""

    name: str
    digest: str
    classes: tuple[LandCover, ...]
    encoder: str
    lessons: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    """The weights and the legend in use from `revision` on."""

    revision: int
    weights: str
    classes: tuple[LandCover, ...]
    becomes: tuple[int, ...]


@dataclass(frozen=True)
class Side:
    """The side information from `revision` on: the SHA-256 of its file, "" for none."""

    revision: int
    digest: str


Record = Union[Journal, Pixels, File, Change, Marks, Weights, Network, Side]
_TYPES = {wire.type_name(kind): kind for kind in (Journal, Pixels, File, Change, Marks, Weights, Network, Side)}


def line(record: Record) -> bytes:
    """A record as a line of the file. Raises TooLarge for more marks than a message may have."""
    value = {"type": wire.type_name(type(record)), "fields": codec.encode(record, [])}
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def parsed(text: bytes) -> Optional[Record]:
    """The record of a line; None if the line is not whole. Raises BadRequest for one that this version cannot read."""
    checksum, _, body = text.rstrip(b"\n").partition(b" ")
    if not text.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(body):
        return None
    value = codec.parse(body.decode("ascii", "replace"))
    if not isinstance(value, dict) or value.get("type") not in _TYPES:
        raise BadRequest("A journal holds a record that this version does not know.")
    record: Record = codec.decode(_TYPES[value["type"]], value.get("fields"))
    if isinstance(record, Journal) and record.version != VERSION:
        raise BadRequest(f"A journal is of version {record.version}; this is {VERSION}.")
    return record
