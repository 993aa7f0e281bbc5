"""Pixels of a raster's working file, read and written so that a full disk is noticed and can be got over.

GDAL keeps what is written in memory and writes it later, when nobody asks any more whether that went well. A block that
was cut short by the end of the disk cannot be read again, nor written in part.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
from osgeo import gdal

from terrafine.shared.geo import Window
from terrafine.shared.spec import NODATA_CLASS


def read_pixels(band: gdal.Band, window: Window) -> np.ndarray:
    """Bytes (rows, columns); where a block is broken, it is emptied, and all of the window counts as empty."""
    values = _read(band, window)
    if values is None:
        _empty_blocks(band, window)
        values = _read(band, window)
    return np.full(window.shape, NODATA_CLASS, np.uint8) if values is None else values


def write_pixels(dataset: gdal.Dataset, window: Window, values: np.ndarray) -> str:
    """Write bytes (rows, columns) into the first band, through to the file; returns why that failed, or ""."""
    gdal.ErrorReset()
    try:
        dataset.GetRasterBand(1).WriteArray(values, window.col, window.row)
        dataset.FlushCache()
    except RuntimeError as error:  # where another plugin has switched GDAL's exceptions on
        return str(error)
    return gdal.GetLastErrorMsg() if gdal.GetLastErrorType() >= gdal.CE_Failure else ""


def _read(band: gdal.Band, window: Window) -> Optional[np.ndarray]:
    try:
        return band.ReadAsArray(window.col, window.row, window.width, window.height)
    except RuntimeError:
        return None


def _empty_blocks(band: gdal.Band, window: Window) -> None:
    """Fill the broken ones of the blocks that a window touches: whole blocks are written without being read."""
    width, height = band.GetBlockSize()
    for row in range(window.row // height * height, window.row_end, height):
        for col in range(window.col // width * width, window.col_end, width):
            block = Window(col, row, min(width, band.XSize - col), min(height, band.YSize - row))
            if _read(band, block) is None:
                band.WriteArray(np.full(block.shape, NODATA_CLASS, np.uint8), col, row)
