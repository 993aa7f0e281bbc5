"""How unsure the map is: a GeoTIFF of values 0 … 1 on a coarser grid than the raster's, and its style.

It is written in place like the map, see maps/layer.py: bytes 0 … 254, 255 for no data, with a scale that makes QGIS and
others read them as 0 … 1.
"""

from __future__ import annotations

import math
from pathlib import Path

from osgeo import gdal
from qgis.core import (
    QgsColorRampShader,
    QgsCoordinateReferenceSystem,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRasterShader,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

from terrafine.qgis_plugin.language import Number
from terrafine.qgis_plugin.maps.layer import WORKING, finish_file, place_like, unwritable
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.shared.geo import Window
from terrafine.shared.learning import MOST_FACTOR
from terrafine.shared.spec import NODATA_CLASS

LARGEST_SIDE_PX = 2048
LEVELS = 254  # the byte that stands for 1
OPACITY = 0.7  # the map and the image show through
VIRIDIS = (  # perceptually uniform, and legible to the colour-blind
    "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725",
)  # fmt: skip


def reduction(raster: Window) -> int:
    """How many pixels of a raster make one of its map of uncertainty, a side: so many that this is not too large."""
    return min(MOST_FACTOR, math.ceil(max(raster.shape) / LARGEST_SIDE_PX))


def create_uncertainty_file(path: Path, like: str, crs: QgsCoordinateReferenceSystem, factor: int) -> None:
    """Make an empty map on the grid of the raster `like` divided by `factor`; raises TerrafineError if that fails."""
    thinned = _thinned(open_dataset(like), factor)
    size = thinned.RasterXSize, thinned.RasterYSize
    target = gdal.GetDriverByName("GTiff").Create(str(path), *size, 1, gdal.GDT_Byte, WORKING)
    if target is None:
        raise unwritable(gdal.GetLastErrorMsg())
    place_like(target, thinned, crs)
    band = target.GetRasterBand(1)
    band.SetDescription("uncertainty")
    band.SetNoDataValue(NODATA_CLASS)
    band.SetScale(1 / LEVELS)
    finish_file(target)


def open_uncertainty_layer(path: Path, name: str, crs: QgsCoordinateReferenceSystem) -> QgsRasterLayer:
    """The styled layer of a map of uncertainty."""
    options = QgsRasterLayer.LayerOptions(loadDefaultStyle=False)  # it would look for a range in an empty file
    layer = QgsRasterLayer(str(path), name, "gdal", options)
    layer.setCrs(crs)
    layer.setRenderer(uncertainty_renderer(layer.dataProvider()))
    layer.setOpacity(OPACITY)
    return layer


def uncertainty_renderer(provider: QgsRasterDataProvider) -> QgsSingleBandPseudoColorRenderer:
    """Dark where the map is sure, bright where it is not."""
    ramp = QgsColorRampShader(0.0, 1.0)
    ramp.setColorRampType(QgsColorRampShader.Type.Interpolated)
    steps = [(number / (len(VIRIDIS) - 1), color) for number, color in enumerate(VIRIDIS)]
    ramp.setColorRampItemList(
        [QgsColorRampShader.ColorRampItem(value, QColor(color), f"{Number(value):.2f}") for value, color in steps]
    )
    shader = QgsRasterShader(0.0, 1.0)
    shader.setRasterShaderFunction(ramp)
    renderer = QgsSingleBandPseudoColorRenderer(provider, 1, shader)
    renderer.setClassificationMin(0.0)
    renderer.setClassificationMax(1.0)
    return renderer


def _thinned(source: gdal.Dataset, factor: int) -> gdal.Dataset:
    """The raster on its grid divided by `factor`, the last row and column reaching beyond it if need be."""
    cols, rows = math.ceil(source.RasterXSize / factor), math.ceil(source.RasterYSize / factor)
    whole = [0, 0, cols * factor, rows * factor]
    thinned = gdal.Translate("", source, format="VRT", srcWin=whole, width=cols, height=rows)
    if not (thinned.GetGeoTransform(can_return_null=True) or thinned.GetGCPCount() or thinned.GetMetadata("RPC")):
        thinned.SetGeoTransform((0.0, factor, 0.0, 0.0, 0.0, -factor))  # as QGIS draws a raster that lies nowhere
    return thinned
