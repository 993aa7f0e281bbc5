"""Rasters of class ids, read in any whole-number type, with the names and colours that their layer shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterator, Mapping

import numpy as np
from osgeo import gdal
from qgis.core import QgsCoordinateTransformContext, QgsPalettedRasterRenderer, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtGui import QColor

from terrafine.qgis_plugin.finish.borders import NO_CLASS
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.rasters.placement import Locator, Placement
from terrafine.qgis_plugin.rasters.raster import RasterFile, open_dataset, raster_file
from terrafine.shared.errors import UnusableRaster
from terrafine.shared.geo import Window, blocks
from terrafine.shared.spec import LandCover

KINDS = (gdal.GDT_Byte, gdal.GDT_Int16, gdal.GDT_UInt16, gdal.GDT_Int32)
BLOCK_PX = 512
GOLDEN_ANGLE = 137.508  # degrees: hues far from each other, however many


@dataclass(frozen=True)
class ClassSource:
    """What a worker thread needs to read a class raster: its file, its legend by class id, and its layer's id."""

    file: RasterFile
    legend: Mapping[int, LandCover] = field(compare=False)
    layer_id: str = ""

    def cover(self, class_id: int) -> LandCover:
        """The class's name and colour; made up where the layer has none."""
        hue = round(GOLDEN_ANGLE * class_id) % 360
        return self.legend.get(class_id) or LandCover(class_id, str(class_id), QColor.fromHsv(hue, 150, 210).name())


def class_source(layer: QgsRasterLayer) -> ClassSource:
    """The class raster behind a layer; raises UnusableRaster. In the layer's own thread."""
    renderer = layer.renderer()
    shown = renderer.classes() if isinstance(renderer, QgsPalettedRasterRenderer) else ()
    legend = {
        int(item.value): LandCover(int(item.value), item.label or str(int(item.value)), item.color.name())
        for item in shown
    }
    return ClassSource(raster_file(layer), legend, layer.id())


class ClassRaster:
    """The first band of a class raster, open for reading. Not to be shared between threads."""

    def __init__(self, source: ClassSource) -> None:
        self.source = source
        self.dataset = open_dataset(source.file.path)
        self.band = self.dataset.GetRasterBand(1)
        self.placement = Placement(self.dataset)
        if self.band.DataType not in KINDS:
            kind = gdal.GetDataTypeName(self.band.DataType)
            raise UnusableRaster(
                f"'{source.file.name}' holds values of type {kind}, not class ids.",
                "Choose a class raster: one band of whole numbers.",
            )

    def window(self, extent: QgsRectangle) -> Window:
        """The pixels that an extent in the raster's CRS touches; the whole raster for an empty extent.
        Raises UnusableRaster where there are none."""
        if extent.isNull():
            return self.placement.window
        crs = self.source.file.crs
        window = Locator(self.placement, crs, crs, QgsCoordinateTransformContext()).window(extent)
        if window.is_empty:
            raise UnusableRaster(tr("The extent lies outside the raster."), tr("Choose one that meets it."))
        return window

    def read(self, window: Window, size: tuple[int, ...] = ()) -> np.ndarray:
        """Class ids int32 (rows, columns), NO_CLASS where there is no data; decimated to (columns, rows) if given."""
        box = (window.col, window.row, window.width, window.height, *size)
        gdal.ErrorReset()
        try:
            values, mask = (band.ReadAsArray(*box) for band in (self.band, self.band.GetMaskBand()))
        except RuntimeError:  # where another plugin has switched GDAL's exceptions on
            values = mask = None
        if values is None or mask is None:
            raise UnusableRaster(
                tr("The raster cannot be read: {why}.").format(why=gdal.GetLastErrorMsg()),
                tr("The file may be damaged."),
            )
        classes = values.astype(np.int32)  # first: NO_CLASS does not fit the types of files, and numpy 2 would wrap it
        classes[mask == 0] = NO_CLASS
        return classes

    def strips(self, window: Window) -> Iterator[tuple[Window, np.ndarray]]:
        """The window in full-width strips from top to bottom."""
        for row in range(window.row, window.row_end, BLOCK_PX):
            strip = Window(window.col, row, window.width, min(BLOCK_PX, window.row_end - row))
            yield strip, self.read(strip)

    def blocks(self, window: Window) -> Iterator[tuple[Window, np.ndarray]]:
        """The window in blocks, row-major."""
        for block in blocks(window, BLOCK_PX):
            yield block, self.read(block)
