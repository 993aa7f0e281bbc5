"""Raster values become network input: the only place where that happens, in training and in serving."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import ModelSpec


def to_unit(values: NDArray[np.generic], info: RasterInfo) -> NDArray[np.float32]:
    """Stretch raw pixels to what the model calls 0 … 1.

    values  (info.file_bands, rows, columns), in the raster's dtype
    return  float32 (model bands, rows, columns) in [0, 1]; NaN becomes 0

    A palette is looked up, the bands are put in the model's order, and each is stretched by its range.
    """
    if info.palette is not None:
        return _look_up(values[0].astype(np.uint8, casting="no"), info.palette)
    place = {band: index for index, band in enumerate(info.file_bands)}
    unit = np.empty((len(info.bands), *values.shape[1:]), np.float32)
    for out, band, (low, high) in zip(unit, info.bands, info.ranges):
        np.clip((values[place[band]].astype(np.float64) - low) / (high - low), 0.0, 1.0, out=out, casting="same_kind")
    return np.nan_to_num(unit, copy=False, nan=0.0)


def to_network(unit: NDArray[np.float32], valid: NDArray[np.bool_], spec: ModelSpec) -> NDArray[np.float32]:
    """(unit − mean) / std, float32 (bands, rows, columns); pixels without data become 0, the training mean."""
    mean = np.asarray(spec.normalisation.mean, np.float32)[:, None, None]
    std = np.asarray(spec.normalisation.std, np.float32)[:, None, None]
    normalised = unit - mean
    normalised /= std
    return normalised if valid.all() else np.where(valid, normalised, np.float32(0.0))


def resized(values: NDArray[np.float32], size_px: int) -> NDArray[np.float32]:
    """(bands, rows, columns) → (bands, size_px, size_px), bilinearly, and by the mean of what a pixel covers."""
    if values.shape[1:] == (size_px, size_px):
        return values
    tensor = torch.from_numpy(np.ascontiguousarray(values))[None]
    result: NDArray[np.float32] = F.interpolate(tensor, (size_px, size_px), mode="bilinear", antialias=True)[0].numpy()
    return result


def _look_up(indices: NDArray[np.uint8], palette: tuple[tuple[int, int, int], ...]) -> NDArray[np.float32]:
    colours = np.zeros((256, 3), np.float32)
    colours[: len(palette)] = np.asarray(palette, np.float32) / 255.0
    return np.ascontiguousarray(colours[indices].transpose(2, 0, 1))
