"""Where a session's pixels come from: the blocks that a client uploaded, or a raster file (raster_io.Raster)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from terrafine.shared.errors import BadRequest, OutOfMemory
from terrafine.shared.geo import Window, blocks, contains, intersection, slices
from terrafine.shared.messages import UPLOAD_BLOCK_PX
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo

MEMORY_BYTES = 256 << 20  # of a session's blocks; further ones are kept on disk
DISK_RESERVE_BYTES = 512 << 20  # never fill the last of somebody's disk
Block = tuple[NDArray[np.generic], NDArray[np.bool_]]


class PixelSource(Protocol):
    """Raw values of `info.file_bands` in the raster's dtype, for windows inside the raster."""

    def read(self, window: Window) -> Patch: ...

    def missing(self, window: Window) -> list[Window]: ...

    def close(self) -> None: ...


class BlockStore:
    """The blocks of one raster that a client uploaded: in memory up to a budget, then in temporary files."""

    def __init__(self, info: RasterInfo, memory_bytes: int = MEMORY_BYTES) -> None:
        self.info = info
        self.memory_bytes = memory_bytes
        self._memory: dict[Window, Block] = {}
        self._on_disk: dict[Window, Path] = {}
        self._used = 0
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None

    def put(self, patch: Patch) -> bool:
        """Keep one block; returns whether it takes the place of an older one.

        Raises BadRequest where it does not fit the raster, OutOfMemory where there is no room.
        """
        self._check(patch)
        known = not self.missing(patch.window)
        array, valid = np.array(patch.array), np.array(patch.valid)
        size = array.nbytes + valid.nbytes
        if patch.window in self._memory:
            self._memory[patch.window] = array, valid
        elif self._used + size <= self.memory_bytes:
            self._used += size
            self._memory[patch.window] = array, valid
        else:
            self._on_disk[patch.window] = self._write(patch.window, array, valid)
        return known

    def missing(self, window: Window) -> list[Window]:
        """The blocks under `window` that were not uploaded yet, row-major."""
        return [
            block for block in self._blocks_under(window) if block not in self._memory and block not in self._on_disk
        ]

    def read(self, window: Window) -> Patch:
        """The pixels of `window`, whose blocks must all be here."""
        array = np.empty((len(self.info.file_bands), *window.shape), self.info.dtype)
        valid = np.empty(window.shape, bool)
        for block in self._blocks_under(window):
            values, mask = self._block(block)
            part = intersection(block, window)
            target, source = slices(part, window), slices(part, block)
            array[(slice(None), *target)] = values[(slice(None), *source)]
            valid[target] = mask[source]
        return Patch(window, array, valid)

    def close(self) -> None:
        """Forget all blocks and remove their files."""
        self._memory.clear()
        self._on_disk.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _blocks_under(self, window: Window) -> list[Window]:
        raster = self.info.grid.window
        if not contains(raster, window):
            raise ValueError(f"{window} reaches outside the raster {raster}")
        cells = dict.fromkeys((part.col // UPLOAD_BLOCK_PX, part.row // UPLOAD_BLOCK_PX) for part in _cut(window))
        corners = (
            Window(col * UPLOAD_BLOCK_PX, row * UPLOAD_BLOCK_PX, UPLOAD_BLOCK_PX, UPLOAD_BLOCK_PX) for col, row in cells
        )
        return [intersection(corner, raster) for corner in corners]

    def _check(self, patch: Patch) -> None:
        if _cut(patch.window)[1:] or not contains(self.info.grid.window, patch.window) or patch.window.is_empty:
            raise BadRequest(f"{patch.window} is no block of the upload grid.")
        if self._blocks_under(patch.window) != [patch.window]:
            raise BadRequest(f"{patch.window} is only a part of a block of the upload grid.")
        if len(patch.array) != len(self.info.file_bands) or patch.array.dtype != np.dtype(self.info.dtype):
            raise BadRequest(
                f"The raster has {len(self.info.file_bands)} bands of {self.info.dtype}, "
                f"the pixels {len(patch.array)} of {patch.array.dtype}."
            )

    def _block(self, block: Window) -> Block:
        if block in self._memory:
            return self._memory[block]
        path = self._on_disk[block]
        return np.load(path, allow_pickle=False), np.load(_mask_beside(path), allow_pickle=False)

    def _write(self, block: Window, array: NDArray[np.generic], valid: NDArray[np.bool_]) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="terrafine-pixels-")
        folder = Path(self._folder.name)
        if shutil.disk_usage(folder).free < array.nbytes + valid.nbytes + DISK_RESERVE_BYTES:
            raise OutOfMemory(
                f"There is no room left on the server for the raster's pixels (in {folder.parent}).",
                "Free some disk space, or classify a smaller area.",
            )
        path = folder / f"{block.col}_{block.row}.npy"
        np.save(path, array)
        np.save(_mask_beside(path), valid)
        return path


def _mask_beside(path: Path) -> Path:
    return path.with_suffix(".valid.npy")


def _cut(window: Window) -> list[Window]:
    return blocks(window, UPLOAD_BLOCK_PX)
