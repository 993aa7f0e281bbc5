"""Sessions on the drawn scene of the demo, of any size, without a file or a server."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from terrafine.models.infer import Predictor
from terrafine.server.demo import scene
from terrafine.server.engine.session import Session
from terrafine.shared.geo import Grid, Window, slices
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo

LEAST_PX = 256  # that the scene can be drawn on


class _Drawn:
    """The drawn scene of the demo, of any size."""

    def __init__(self, size_px: int) -> None:
        self._window, self._image = Window(0, 0, size_px, size_px), _drawn(size_px)

    def read(self, window: Window) -> Patch:
        rows, cols = slices(window, self._window)
        return Patch(window, self._image[:, rows, cols], np.ones(window.shape, bool))

    def missing(self, window: Window) -> list[Window]:
        return []

    def close(self) -> None:
        pass


@lru_cache(maxsize=2)
def _drawn(size_px: int) -> NDArray[np.uint8]:
    """Drawing takes longer than classifying: once for all rounds."""
    return scene.draw(max(size_px, LEAST_PX)).image[:, :size_px, :size_px]


def session_of(predictor: Predictor, size_px: int) -> Session:
    """A new one, at the model's own pixel size; its pixels are at hand."""
    grid = Grid(size_px, size_px, gsd_m=predictor.spec.gsd_m)
    info = RasterInfo(grid, "uint8", (1, 2, 3), ((0.0, 255.0),) * 3)
    return Session(info, _Drawn(size_px), predictor)
