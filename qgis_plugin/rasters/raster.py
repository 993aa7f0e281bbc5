"""Rasters read with the GDAL that QGIS ships: the same values and masks as the server's rasterio reader hands over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

import numpy as np
from osgeo import gdal, gdal_array
from qgis.core import QgsCoordinateReferenceSystem, QgsRasterLayer

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.shared.errors import UnusableRaster
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch
from terrafine.shared.raster import STRETCH_SAMPLE_PX, RasterInfo, check_dtype, choose_bands, stretch_range
from terrafine.shared.spec import ModelSpec

INTERPRETED = {
    gdal.GCI_RedBand: "red",
    gdal.GCI_GreenBand: "green",
    gdal.GCI_BlueBand: "blue",
    gdal.GCI_GrayIndex: "gray",
}


@dataclass(frozen=True)
class RasterFile:
    """A raster layer whose pixels are in a file: what a worker thread needs to read it, and nothing of QGIS's layer.

    path  what GDAL opens
    name  the layer's name
    crs   the layer's CRS, which the user may have set by hand; invalid if there is none
    """

    path: str
    name: str
    crs: QgsCoordinateReferenceSystem = field(compare=False)


def raster_file(layer: QgsRasterLayer) -> RasterFile:
    """The file behind a raster layer; raises UnusableRaster that says why there is none to read."""
    if not layer.isValid():
        raise UnusableRaster(
            tr("The layer '{name}' is broken.").format(name=layer.name()), tr("Repair its data source first.")
        )
    if layer.providerType() != "gdal":
        message = tr("The pixels of '{name}' come from the provider '{provider}', not from a file.")
        raise UnusableRaster(
            message.format(name=layer.name(), provider=layer.providerType()),
            tr("Export the layer as a GeoTIFF (Layer ▸ Save As) and use that."),
        )
    return RasterFile(layer.source(), layer.name(), QgsCoordinateReferenceSystem(layer.crs()))


def open_dataset(path: str) -> gdal.Dataset:
    """Open a raster for reading, in the thread that will read; raises UnusableRaster that says why not."""
    gdal.ErrorReset()
    try:
        dataset = gdal.Open(path)
    except RuntimeError:  # where another plugin has switched GDAL's exceptions on
        dataset = None
    if dataset is None or dataset.RasterCount == 0:
        message = tr("The raster cannot be opened: {reason}.")
        raise UnusableRaster(message.format(reason=gdal.GetLastErrorMsg() or path), tr("Check the file."))
    return dataset


class Reader:
    """Reads one raster for one model. Not to be shared between threads."""

    def __init__(self, file: RasterFile) -> None:
        self._dataset = open_dataset(file.path)
        self._file = file

    def describe(self, spec: ModelSpec) -> RasterInfo:
        """What the engine needs to know; raises UnusableRaster or UnusableModel where they do not fit."""
        dtype = self._dtype()
        palette = self._palette()
        bands = (1,) * len(spec.bands) if palette else self._choose(spec)
        ranges = {band: (0.0, 255.0) if palette else self._range(band, dtype) for band in set(bands)}
        return RasterInfo(
            grid=Placement(self._dataset).grid(self._file.crs),
            dtype=dtype,
            bands=bands,
            ranges=tuple(ranges[band] for band in bands),
            palette=palette,
            name=self._file.name,
        )

    def read(self, info: RasterInfo, window: Window) -> Patch:
        """The pixels of `info.file_bands` in a window inside the raster, in its dtype, and where they count."""
        box = (window.col, window.row, window.width, window.height)
        bands = [self._dataset.GetRasterBand(band) for band in info.file_bands]
        array = np.stack([_values(band, *box) for band in bands]).astype(info.dtype, copy=False)
        masks = np.stack([_values(band.GetMaskBand(), *box) for band in bands]) != 0
        return Patch(window, array, masks.any(axis=0) & _finite(array).all(axis=0))

    def _bands(self) -> list[gdal.Band]:
        return [self._dataset.GetRasterBand(number) for number in range(1, self._dataset.RasterCount + 1)]

    def _dtype(self) -> str:
        """The numpy name of the type that holds all bands."""
        kinds = {band.DataType for band in self._bands()}
        types = [gdal_array.GDALTypeCodeToNumericTypeCode(kind) for kind in kinds]
        for name in (np.dtype(kind).name for kind in types):
            check_dtype(name)
        return check_dtype(np.result_type(*types).name)

    def _choose(self, spec: ModelSpec) -> tuple[int, ...]:
        """1-based bands of the file; an alpha band is a mask, not a band."""
        spectral = [
            (number, band)
            for number, band in enumerate(self._bands(), 1)
            if band.GetColorInterpretation() != gdal.GCI_AlphaBand
        ]
        names = [_name(band) for _, band in spectral]
        return tuple(spectral[band - 1][0] for band in choose_bands(len(spectral), spec.bands, names))

    def _palette(self) -> Optional[tuple[tuple[int, int, int], ...]]:
        band = self._dataset.GetRasterBand(1)
        table = band.GetColorTable()
        if table is None or self._dataset.RasterCount != 1 or band.GetColorInterpretation() != gdal.GCI_PaletteIndex:
            return None
        return tuple(table.GetColorEntry(value)[:3] for value in range(table.GetCount()))

    def _range(self, number: int, dtype: str) -> tuple[float, float]:
        """What the model sees as 0 and 1, from a decimated read of the whole band."""
        if dtype == "uint8":
            return stretch_range(np.empty(0), dtype)
        band = self._dataset.GetRasterBand(number)
        size = [min(side, STRETCH_SAMPLE_PX) for side in (band.XSize, band.YSize)]
        values = _values(band, 0, 0, band.XSize, band.YSize, *size)
        valid = _values(band.GetMaskBand(), 0, 0, band.XSize, band.YSize, *size) != 0
        return stretch_range(values[valid], dtype)


def _name(band: gdal.Band) -> str:
    return INTERPRETED.get(band.GetColorInterpretation()) or band.GetDescription().lower()


def _values(band: gdal.Band, *box: int) -> np.ndarray:
    """ReadAsArray(xoff, yoff, xsize, ysize[, buffer xsize, ysize]) that raises UnusableRaster."""
    gdal.ErrorReset()
    try:
        values = band.ReadAsArray(*box)
    except RuntimeError:  # where another plugin has switched GDAL's exceptions on
        values = None
    if values is None:
        raise UnusableRaster(
            tr("The raster's pixels cannot be read: {reason}.").format(reason=gdal.GetLastErrorMsg().rstrip(".")),
            tr("The file may be damaged or out of reach."),
        )
    return values


def _finite(array: np.ndarray) -> np.ndarray:
    return np.isfinite(array) if array.dtype.kind == "f" else np.ones(array.shape, bool)
