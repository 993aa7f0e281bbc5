"""Messages ⇄ frames, as docs/protocol.md has them: a JSON header, then one raw buffer an array. No sockets.

    header   {"protocol": 1, "type": "put_pixels", "id": "7", "fields": {…}, "buffers": [{…}, …]}
    buffer   a C-ordered little-endian array, plain or compressed with zlib

What comes from outside is checked before anything is allocated for it; whatever it is, it gives a message or raises
BadRequest or one of its children.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Mapping, Sequence, Union, get_args

import numpy as np

from terrafine.shared import codec
from terrafine.shared.errors import BadRequest, TerrafineError, TooLarge, UnsupportedVersion
from terrafine.shared.messages import PROTOCOL_VERSION, Failed, Message, Reply, Request
from terrafine.shared.raster import DTYPES

Frame = Union[bytes, memoryview]

MAX_FRAMES = 9  # the header and eight buffers
MAX_HEADER_BYTES = 8 * 2**20
MAX_MESSAGE_BYTES = 64 * 2**20  # of all arrays of one message, unpacked; no frame on the wire is larger either
MAX_ID = 64
BUFFER_DTYPES = ("bool", *DTYPES)
LIMITS = {
    "frames": MAX_FRAMES,
    "header_bytes": MAX_HEADER_BYTES,
    "message_bytes": MAX_MESSAGE_BYTES,
    "items": codec.MAX_ITEMS,
    "string": codec.MAX_STRING,
}
_ZLIB_LEVEL = 1
_WORTH_COMPRESSING_BYTES = 256


@dataclass(frozen=True)
class Buffer:
    """What the header says about a buffer. `compression` is "none" or "zlib"."""

    dtype: str
    shape: tuple[int, ...]
    compression: str


@dataclass(frozen=True)
class _Header:
    type: str
    id: str
    fields: dict[str, Any]
    buffers: tuple[Buffer, ...]


def pack(message: Message, request_id: str) -> list[bytes]:
    """The frames of a message; `request_id` is a request's own, or that of the request that a reply answers.

    Raises BadRequest, or its child TooLarge, for what the other side would refuse.
    """
    arrays: list[np.ndarray] = []
    body = codec.encode(message, arrays)
    _check_bytes(sum(array.nbytes for array in arrays), MAX_MESSAGE_BYTES, "arrays")
    if len(arrays) >= MAX_FRAMES:
        raise TooLarge(f"A message has at most {MAX_FRAMES - 1} arrays, not {len(arrays)}.")
    packed = [_pack_buffer(array) for array in arrays]
    header = {
        "protocol": PROTOCOL_VERSION,
        "type": type_name(type(message)),
        "id": _id(request_id),
        "fields": body,
        "buffers": [codec.encode(buffer, []) for buffer, _ in packed],
    }
    text = json.dumps(header, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # "replace": a file's name may hold bytes that are no text, and a message about it must still get through.
    first = text.encode("utf-8", "replace")
    _check_bytes(len(first), MAX_HEADER_BYTES, "header")
    return [first, *(frame for _, frame in packed)]


def unpack(frames: Sequence[Frame]) -> tuple[str, Message]:
    """(request id, message) of the frames; raises BadRequest, TooLarge or UnsupportedVersion.

    The message's arrays are read-only.
    """
    header = _read_header(frames)
    arrays = _unpack_buffers(header.buffers, frames[1:])
    try:
        return header.id, codec.decode(_TYPES[header.type], header.fields, arrays)
    except BadRequest:
        raise
    except TerrafineError as error:  # a raster or model that makes no sense
        raise BadRequest(error.message, error.hint) from error


def request_id_of(frames: Sequence[Frame]) -> str:
    """The request id in the header, for a reply to frames that cannot be unpacked; "" if it cannot be found."""
    try:
        return _id(_parse(frames).get("id"))
    except BadRequest:
        return ""


def type_name(kind: type) -> str:
    """The message's type on the wire: its class's name in snake case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


_TYPES = {type_name(kind): kind for kind in (*get_args(Request), *get_args(Reply))}


def _parse(frames: Sequence[Frame]) -> Mapping[str, Any]:
    if not 1 <= len(frames) <= MAX_FRAMES:
        raise TooLarge(f"A message has 1 to {MAX_FRAMES} frames, not {len(frames)}.")
    _check_bytes(len(frames[0]), MAX_HEADER_BYTES, "header")
    try:
        text = bytes(frames[0]).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("The header is not UTF-8.") from error
    header = codec.parse(text)
    if not isinstance(header, dict):
        raise BadRequest("The header is not a JSON object.")
    return header


