"""Raster pixels onto the model grid, and the model's results back; see tiling.py for the two grids.

Both directions are pure functions of absolute coordinates: the result for a part of a window is that part of the result
for the window, bit for bit. Hence only element-wise arithmetic, tap by tap in a fixed order, and no matrix products.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models.cuda import upload
from terrafine.shared.geo import Window, intersection, slices

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def source_window(window: Window, scale: float) -> Window:
    """The raster pixels (they may lie outside the raster) that `to_model` needs for `window` of the model grid."""
    if scale == 1.0 or window.is_empty:
        return window
    cols, rows = _taps(window.col, window.col_end, scale)[0], _taps(window.row, window.row_end, scale)[0]
    col, row = int(cols[0, 0]), int(rows[0, 0])
    return Window(col, row, int(cols[-1, -1]) + 1 - col, int(rows[-1, -1]) + 1 - row)


def to_model(values: Floats, valid: Mask, source: Window, window: Window, scale: float) -> tuple[Floats, Mask]:
    """Resample raster pixels to the model grid.

    values  float32 (bands, rows, columns) of the raster window `source`
    valid   bool (rows, columns); pixels without data, and those outside `source`, have no weight
    return  (float32 (bands, *window.shape), bool window.shape); 0 and False where nothing valid is near

    A triangle filter, one raster pixel wide to each side, or one model pixel where that is wider.
    """
    if scale == 1.0:
        return _shifted(values, valid, source, window)
    weighted = np.concatenate([values * valid, valid[None].astype(np.float32)])
    weighted = _filtered(weighted, source.row, window.row, window.row_end, scale, axis=1)
    weighted = _filtered(weighted, source.col, window.col, window.col_end, scale, axis=2)
    weight = weighted[-1]
    seen = weight > 1e-6
    return np.where(seen, weighted[:-1] / np.where(seen, weight, 1.0), np.float32(0.0)), seen


def to_raster(logits: Tensor, source: Window, window: Window, scale: float, model: Window) -> Tensor:
    """Sample the model grid at the centres of raster pixels, bilinearly.

    logits  float32 (classes, rows, columns) of the model window `source`, which holds `tiling.sampled(window)`; on any
            device, where the result is, too
    model   the whole raster in model pixels; beyond its rim the outermost pixel goes on
    return  float32 (classes, *window.shape)
    """
    if scale == 1.0:
        return logits[(slice(None), *slices(window, source))]
    rows = _between(window.row, window.row_end, scale, model.height, logits.device)
    cols = _between(window.col, window.col_end, scale, model.width, logits.device)
    return _mixed(_mixed(logits, rows, source.row, axis=1), cols, source.col, axis=2)


def _shifted(values: Floats, valid: Mask, source: Window, window: Window) -> tuple[Floats, Mask]:
    if source == window and valid.all():
        return values, valid
    out, seen = np.zeros((len(values), *window.shape), np.float32), np.zeros(window.shape, bool)
    common = intersection(source, window)
    if not common.is_empty:
        rows, cols = slices(common, window)
        seen[rows, cols] = valid[slices(common, source)]
        out[:, rows, cols] = np.where(seen[rows, cols], values[(slice(None), *slices(common, source))], 0.0)
    return out, seen


def _taps(low: int, high: int, scale: float) -> tuple[NDArray[np.int64], Floats]:
    """(raster pixels, their weights), each (model pixels low … high − 1, taps); weights of a row sum to 1."""
    centre = (np.arange(low, high) + 0.5) / scale
    radius = max(1.0, 1.0 / scale)
    first = np.floor(centre - radius + 0.5).astype(np.int64)
    taps = first[:, None] + np.arange(math.ceil(2 * radius) + 1)
    weights = np.maximum(0.0, 1.0 - np.abs(taps + 0.5 - centre[:, None]) / radius)
    return taps, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _filtered(values: Floats, origin: int, low: int, high: int, scale: float, axis: int) -> Floats:
    """One separable pass along `axis`, whose first element is raster pixel `origin`; outside it there is nothing."""
    taps, weights = _taps(low, high, scale)
    inside = (taps >= origin) & (taps < origin + values.shape[axis])
    weights = np.where(inside, weights, np.float32(0.0))
    places = np.clip(taps - origin, 0, values.shape[axis] - 1)
    along = [1, -1, 1] if axis == 1 else [1, 1, -1]
    total = np.take(values, places[:, 0], axis) * weights[:, 0].reshape(along)
    for tap in range(1, taps.shape[1]):
        total += np.take(values, places[:, tap], axis) * weights[:, tap].reshape(along)
    return total


def _between(low: int, high: int, scale: float, size: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """(model pixel before, model pixel after, share of the latter) for the raster pixels low … high − 1."""
    position = (np.arange(low, high) + 0.5) * scale - 0.5
    before = np.floor(position)
    share = (position - before).astype(np.float32)
    first = before.astype(np.int64)
    places = np.clip(first, 0, size - 1), np.clip(first + 1, 0, size - 1), share
    before, after, towards = (upload(array, device) for array in places)
    return before, after, towards


def _mixed(values: Tensor, between: tuple[Tensor, Tensor, Tensor], origin: int, axis: int) -> Tensor:
    before, after, share = between
    share = share.reshape([1, -1, 1] if axis == 1 else [1, 1, -1])
    mixed = values.index_select(axis, before - origin).mul_(1 - share)
    return mixed.add_(values.index_select(axis, after - origin).mul_(share))
