"""What blocks of pixels hold, each content kept once however many sessions of a client have it: in memory up to a
budget, then in temporary files.

Clients share the room, never a content: if an offered digest found what others sent, the answer would tell who works on
the same image.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Optional, Union

import numpy as np
from numpy.typing import DTypeLike, NDArray

from terrafine.shared.errors import OutOfMemory
from terrafine.shared.patch import Patch, digest

MEMORY_BYTES = 512 << 20  # of all sessions' blocks; further ones are kept on disk
OWNER_BYTES = 64 << 30  # of one owner's blocks, in memory and on disk: six rasters of 50 000² pixels in three bands
DISK_RESERVE_BYTES = 512 << 20  # never fill the last of somebody's disk
Name = tuple[str, str]  # whose it is, and its digest
Block = tuple[NDArray[np.generic], NDArray[np.bool_]]


class ContentStore:
    """Blocks by owner and digest. Whoever calls `keep`, or `use` with success, must `release` that name once."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self.memory_bytes = memory_bytes
        self._contents: dict[Name, _Content] = {}
        self._users: Counter[Name] = Counter()
        self._used = 0  # bytes of memory
        self._held: Counter[str] = Counter()  # bytes by owner
        self._files = count()
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None

    def __contains__(self, name: object) -> bool:
        return name in self._contents

    def keep(self, patch: Patch, owner: str = "") -> Name:
        """Hold a block for one more user; returns its name. Raises OutOfMemory where there is no room."""
        name = (owner, digest(patch))
        if name not in self._contents:
            self._check_share(owner, patch.array.nbytes + patch.valid.nbytes)
            self._contents[name] = self._store(np.array(patch.array), np.array(patch.valid))
            self._held[owner] += self._contents[name].nbytes
        self._users[name] += 1
        return name

    def use(self, name: Name, shape: tuple[int, ...], dtype: DTypeLike) -> bool:
        """Hold the content `name` for one more user; False if it is not here, or not of this shape and dtype."""
        content = self._contents.get(name)
        if content is None or (content.shape, content.dtype) != (shape, np.dtype(dtype)):
            return False
        self._users[name] += 1
        return True

    def release(self, name: Name) -> None:
        """One user less; what nobody uses is freed."""
        self._users[name] -= 1
        if self._users[name] <= 0:
            del self._users[name]
            self._forget(name)

    def block(self, name: Name) -> Block:
        """The values and the mask. What cannot be read from its file (any more) is forgotten, so that it is missing."""
        place = self._contents[name].place
        if isinstance(place, tuple):
            return place
        try:
            with place.open("rb") as file:
                return np.load(file, allow_pickle=False), np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            self._forget(name)
            raise

    def close(self) -> None:
        """Forget everything and remove the files."""
        self._contents.clear()
        self._users.clear()
        self._held.clear()
        self._used = 0
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _store(self, array: NDArray[np.generic], valid: NDArray[np.bool_]) -> _Content:
        size = array.nbytes + valid.nbytes
        if self._used + size > self.memory_bytes:
            return _Content(self._write(array, valid), array.shape, array.dtype, size)
        self._used += size
        return _Content((array, valid), array.shape, array.dtype, size)

    def _check_share(self, owner: str, size: int) -> None:
        if self._held[owner] + size > OWNER_BYTES:
            raise OutOfMemory(
                f"Your rasters take {self._held[owner] >> 30} GB on the server already.", "Close one of them."
            )

    def _write(self, array: NDArray[np.generic], valid: NDArray[np.bool_]) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="terrafine-pixels-")
        folder = Path(self._folder.name)
        if shutil.disk_usage(folder).free < array.nbytes + valid.nbytes + DISK_RESERVE_BYTES:
            raise OutOfMemory(
                f"There is no room left on the server for the raster's pixels (in {folder.parent}).",
                "Free some disk space, or classify a smaller area.",
            )
        path = folder / f"{next(self._files)}.npy"
        with path.open("wb") as file:
            np.save(file, array)
            np.save(file, valid)
        return path

    def _forget(self, name: Name) -> None:
        content = self._contents.pop(name, None)
        if content is None:
            return
        self._held[name[0]] -= content.nbytes
        if isinstance(content.place, Path):
            content.place.unlink(missing_ok=True)
        else:
            self._used -= content.nbytes


@dataclass(frozen=True)
class _Content:
    """`place` is the block itself, or its file; `nbytes` is its size in either."""

    place: Union[Block, Path]
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    nbytes: int
