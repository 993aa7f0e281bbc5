"""Raster files read with rasterio: what the engine needs to know of them, and windows of raw values.

The plugin reads the same files with the GDAL of QGIS; both must say the same about each (see shared/raster.py):

- bands are named by their colour interpretation, else by their description; alpha bands are masks, not bands;
- a pixel has data where any of its bands has (by nodata, mask or alpha) and all of them are finite numbers.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Optional

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import windows
from rasterio._err import CPLE_BaseError
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import CRSError, NodataShadowWarning, NotGeoreferencedWarning, RasterioError
from rasterio.transform import from_gcps
from rasterio.warp import transform as transform_points

from terrafine.server.rasters import gdal_limits
from terrafine.shared.errors import NotFound, UnusableRaster
from terrafine.shared.geo import IDENTITY, Affine, Grid, Window, contains, gsd_from_corners, pixel_to_map
from terrafine.shared.patch import Patch
from terrafine.shared.raster import STRETCH_SAMPLE_PX, RasterInfo, check_dtype, check_fit, choose_bands, stretch_range
from terrafine.shared.spec import ModelSpec

gdal_limits.apply()
GDAL_OPTIONS = {"GDAL_CACHEMAX": 256 << 20}  # bytes; its own default is a share of all memory
GDAL_ERRORS = (RasterioError, CPLE_BaseError)  # some of GDAL's own pass through rasterio untranslated
INTERPRETED = {
    ColorInterp.red: "red",
    ColorInterp.green: "green",
    ColorInterp.blue: "blue",
    ColorInterp.gray: "gray",
}


@dataclass(frozen=True)
class Georeference:
    """Where a file says it lies: an affine transform or ground control points (or neither), and a CRS (or none)."""

    transform: Affine
    gcps: tuple[GroundControlPoint, ...]
    crs: Optional[CRS]

    @property
    def affine(self) -> Affine:
        """The transform, fitted where there are only ground control points; IDENTITY where they are too few for that,
        or lie on one line: GDAL then fits nothing, and rasterio hands over what was in memory.
        """
        if not self.gcps:
            return self.transform
        if not self.is_placed:
            return IDENTITY
        return tuple(from_gcps(self.gcps))[:6]

    @property
    def is_placed(self) -> bool:
        """Does the file say where its pixels lie? Ground control points must span an area, here and on the map."""
        here = np.array([(point.col, point.row) for point in self.gcps])
        there = np.array([(point.x, point.y) for point in self.gcps])
        return not self.gcps or (_spans_area(here) and _spans_area(there))

    def thinned(self, factor: int) -> Georeference:
        """Where a raster lies whose pixels are squares of `factor` × `factor` of this one's.

        What lies nowhere has pixels for coordinates then, with rows that go down, as GIS draw it.
        """
        if factor == 1:
            return self
        a, b, c, d, e, f = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0) if self.transform == IDENTITY else self.transform
        transform = self.transform if self.gcps else (a * factor, b * factor, c, d * factor, e * factor, f)
        points = (GroundControlPoint(p.row / factor, p.col / factor, p.x, p.y, p.z, p.id, p.info) for p in self.gcps)
        return Georeference(transform, tuple(points), self.crs)


class Raster:
    """An open raster file and the bands of it that feed a model; a PixelSource. For one thread."""

    def __init__(self, dataset: rasterio.DatasetReader, info: RasterInfo, georeference: Georeference) -> None:
        self.info = info
        self.georeference = georeference
        self._dataset = dataset

    def read(self, window: Window) -> Patch:
        """The values of `info.file_bands` (bands, rows, columns) in the raster's dtype, and where they count.

        Raises UnusableRaster that names the part that cannot be read, ValueError for a window outside the raster.
        """
        if not contains(self.info.grid.window, window):
            raise ValueError(f"{window} reaches outside the raster {self.info.grid.window}")
        return Patch(window, *_values(self._dataset, self.info.file_bands, self.info.dtype, window))

    def missing(self, window: Window) -> list[Window]:
        """None: a file has all its pixels."""
        return []

    def close(self) -> None:
        self._dataset.close()

    def __enter__(self) -> Raster:
        return self

    def __exit__(
        self, _kind: Optional[type[BaseException]], _error: Optional[BaseException], _trace: Optional[TracebackType]
    ) -> None:
        self.close()


def open_raster(path: os.PathLike[str], spec: ModelSpec, bands: Sequence[int] = ()) -> Raster:
    """Open a raster file for a model.

    bands  1-based bands of the file, one for each of the model's; by default those that `choose_bands` finds

    Raises NotFound for a file that is not there, UnusableRaster or UnusableModel for one that cannot be classified.
    """
    dataset = _open(Path(path))
    try:
        georeference = _georeference(dataset)
        return Raster(dataset, _describe(dataset, georeference, spec, bands), georeference)
    except BaseException:
        dataset.close()
        raise


def same_pixels(dataset: rasterio.DatasetReader, info: RasterInfo) -> bool:
    """Could the file's pixels be those that `info` describes, by its size, its type and its bands?"""
    is_size = (dataset.width, dataset.height) == (info.grid.width, info.grid.height)
    return is_size and max(info.bands) <= dataset.count and str(np.result_type(*dataset.dtypes)) == info.dtype


def read_all(path: os.PathLike[str]) -> NDArray[np.generic]:
    """All bands of a small raster as they are (bands, rows, columns); for labels and the like."""
    with _open(Path(path)) as dataset, _reading(Path(path).name, Window(0, 0, dataset.width, dataset.height)):
        values: NDArray[np.generic] = dataset.read()
        return values