def _check_bytes(count: int, allowed: int, what: str) -> None:
    if count > allowed:
        raise TooLarge(f"A message's {what} would take {count} bytes; {allowed} are allowed.")


def _read_header(frames: Sequence[Frame]) -> _Header:
    header = _parse(frames)
    _check_version(header)
    kind = header.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise BadRequest(f"There is no message of type {str(kind)[:40]!r}.")
    if not isinstance(header.get("fields"), dict):
        raise BadRequest("'fields' should be an object.")
    buffers = codec.decode(tuple[Buffer, ...], header.get("buffers", []), path="buffers")
    return _Header(kind, _id(header.get("id")), header["fields"], buffers)


def _check_version(header: Mapping[str, Any]) -> None:
    """Failed is the same in all versions, so that the side that is refused learns why."""
    version = header.get("protocol")
    if type(version) is not int:
        raise BadRequest("The header does not say which protocol it follows.")
    if version != PROTOCOL_VERSION and header.get("type") != type_name(Failed):
        raise UnsupportedVersion(
            f"The other side speaks protocol {str(version)[:20]}, this one {PROTOCOL_VERSION}.",
            "Install the same version of Terrafine on both sides.",
        )


def _id(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(rf"[!-~]{{1,{MAX_ID}}}", value):
        raise BadRequest(f"'id' should be 1 to {MAX_ID} printable ASCII characters.")
    return value


def _pack_buffer(array: np.ndarray) -> tuple[Buffer, bytes]:
    raw = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    is_true = array.dtype == np.bool_ and bool(array.all())
    squeezed = _squeezed_true(len(raw)) if is_true else _squeezed(raw)
    compression, frame = ("zlib", squeezed) if len(squeezed) < len(raw) else ("none", raw)
    buffer = Buffer(array.dtype.name, array.shape, compression)
    _size(buffer)  # raises for what no buffer can hold
    return buffer, frame


@lru_cache(maxsize=64)
def _squeezed_true(size: int) -> bytes:
    """The mask of most patches: a map's patches are of a few sizes, and it takes a third of their compression."""
    return _squeezed(b"\1" * size)


def _squeezed(raw: bytes) -> bytes:
    return zlib.compress(raw, _ZLIB_LEVEL) if len(raw) >= _WORTH_COMPRESSING_BYTES else raw


def _unpack_buffers(buffers: Sequence[Buffer], frames: Sequence[Frame]) -> list[np.ndarray]:
    if len(buffers) != len(frames):
        raise BadRequest(f"The header describes {len(buffers)} buffers, there are {len(frames)}.")
    sizes = [_size(buffer) for buffer in buffers]
    _check_bytes(max(sum(sizes), sum(map(len, frames))), MAX_MESSAGE_BYTES, "arrays")
    return [_unpack_buffer(*triple) for triple in zip(buffers, sizes, frames)]


def _size(buffer: Buffer) -> int:
    """Bytes of the array, by its description; in Python's integers, which cannot overflow."""
    if buffer.dtype not in BUFFER_DTYPES:
        raise BadRequest(f"An array's dtype is one of {', '.join(BUFFER_DTYPES)}, not {buffer.dtype[:40]!r}.")
    if len(buffer.shape) > 3 or not all(0 <= side <= MAX_MESSAGE_BYTES for side in buffer.shape):
        raise BadRequest("An array has at most three dimensions, none of them negative or endless.")
    return math.prod(buffer.shape) * np.dtype(buffer.dtype).itemsize


def _unpack_buffer(buffer: Buffer, size: int, frame: Frame) -> np.ndarray:
    raw = _UNPACKERS.get(buffer.compression, _unknown_compression)(frame, size)
    if len(raw) != size:
        raise BadRequest(f"A buffer should hold {size} bytes.")
    dtype = np.dtype(buffer.dtype)
    if dtype == np.bool_ and (np.frombuffer(raw, np.uint8) > 1).any():
        raise BadRequest("A boolean is 0 or 1.")
    array = np.frombuffer(raw, dtype.newbyteorder("<")).reshape(buffer.shape)
    array.flags.writeable = False
    return array


def _inflate(frame: Frame, size: int) -> bytes:
    """Decompress, but never to more than one byte above what was announced."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(frame, size + 1)
    except zlib.error as error:
        raise BadRequest("A buffer cannot be decompressed.") from error
    if not inflater.eof or inflater.unused_data:
        raise BadRequest("A compressed buffer is cut off, or longer than it should be.")
    return raw


def _unknown_compression(_frame: Frame, _size: int) -> bytes:
    raise BadRequest("A buffer's compression is 'none' or 'zlib'.")


_UNPACKERS = {"none": lambda frame, _size: frame, "zlib": _inflate}
