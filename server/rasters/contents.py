"""What blocks of pixels hold, each content kept once however many sessions of a client have it: in memory up to a
budget, the others in files. In a folder that outlives the process, those in memory have files, too, as far as there is
room.

Clients share the room, never a content: if an offered digest found what others sent, the answer would tell who works on
the same image.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import math
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

import numpy as np
from numpy.typing import DTypeLike, NDArray

from terrafine.shared.errors import OutOfMemory
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch, digest

log = logging.getLogger(__name__)
MEMORY_BYTES = 512 << 20  # of all sessions' blocks; further ones are kept on disk
OWNER_BYTES = 64 << 30  # of one owner's blocks, in memory and on disk: six rasters of 50 000² pixels in three bands
DISK_RESERVE_BYTES = 512 << 20  # never fill the last of somebody's disk
Name = tuple[str, str]  # whose it is, and its digest
Block = tuple[NDArray[np.generic], NDArray[np.bool_]]


class ContentStore:
    """Blocks by owner and digest. Who calls `keep`, or `use` or `adopt` with success, must `release` that name once."""

    def __init__(
        self, memory_bytes: int = MEMORY_BYTES, lasting: Optional[Path] = None, is_shared: bool = False
    ) -> None:
        """`lasting`: a folder that another process finds the blocks in; by default, files go when the store closes.

        is_shared  stores of other processes use that folder meanwhile: what they wrote is found, and files stay
        """
        self.memory_bytes = memory_bytes
        self._is_shared = is_shared
        self._lasting = lasting
        self._contents: dict[Name, _Content] = {}
        self._users: Counter[Name] = Counter()
        self._used = 0  # bytes of memory
        self._held: Counter[str] = Counter()  # bytes by owner
        self.held_by_all: dict[str, int] = {}  # likewise, in the stores of all processes, where somebody counts them
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None

    def __contains__(self, name: object) -> bool:
        return name in self._contents

    def keep(self, patch: Patch, owner: str = "") -> Name:
        """Hold a block for one more user; returns its name. Raises OutOfMemory where there is no room."""
        name = (owner, digest(patch))
        if name not in self._contents:
            self._check_share(owner, patch.array.nbytes + patch.valid.nbytes)
            self._contents[name] = self._store(name, np.array(patch.array), np.array(patch.valid))
            self._held[owner] += self._contents[name].nbytes
        self._users[name] += 1
        return name

    def check_room(self, nbytes: int, owner: str = "") -> None:
        """Raises OutOfMemory where so many bytes more of an owner's are not to be had: before they travel."""
        self._check_share(owner, nbytes)
        room = max(0, self.memory_bytes - self._used) + max(0, self._free() - DISK_RESERVE_BYTES)
        if nbytes > room:
            raise OutOfMemory(
                f"The raster's pixels take {nbytes / 1e9:.1f} GB on the server, and it has room for {room / 1e9:.1f}.",
                "Free some disk space there, put the raster in a folder that it reads, or classify a smaller area.",
            )

    def use(self, name: Name, shape: tuple[int, ...], dtype: DTypeLike) -> bool:
        """Hold the content `name` for one more user; False if it is not here, or not of this shape and dtype."""
        if self._is_shared:
            self._look(name, shape, dtype)
        content = self._contents.get(name)
        if content is None or (content.shape, content.dtype) != (shape, np.dtype(dtype)):
            return False
        self._users[name] += 1
        return True

    def adopt(self, name: Name, shape: tuple[int, ...], dtype: DTypeLike) -> bool:
        """Like `use`, of a content that an earlier run may have left in the lasting folder. Raises OSError."""
        self._look(name, shape, dtype)
        return self.use(name, shape, dtype)

    def sweep(self) -> None:
        """Remove the files that an earlier run left, and that nobody has adopted."""
        wanted = {content.path for content in self._contents.values()}
        for path in self._lasting.glob("*/*") if self._lasting is not None else ():
            if path not in wanted:
                path.unlink(missing_ok=True)

    def release(self, name: Name) -> None:
        """One user less; what nobody uses is freed."""
        self._users[name] -= 1
        if self._users[name] <= 0:
            del self._users[name]
            self._forget(name)

    def block(self, name: Name) -> Block:
        """The values and the mask. What cannot be read from its file (any more) is forgotten, so that it is missing."""
        content = self._contents[name]
        if content.block is not None:
            return content.block
        try:
            return self._read(name, content)
        except (OSError, ValueError, EOFError):
            self._forget(name)
            raise

    def close(self) -> None:
        """Forget everything and remove the files, but for those that last."""
        self._contents.clear()
        self._users.clear()
        self._held.clear()
        self._used = 0
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _free(self) -> int:
        """Bytes of the disk that files go to; what is not there yet will lie where its parents do."""
        folder = self._lasting if self._lasting is not None else Path(tempfile.gettempdir())
        there = next((place for place in (folder, *folder.parents) if place.is_dir()), folder)
        return shutil.disk_usage(there).free

    def _look(self, name: Name, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """Take up a content from the lasting folder; from here on it counts as written now."""
        if name in self._contents or self._lasting is None:
            return
        path, size = self._path(name), math.prod(shape) * np.dtype(dtype).itemsize + math.prod(shape[1:])
        if path.is_file() and path.stat().st_size > size:
            os.utime(path)
            self._contents[name] = _Content(None, path, shape, np.dtype(dtype), size, is_checked=False)
            self._held[name[0]] += size

    def _store(self, name: Name, array: NDArray[np.generic], valid: NDArray[np.bool_]) -> _Content:
        size = array.nbytes + valid.nbytes
        has_room = self._used + size <= self.memory_bytes
        path = self._write(name, array, valid, is_needed=not has_room)
        self._used += size if has_room else 0
        return _Content((array, valid) if has_room else None, path, array.shape, array.dtype, size)

    def _read(self, name: Name, content: _Content) -> Block:
        """Read a block from its file; raises ValueError where an earlier run left something else there."""
        if content.path is None:
            raise ValueError("a block is neither in memory nor in a file")
        with content.path.open("rb") as file:
            array, valid = np.load(file, allow_pickle=False), np.load(file, allow_pickle=False)
        if not content.is_checked:
            if digest(Patch(Window(0, 0, valid.shape[1], valid.shape[0]), array, valid)) != name[1]:
                raise ValueError(f"'{content.path}' does not hold what its name says")
            self._contents[name] = replace(content, is_checked=True)
        return array, valid

    def _check_share(self, owner: str, size: int) -> None:
        held = max(self._held[owner], self.held_by_all.get(owner, 0))
        if held + size > OWNER_BYTES:
            raise OutOfMemory(f"Your rasters take {held >> 30} GB on the server already.", "Close one of them.")

    def _write(
        self, name: Name, array: NDArray[np.generic], valid: NDArray[np.bool_], is_needed: bool
    ) -> Optional[Path]:
        """The file of a block, if there is one. Raises OutOfMemory where one `is_needed` and there is no room."""
        if self._lasting is None and not is_needed:
            return None
        path = self._path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(path.parent).free < array.nbytes + valid.nbytes + DISK_RESERVE_BYTES:
                raise OSError(errno.ENOSPC, "the disk is nearly full")
            _save(path, array, valid)
        except OSError as error:
            if is_needed:
                raise OutOfMemory(
                    f"There is no room left on the server for the raster's pixels (in {path.parent.parent}).",
                    "Free some disk space, or classify a smaller area.",
                ) from error
            log.debug("a block is kept in memory alone: %s", error)
            return None
        return path

    def _path(self, name: Name) -> Path:
        if self._lasting is None and self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="terrafine-pixels-")
        folder = self._lasting or Path(self._folder.name if self._folder is not None else "")
        return folder / hashlib.sha256(name[0].encode("utf-8", "surrogatepass")).hexdigest()[:32] / f"{name[1]}.npy"

    def _forget(self, name: Name) -> None:
        content = self._contents.pop(name, None)
        if content is None:
            return
        self._held[name[0]] -= content.nbytes
        if content.path is not None and not self._is_shared:
            content.path.unlink(missing_ok=True)
        if content.block is not None:
            self._used -= content.nbytes


@dataclass(frozen=True)
class _Content:
    """A block in memory, in a file, or both.

    nbytes      its size in either
    is_checked  is it known to hold what its name says?
    """

    block: Optional[Block]
    path: Optional[Path]
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    nbytes: int
    is_checked: bool = True


def _save(path: Path, array: NDArray[np.generic], valid: NDArray[np.bool_]) -> None:
    """The file is complete, or not there."""
    draft = path.with_suffix(".draft")
    try:
        with draft.open("wb") as file:
            np.save(file, array)
            np.save(file, valid)
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