def _open(path: Path) -> rasterio.DatasetReader:
    if not path.exists():
        raise NotFound(f"There is no file '{path}'.")
    try:
        with without_georeference_warnings():
            dataset = rasterio.open(path)
    except GDAL_ERRORS as error:
        raise UnusableRaster(f"'{path.name}' cannot be opened as a raster: {error}.", "Check the file.") from error
    if dataset.count == 0:
        dataset.close()
        raise UnusableRaster(f"'{path.name}' has no bands of its own.", "Open one of the rasters within it.")
    return dataset


@contextmanager
def without_georeference_warnings() -> Iterator[None]:
    """A raster without a place is nothing to warn of here: the analyst is told once, when its GSD is unknown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _georeference(dataset: rasterio.DatasetReader) -> Georeference:
    transform: Affine = tuple(dataset.transform)[:6]
    points, points_crs = dataset.gcps
    if transform == IDENTITY and points:
        return Georeference(IDENTITY, tuple(points), points_crs)
    return Georeference(transform, (), dataset.crs)


def _describe(
    dataset: rasterio.DatasetReader, georeference: Georeference, spec: ModelSpec, wanted: Sequence[int]
) -> RasterInfo:
    dtype = _dtype(dataset)
    palette = _palette(dataset)
    bands = (1,) * len(spec.bands) if palette else _choose(dataset, spec, wanted)
    ranges = {band: (0.0, 255.0) if palette else _range(dataset, band, dtype) for band in set(bands)}
    grid = Grid(
        dataset.width,
        dataset.height,
        georeference.affine,
        georeference.crs.to_wkt() if georeference.crs else "",
        _gsd_m(georeference, dataset.width / 2, dataset.height / 2),
    )
    info = RasterInfo(grid, dtype, bands, tuple(ranges[band] for band in bands), palette, Path(dataset.name).name)
    check_fit(info, spec)
    return info


def _dtype(dataset: rasterio.DatasetReader) -> str:
    """The type that holds all bands; complex ones of integers have no name in numpy."""
    for dtype in dataset.dtypes:
        check_dtype(dtype)
    return check_dtype(str(np.result_type(*dataset.dtypes)))


def _palette(dataset: rasterio.DatasetReader) -> Optional[tuple[tuple[int, int, int], ...]]:
    if dataset.count != 1 or dataset.colorinterp[0] != ColorInterp.palette:
        return None
    table = dataset.colormap(1)
    return tuple(table.get(value, (0, 0, 0))[:3] for value in range(max(table) + 1))


def _choose(dataset: rasterio.DatasetReader, spec: ModelSpec, wanted: Sequence[int]) -> tuple[int, ...]:
    """1-based bands of the file. Without a choice by hand alpha bands do not count."""
    if wanted:
        return choose_bands(dataset.count, spec.bands, (), wanted)
    spectral = [index for index, kind in enumerate(dataset.colorinterp) if kind != ColorInterp.alpha]
    names = [INTERPRETED.get(dataset.colorinterp[i]) or (dataset.descriptions[i] or "").lower() for i in spectral]
    return tuple(spectral[band - 1] + 1 for band in choose_bands(len(spectral), spec.bands, names))


def _range(dataset: rasterio.DatasetReader, band: int, dtype: str) -> tuple[float, float]:
    """What the model sees as 0 and 1, from a decimated read of the whole band."""
    if dtype == "uint8":
        return stretch_range(np.empty(0), dtype)
    values, valid = _values(dataset, (band,), dtype, Window(0, 0, dataset.width, dataset.height), STRETCH_SAMPLE_PX)
    return stretch_range(values[0][valid], dtype)


def _spans_area(points: NDArray[np.float64]) -> bool:
    """Float (n, 2): neither too few, nor on one line but for rounding."""
    if len(points) < 3 or not np.isfinite(points).all():
        return False
    length, width = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(width > 1e-6 * length)


def _gsd_m(georeference: Georeference, x: float, y: float) -> Optional[float]:
    if georeference.crs is None or not georeference.is_placed:
        return None
    corners = [pixel_to_map(georeference.affine, *corner) for corner in ((x, y), (x + 1, y), (x, y + 1))]
    try:
        lon, lat = transform_points(georeference.crs, CRS.from_epsg(4326), *zip(*corners))
    except (CRSError, *GDAL_ERRORS):
        return None  # a CRS of another planet, or of a building site
    return gsd_from_corners(np.column_stack([lon, lat]))


def _values(
    dataset: rasterio.DatasetReader, bands: Sequence[int], dtype: str, window: Window, largest_px: int = 0
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """(values, valid) of a window; decimated to `largest_px` a side, if given, by picking pixels."""
    shape = tuple(min(side, largest_px) if largest_px else side for side in window.shape)
    box = windows.Window(window.col, window.row, window.width, window.height)
    with _reading(dataset.name, window), warnings.catch_warnings():
        warnings.simplefilter("ignore", NodataShadowWarning)  # nodata wins over an alpha band, as in QGIS
        array = dataset.read(list(bands), window=box, out_shape=(len(bands), *shape)).astype(dtype, copy=False)
        masks = dataset.read_masks(list(bands), window=box, out_shape=(len(bands), *shape))
    valid = (masks != 0).any(axis=0)
    return array, valid & np.isfinite(array).all(axis=0) if array.dtype.kind == "f" else valid


@contextmanager
def _reading(name: str, window: Window) -> Iterator[None]:
    try:
        yield
    except GDAL_ERRORS as error:
        raise UnusableRaster(
            f"Columns {window.col} to {window.col_end - 1} and rows {window.row} to {window.row_end - 1} of "
            f"'{Path(name).name}' cannot be read: {str(error.__cause__ or error).rstrip('.')}.",
            "The file may be damaged; copy it again from where it came from.",
        ) from error
