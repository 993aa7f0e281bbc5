"""Where a session's pixels come from: the blocks that a client uploaded, or a raster file (raster_io.Raster)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from terrafine.server.rasters.contents import ContentStore, Name
from terrafine.shared.errors import BadRequest
from terrafine.shared.geo import Window, blocks, contains, intersection, slices
from terrafine.shared.messages import UPLOAD_BLOCK_PX
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo


class PixelSource(Protocol):
    """Raw values of `info.file_bands` in the raster's dtype, for windows inside the raster."""

    def read(self, window: Window) -> Patch: ...

    def missing(self, window: Window) -> list[Window]: ...

    def close(self) -> None: ...


class BlockStore:
    """The blocks of one raster that a client uploaded or offered; what they hold is in `contents`, for all stores.

    An offered digest finds what stores of the same `owner` hold, and nothing else.
    """

    def __init__(self, info: RasterInfo, contents: ContentStore, owner: str = "") -> None:
        self.info = info
        self.owner = owner
        self._contents = contents
        self._names: dict[Window, Name] = {}

    def put(self, patch: Patch) -> bool:
        """Keep one block; returns whether another content had its place.

        Raises BadRequest where it does not fit the raster, OutOfMemory where there is no room.
        """
        self._check_window(patch.window)
        self._check_values(patch)
        return self._place(patch.window, self._contents.keep(patch, self.owner))

    def offer(self, windows: Sequence[Window], digests: Sequence[str]) -> tuple[list[Window], bool]:
        """Keep the blocks whose content is here; returns the others, and whether another content had the place of one.

        Raises BadRequest, and keeps nothing, where a window is no block of the raster.
        """
        for window in windows:
            self._check_window(window)
        missing, replaced = [], False
        for window, digest in zip(windows, digests):
            name = (self.owner, digest)
            if self._contents.use(name, self._shape(window), self.info.dtype):
                replaced |= self._place(window, name)
            else:
                missing.append(window)
        return missing, replaced

    def adopt(self, blocks: Mapping[Window, str]) -> None:
        """Have again what an earlier run of the server had, as far as it is there: digests by place."""
        for window, content in blocks.items():
            if self._contents.adopt((self.owner, content), self._shape(window), self.info.dtype):
                self._place(window, (self.owner, content))

    def digest_at(self, window: Window) -> str:
        """The digest of the block that was put there."""
        return self._names[window][1]

    def missing(self, window: Window) -> list[Window]:
        """The blocks under `window` that are not here (any more), row-major."""
        return [block for block in self._blocks_under(window) if self._names.get(block) not in self._contents]

    def check_room(self, blocks: Sequence[Window]) -> None:
        """Raises OutOfMemory where these would find no room, if all of them are new."""
        self._contents.check_room(sum(block_bytes(self.info, block) for block in blocks), self.owner)

    def read(self, window: Window) -> Patch:
        """The pixels of `window`, whose blocks must all be here."""
        array = np.empty(self._shape(window), self.info.dtype)
        valid = np.empty(window.shape, bool)
        for block in self._blocks_under(window):
            values, mask = self._contents.block(self._names[block])
            part = intersection(block, window)
            target, source = slices(part, window), slices(part, block)
            array[(slice(None), *target)] = values[(slice(None), *source)]
            valid[target] = mask[source]
        return Patch(window, array, valid)

    def close(self) -> None:
        """Forget all blocks; what no other store has is freed."""
        while self._names:
            self._contents.release(self._names.popitem()[1])

    def _place(self, window: Window, name: Name) -> bool:
        """Put a content in its place; returns whether another one was there."""
        before = self._names.get(window)
        self._names[window] = name
        if before is not None:
            self._contents.release(before)
        return before not in (None, name)

    def _shape(self, window: Window) -> tuple[int, int, int]:
        return len(self.info.file_bands), *window.shape

    def _blocks_under(self, window: Window) -> list[Window]:
        raster = self.info.grid.window
        if not contains(raster, window):
            raise ValueError(f"{window} reaches outside the raster {raster}")
        return [intersection(_cell(part), raster) for part in blocks(window, UPLOAD_BLOCK_PX)]

    def _check_window(self, window: Window) -> None:
        if window.is_empty or window != intersection(_cell(window), self.info.grid.window):
            raise BadRequest(f"{window} is no block of the upload grid.")

    def _check_values(self, patch: Patch) -> None:
        if len(patch.array) != len(self.info.file_bands) or patch.array.dtype != np.dtype(self.info.dtype):
            raise BadRequest(
                f"The raster has {len(self.info.file_bands)} bands of {self.info.dtype}, "
                f"the pixels {len(patch.array)} of {patch.array.dtype}."
            )


def block_bytes(info: RasterInfo, window: Window) -> int:
    """The bytes that the values and the mask of a block take."""
    return window.pixels * (len(info.file_bands) * np.dtype(info.dtype).itemsize + 1)


def _cell(window: Window) -> Window:
    """The cell of the upload grid that holds the window's first pixel."""
    size = UPLOAD_BLOCK_PX
    return Window(window.col // size * size, window.row // size * size, size, size)
