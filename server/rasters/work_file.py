"""What a run has finished of a map, so that the next one goes on from there: MAP.tif.part, beside the map to be.

    {"terrafine": 1, "run": {…}}                                  a line of JSON: which raster, which model, …
    crc-32, length; col, row, width, height, bands; zlib          a record for each finished patch, uint8

It only grows, by whole records. Whatever a run dies of, what was written down before counts, and a record that is torn
or of another run (the checksum begins with the first line's) is cut off, with all that follows it.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from terrafine.server.journal.lock import lock_file
from terrafine.shared.errors import ConfigError, OutOfMemory
from terrafine.shared.geo import Window

log = logging.getLogger(__name__)
SUFFIX = ".part"
VERSION = 1
_HEAD = struct.Struct("<II")  # checksum of what follows the head, and its length
_PLACE = struct.Struct("<IIIII")
_LEVEL = 1  # of zlib: maps are made of large areas, the least effort makes them small
_MOST_BYTES = 1 << 26  # of a record: a patch is no larger than 1024² pixels in a few bands

Piece = tuple[Window, NDArray[np.uint8]]


class WorkFile:
    """`with WorkFile(map, run) as work:` for one process at a time; it is removed where all went well, else kept.

    finished  the windows of what there is
    """

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        """`run` says, in JSON's types, all that the map depends on: what another run left is of no use.

        Raises ConfigError where another process is at work on the map, OSError where nothing can be written.
        """
        self.path = path.with_name(path.name + SUFFIX)
        self.finished: set[Window] = set()
        self._first = json.dumps({"terrafine": VERSION, "run": run}, sort_keys=True).encode() + b"\n"
        self._file = self._opened()
        try:
            self._adopt()
        except BaseException:
            self._file.close()
            raise

    def pieces(self) -> Iterator[Piece]:
        """What is finished, in the order in which it was: windows, and uint8 (bands, rows, columns). Nothing may be
        added meanwhile.
        """
        self._file.seek(len(self._first))
        while (body := self._next()) is not None:
            yield _unpacked(body)

    def add(self, window: Window, values: NDArray[np.uint8]) -> None:
        """Write down one more patch (bands, rows, columns). Raises OutOfMemory where there is no room."""
        place = _PLACE.pack(window.col, window.row, window.width, window.height, len(values))
        body = place + zlib.compress(np.ascontiguousarray(values).data, _LEVEL)
        record = _HEAD.pack(self._checksum(body), len(body)) + body
        try:
            written = self._file.write(record)
        except OSError as error:
            raise self._no_room() from error
        if written != len(record):
            raise self._no_room()
        self.finished.add(window)

    def __enter__(self) -> WorkFile:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], _error: Optional[BaseException], _trace: Optional[TracebackType]
    ) -> None:
        self._file.close()
        if kind is None or not self.finished:
            self.path.unlink(missing_ok=True)
        else:
            log.warning("what is finished is kept in '%s': the same command goes on from there", self.path)

    def _opened(self) -> FileIO:
        """Unbuffered, and locked: what was written is with the operating system, and nobody else writes."""
        file = open(self.path, "a+b", buffering=0)  # noqa: SIM115  closed by __exit__
        try:
            file.seek(0)  # it is this place that Windows locks
            lock_file(file.fileno())
        except OSError as error:
            file.close()
            raise ConfigError(f"Another run is at work on this map: it holds '{self.path}'.") from error
        return file

    def _adopt(self) -> None:
        """Take on what an earlier run left of the same map; of another, nothing."""
        whole = len(self._first) if self._file.read(len(self._first)) == self._first else 0
        while whole and (body := self._next()) is not None:
            self.finished.add(_place(body)[0])
            whole = self._file.tell()
        if whole < self._file.seek(0, os.SEEK_END):
            log.warning("only %d bytes of '%s' are of this map", whole, self.path)
        self._file.truncate(whole)
        if not whole:
            self._file.write(self._first)

    def _next(self) -> Optional[bytes]:
        """The next record; None at the end, or where it is torn."""
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        checksum, length = _HEAD.unpack(head)
        body = self._file.read(min(length, _MOST_BYTES))
        return body if len(body) >= _PLACE.size and self._checksum(body) == checksum else None

    def _checksum(self, body: bytes) -> int:
        return zlib.crc32(body, zlib.crc32(self._first))

    def _no_room(self) -> OutOfMemory:
        return OutOfMemory(f"There is no room left for '{self.path}'.", "Free some disk space, and run it again.")


def stamp(path: Path) -> str:
    """Tells a file from what it was, or will be, under the same name."""
    status = path.stat()
    return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"


def _place(body: bytes) -> tuple[Window, int]:
    """Where a patch lies, and how many bands it has."""
    col, row, width, height, bands = _PLACE.unpack_from(body)
    return Window(col, row, width, height), bands


def _unpacked(body: bytes) -> Piece:
    window, bands = _place(body)
    values = np.frombuffer(zlib.decompress(body[_PLACE.size :]), np.uint8)
    return window, values.reshape(bands, *window.shape)
