"""How unsure the map is, apart from the map: by pixel, by square of pixels, by patch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional, Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models.certainty.uncertainty import PER_LOGITS
from terrafine.models.cuda import download, lane
from terrafine.server.engine.session import Session
from terrafine.server.engine.tile_runner import Mask, TileRunner
from terrafine.server.engine.work import Work
from terrafine.server.rasters.tiling import PIECE_PX
from terrafine.shared.errors import BadRequest
from terrafine.shared.geo import Window, blocks, intersection
from terrafine.shared.messages import Done, Progress
from terrafine.shared.patch import Patch
from terrafine.shared.spec import NODATA_CLASS

STEPS = 254  # 255 is no data


class Measure:
    """One method of uncertainty on one session."""

    def __init__(self, runner: TileRunner, method: str) -> None:
        """Raises BadRequest for a method that the session's model does not have."""
        known = runner.session.spec.uncertainty
        if method not in known:
            raise BadRequest(f"The model has no uncertainty '{method}'.", f"It has: {', '.join(known)}.")
        self.method = method
        self._runner = runner

    def of(self, part: Window, logits: Optional[Tensor] = None) -> Tensor:
        """Float32 (*part.shape) in [0, 1] on the network's device: 0 is sure. `logits`: the runner's, if at hand."""
        if len(self._runner.session.legend.shown) == 1:
            return torch.zeros(part.shape, device=self._runner.session.predictor.device)
        if self.method not in PER_LOGITS:
            return self._runner.uncertainty(part, self.method)
        logits = self._runner.logits(part) if logits is None else logits
        with self._runner.work.stage("uncertainty"):
            return PER_LOGITS[self.method](logits, self._runner.session.spec.temperature)

    def with_mask(self, part: Window) -> tuple[Tensor, Mask]:
        """What `of` gives, and where there is data; pixels without count for nothing."""
        valid = self._runner.valid(part)
        if not valid.any():
            return torch.zeros(part.shape), valid
        with lane(self._runner.session.predictor.device):
            return self.of(part), valid


def measure(
    session: Session, window: Window, method: str = "entropy", factor: int = 1, work: Optional[Work] = None
) -> Iterator[Union[Progress, Patch, Done]]:
    """The uncertainty of `window` (raster pixels; what is outside the raster is ignored).

    method  one of the model's; another raises BadRequest
    factor  1 … learning.MOST_FACTOR: a value is the mean of the valid pixels of a square of so many pixels a side

    Yields patches, each followed by the progress, and at the end Done. A patch's window is in units of such squares,
    counted from the raster's origin; its array is uint8 (1, rows, columns), 0 … 254 for 0 … 1, 255 without data. The
    squares do not depend on the window that was asked for.
    """
    work = work if work is not None else Work()
    meter = Measure(TileRunner(session, work), method)
    parts = _parts(session, window, factor)
    yield Progress(0, len(parts), "measure")
    for done, part in enumerate(parts, 1):
        array, valid = _squares(meter, part, factor, session.tiling.raster)
        yield Patch(part, array[None], valid, session.log.revision)
        yield Progress(done, len(parts), "measure")
    yield Done(session.log.revision, work.seconds())


def covered(session: Session, window: Window, cell_px: int) -> Window:
    """The raster pixels of all cells of a grid of `cell_px` from the raster's origin that meet `window`."""
    cells, raster = _cells(intersection(window, session.tiling.raster), cell_px), session.tiling.raster
    return intersection(_pixels(cells, cell_px), raster)


def as_bytes(values: Tensor, valid: Mask) -> NDArray[np.uint8]:
    """Uncertainty in [0, 1] as 0 … 254, 255 without data."""
    steps: NDArray[np.uint8] = download(values.mul(STEPS).round_().to(torch.uint8))
    return np.where(valid, steps, np.uint8(NODATA_CLASS))


def _parts(session: Session, window: Window, factor: int) -> list[Window]:
    """The squares of `window` in pieces, in units of squares, in an order in which few tiles have to be kept."""
    squares = _cells(intersection(window, session.tiling.raster), factor)
    panel = max(1, session.panel_px // factor)
    return sorted(blocks(squares, PIECE_PX // factor), key=lambda piece: (piece.col // panel, piece.row, piece.col))


def _squares(meter: Measure, part: Window, factor: int, raster: Window) -> tuple[NDArray[np.uint8], Mask]:
    """The mean of the valid pixels of each square of `part`, as bytes, and whether it has any."""
    values, valid = meter.with_mask(intersection(_pixels(part, factor), raster))
    if factor == 1:
        return as_bytes(values, valid), valid
    total, count = (_added(array, factor) for array in (np.where(valid, download(values), 0.0), valid))
    means = torch.from_numpy((total / np.maximum(count, 1.0)).astype(np.float32))
    return as_bytes(means, count > 0), count > 0


def _added(values: NDArray[np.generic], factor: int) -> NDArray[np.float64]:
    """The sums of squares of `factor` pixels a side; those at the right and lower edge may be smaller."""
    rows, cols = (range(0, side, factor) for side in values.shape)
    return np.add.reduceat(np.add.reduceat(values, rows, 0, np.float64), cols, 1)


def _cells(window: Window, cell_px: int) -> Window:
    """The cells that meet a window of pixels, in units of cells."""
    if window.is_empty:
        return Window(0, 0, 0, 0)
    col, row = window.col // cell_px, window.row // cell_px
    return Window(col, row, -(-window.col_end // cell_px) - col, -(-window.row_end // cell_px) - row)


def _pixels(cells: Window, cell_px: int) -> Window:
    return Window(cells.col * cell_px, cells.row * cell_px, cells.width * cell_px, cells.height * cell_px)
