"""XYZ and WMS base maps have no pixels of their own: an area of one is rendered at a chosen GSD into a GeoTIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np
from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsPointXY,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QObject, QSize, Qt, pyqtSignal
from qgis.PyQt.QtGui import QImage

from terrafine.qgis_plugin.language import Number, tr
from terrafine.shared.errors import TerrafineError, UnusableRaster
from terrafine.shared.geo import Window, gsd_from_corners

PROVIDERS = ("wms",)  # QGIS's provider for WMS, WMTS and XYZ
MAX_PIXELS = 4096 * 4096


def is_base_map(layer: Optional[QgsRasterLayer]) -> bool:
    return layer is not None and layer.providerType() in PROVIDERS


def sample_window(layer: QgsRasterLayer, extent: QgsRectangle, gsd_m: float) -> Window:
    """How many pixels of `gsd_m` metres an extent in the layer's CRS has; raises UnusableRaster if that is too many."""
    if extent.isEmpty():
        return Window(0, 0, 0, 0)
    unit_m = _metres_per_unit(layer.crs(), extent.center())
    window = Window(0, 0, *(max(1, round(side * unit_m / gsd_m)) for side in (extent.width(), extent.height())))
    if window.pixels > MAX_PIXELS:
        message = tr(
            "The area has {millions:,.0f} million pixels of {gsd:g} m; "
            "at most {most:.0f} million of a base map can be sampled."
        )
        raise UnusableRaster(
            message.format(millions=Number(window.pixels / 1e6), gsd=Number(gsd_m), most=MAX_PIXELS / 1e6),
            tr("Zoom in, or sample at a coarser size."),
        )
    return window


class Sampler(QObject):
    """Renders one base map at a time, without blocking.

    sampled  path of the GeoTIFF
    failed   TerrafineError
    """

    sampled = pyqtSignal(str)
    failed = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self._job: Optional[QgsMapRendererParallelJob] = None

    @property
    def is_busy(self) -> bool:
        return self._job is not None

    def start(self, layer: QgsRasterLayer, extent: QgsRectangle, gsd_m: float, target: Path) -> None:
        """Sample an extent in the layer's CRS; raises UnusableRaster where it cannot be."""
        window = sample_window(layer, extent, gsd_m)
        self.cancel()
        settings = QgsMapSettings()
        settings.setLayers([layer])
        settings.setDestinationCrs(layer.crs())
        settings.setExtent(extent)
        settings.setOutputSize(QSize(window.width, window.height))
        settings.setBackgroundColor(Qt.GlobalColor.transparent)
        self._job = QgsMapRendererParallelJob(settings)
        self._job.finished.connect(lambda: self._rendered(settings, target))
        self._job.start()

    def cancel(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.finished.disconnect()
            job.cancelWithoutBlocking()

    def _rendered(self, settings: QgsMapSettings, target: Path) -> None:
        job, self._job = self._job, None
        problem = next((error.message for error in job.errors()), "")
        if problem:
            message = tr("The base map could not be read: {reason}.").format(reason=problem)
            self.failed.emit(UnusableRaster(message, tr("Try again later.")))
            return
        try:
            _write(job.renderedImage(), settings.visibleExtent(), settings.destinationCrs(), target)
        except TerrafineError as error:
            self.failed.emit(error)
            return
        self.sampled.emit(str(target))


def _metres_per_unit(crs: QgsCoordinateReferenceSystem, at: QgsPointXY) -> float:
    """Ground metres of one map unit at a place: of a degree, or of a Web Mercator metre away from the equator."""
    degrees = QgsCoordinateReferenceSystem("EPSG:4326")
    transform = QgsCoordinateTransform(crs, degrees, QgsCoordinateTransformContext())
    step = 1e-3 if crs.isGeographic() else 1.0
    places = [at, QgsPointXY(at.x() + step, at.y()), QgsPointXY(at.x(), at.y() + step)]
    try:
        points = [transform.transform(place) for place in places]
    except QgsCsException as error:
        raise UnusableRaster(tr("The base map's CRS does not say how large it is on the ground.")) from error
    size = gsd_from_corners(np.array([(point.x(), point.y()) for point in points]))
    if size is None:
        raise UnusableRaster(tr("The base map's CRS does not say how large it is on the ground."))
    return size / step


def _write(image: QImage, extent: QgsRectangle, crs: QgsCoordinateReferenceSystem, target: Path) -> None:
    """Save a rendered image as a GeoTIFF of red, green, blue and alpha."""
    pixels = image.convertToFormat(QImage.Format.Format_RGBA8888)
    width, height = pixels.width(), pixels.height()
    bits = pixels.constBits()
    bits.setsize(pixels.bytesPerLine() * height)
    values = np.frombuffer(bits, np.uint8).reshape(height, pixels.bytesPerLine())[:, : 4 * width]
    bands = values.reshape(height, width, 4).transpose(2, 0, 1)
    options = ["TILED=YES", "COMPRESS=DEFLATE", "PHOTOMETRIC=RGB", "ALPHA=YES"]
    dataset = gdal.GetDriverByName("GTiff").Create(str(target), width, height, 4, gdal.GDT_Byte, options)
    if dataset is None:
        message = tr("The sample could not be saved: {reason}.").format(reason=gdal.GetLastErrorMsg())
        raise TerrafineError(message, tr("Check the project's folder."))
    step_x, step_y = extent.width() / width, extent.height() / height
    dataset.SetGeoTransform((extent.xMinimum(), step_x, 0.0, extent.yMaximum(), 0.0, -step_y))
    dataset.SetProjection(crs.toWkt())
    for number, band in enumerate(bands, 1):
        dataset.GetRasterBand(number).WriteArray(np.ascontiguousarray(band))
