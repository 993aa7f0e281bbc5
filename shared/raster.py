"""What both raster readers, QGIS's GDAL and the server's rasterio, say about a raster, and what they must agree on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from terrafine.shared.errors import TooLarge, UnusableModel, UnusableRaster
from terrafine.shared.geo import Grid
from terrafine.shared.spec import ModelSpec

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
STRETCH_PERCENTILES = (2.0, 98.0)
MAX_PIXELS = 1 << 36  # of one raster: a quarter of a million pixels square
STRETCH_SAMPLE_PX = 512  # the raster is sampled at no more than this many pixels a side to find its range


@dataclass(frozen=True)
class RasterInfo:
    """A raster as the engine needs to know it; the pixels come apart, as Patches.

    grid      size, transform, CRS and GSD
    dtype     of the pixels, one of DTYPES
    bands     the 1-based bands of the file that feed the model, in the model's order: (1, 1, 1) is grey shown as RGB.
              Pixels travel as the *unique* bands in ascending order
    ranges    (low, high) for each of `bands`: the values that the model sees as 0 and 1
    palette   for an 8-bit raster with a colour table: ((r, g, b), …) by value, at most 256 of them; bands is then
              (1,) three times over and the model sees the colours
    name      for people

    Raises UnusableRaster where these do not fit together.
    """

    grid: Grid
    dtype: str
    bands: tuple[int, ...]
    ranges: tuple[tuple[float, float], ...]
    palette: Optional[tuple[tuple[int, int, int], ...]] = None
    name: str = ""

    def __post_init__(self) -> None:
        check_dtype(self.dtype)
        if not self.bands or min(self.bands) < 1 or len(self.ranges) != len(self.bands):
            raise UnusableRaster(f"Bands {list(self.bands)} with {len(self.ranges)} ranges cannot feed a model.")
        if not all(-math.inf < low < high < math.inf for low, high in self.ranges):
            raise UnusableRaster(f"A band's range is two finite numbers, the smaller first, not {list(self.ranges)}.")
        if self.palette is not None:
            _check_palette(self.palette, self.dtype)

    @property
    def file_bands(self) -> tuple[int, ...]:
        """The bands whose pixels travel: unique, ascending, 1-based."""
        return tuple(sorted(set(self.bands)))


def check_fit(info: RasterInfo, spec: ModelSpec) -> None:
    """Raise UnusableModel where a raster does not fit the model, TooLarge where it is too large to plan for."""
    if info.grid.window.pixels > MAX_PIXELS:
        raise TooLarge(f"The raster has {info.grid.window.pixels} pixels; {MAX_PIXELS} are allowed.")
    if len(info.bands) != len(spec.bands):
        raise UnusableModel(f"The model needs {len(spec.bands)} bands; the raster offers {list(info.bands)}.")
    if info.palette is not None and len(spec.bands) != 3:
        raise UnusableModel(
            f"A raster with a colour table shows red, green and blue; the model needs {', '.join(spec.bands)}.",
            "Choose a model of three bands.",
        )


def choose_bands(
    count: int, model_bands: Sequence[str], band_names: Sequence[str], wanted: Sequence[int] = ()
) -> tuple[int, ...]:
    """Which bands of a raster feed a model.

    count        spectral bands of the raster (alpha not counted)
    model_bands  what the model expects ("red", "green", …)
    band_names   what each raster band is called, lower case, "" where unknown
    wanted       an explicit 1-based choice, which wins

    By name where every name is found; a single band feeds all; else the first bands in order. Raises UnusableModel if
    the raster has too few bands, or `wanted` does not fit.
    """
    need = len(model_bands)
    if wanted:
        if len(wanted) != need or not all(1 <= band <= count for band in wanted):
            raise UnusableModel(
                f"The model needs {need} bands ({', '.join(model_bands)}); {list(wanted)} does not fit a raster with "
                f"{count}."
            )
        return tuple(wanted)
    if all(name in band_names[:count] for name in model_bands):
        return tuple(list(band_names).index(name) + 1 for name in model_bands)
    if count == 1:
        return (1,) * need
    if count < need:
        raise UnusableModel(
            f"The model needs {need} bands ({', '.join(model_bands)}), the raster has {count}.",
            "Choose which bands to use, or another model.",
        )
    return tuple(range(1, need + 1))


def stretch_range(values: np.ndarray, dtype: str) -> tuple[float, float]:
    """The range of a band that the model sees as 0 … 1.

    8-bit bands keep 0 … 255, so that a raster looks as it did in training; others are stretched between the 2nd and
    98th percentile of `values`, the band's valid pixels in a decimated read of the *whole* raster: the result cannot
    depend on the area that is classified.
    """
    if dtype == "uint8":
        return 0.0, 255.0
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, STRETCH_PERCENTILES))
    return (low, high) if high > low else (low, low + max(1.0, abs(low)))


def _check_palette(palette: Sequence[tuple[int, int, int]], dtype: str) -> None:
    if dtype != "uint8":
        raise UnusableRaster(
            f"The raster has a colour table for values of type {dtype}; only 8-bit ones are looked up.",
            "Turn it into red, green and blue first: gdal_translate -expand rgb IN.tif OUT.tif",
        )
    if not 1 <= len(palette) <= 256 or not all(0 <= part <= 255 for color in palette for part in color):
        raise UnusableRaster("A colour table has 1 to 256 colours of red, green and blue, each 0 to 255.")


def check_dtype(dtype: str) -> str:
    """`dtype` if the engine can use it; raises UnusableRaster for complex numbers and other exotica."""
    if dtype not in DTYPES:
        raise UnusableRaster(
            f"The raster's values are of type {dtype}, which cannot be shown to the model.",
            "Convert it first, for instance to the amplitude of a complex image (gdal_translate, gdal_calc).",
        )
    return dtype
