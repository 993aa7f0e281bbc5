"""What flows everywhere: a rectangle of values that knows where it belongs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from terrafine.shared.geo import Window, slices


@dataclass(frozen=True)
class Patch:
    """A window of a raster with its values.

    array     (bands, rows, columns), any dtype
    valid     bool (rows, columns): False where the raster has no data
    revision  of the annotations that the values were computed from; 0 for plain pixels
    """

    window: Window
    array: np.ndarray
    valid: np.ndarray
    revision: int = 0

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or self.array.shape[1:] != self.window.shape or self.valid.shape != self.window.shape:
            raise ValueError(f"array {self.array.shape} and mask {self.valid.shape} do not fit {self.window}")
        if self.valid.dtype != np.bool_:
            raise ValueError(f"a mask is made of booleans, not {self.valid.dtype}")


def digest(patch: Patch) -> str:
    """SHA-256 of what a patch holds, wherever it lies, as 64 lower-case hexadecimal digits.

    docs/protocol.md says which bytes are hashed. Equal digests mean the same dtype, shape, values and mask.
    """
    array = np.ascontiguousarray(patch.array, patch.array.dtype.newbyteorder("<"))
    hashed = hashlib.sha256(" ".join([array.dtype.name, *map(str, array.shape)]).encode() + b"\n")
    hashed.update(array.ravel().data)
    hashed.update(patch.valid.ravel().data)
    return hashed.hexdigest()


def crop(patch: Patch, window: Window) -> Patch:
    """The part of `patch` inside `window`, which must lie within it; a view, nothing is copied."""
    rows, cols = slices(window, patch.window)
    return Patch(window, patch.array[:, rows, cols], patch.valid[rows, cols], patch.revision)
