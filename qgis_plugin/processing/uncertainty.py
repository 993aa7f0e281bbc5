"""Algorithm: how unsure a model is of each pixel."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from osgeo import gdal
from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsProcessingParameterString

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.maps.layer import WORKING, place_like
from terrafine.qgis_plugin.processing.base import OUTPUT, Parameters
from terrafine.qgis_plugin.processing.remote_base import RemoteAlgorithm, export_window, write_patches
from terrafine.qgis_plugin.rasters.raster import RasterFile, open_dataset
from terrafine.shared.errors import TerrafineError
from terrafine.shared.spec import NODATA_CLASS

METHOD = "METHOD"
LARGEST = 254  # the byte that stands for 1


class Uncertainty(RemoteAlgorithm):
    ID = "uncertainty"
    GROUP_ID = "classify"

    def displayName(self) -> str:
        return self.tr("Map of uncertainty")

    def shortHelpString(self) -> str:
        return self.tr(
            "How unsure a model of a Terrafine server is of each pixel of an image: 0 is sure, 1 is as unsure as can "
            "be. High values show where to look first.\n\nThe result is a raster of bytes with a scale, which QGIS "
            "shows as values from 0 to 1."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add_image()
        self.add(
            QgsProcessingParameterString(METHOD, self.tr("Measure"), "entropy"),
            self.tr("entropy, margin, or another one that the model offers."),
        )
        self.add_server()
        self.add_extent()
        self.add_output_map()

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        target, window = self.parameterAsOutputLayer(parameters, OUTPUT, context), self.window(parameters, context)
        method = self.parameterAsString(parameters, METHOD, context)
        with tempfile.TemporaryDirectory() as folder, self.connect(parameters, context, feedback) as remote:
            path = Path(folder) / "uncertainty.tif"
            _create(path, self.image)
            write_patches(path, remote.measure_uncertainty(window, method))
            export_window(target, path, window, self.image, feedback)
        return {OUTPUT: target}


def _create(path: Path, image: RasterFile) -> None:
    """An empty raster of bytes on the image's grid."""
    source = open_dataset(image.path)
    size = (source.RasterXSize, source.RasterYSize)
    target = gdal.GetDriverByName("GTiff").Create(str(path), *size, 1, gdal.GDT_Byte, WORKING)
    if target is None:
        raise TerrafineError(
            tr("The raster could not be made: {why}.").format(why=gdal.GetLastErrorMsg()), tr("Check the disk's space.")
        )
    place_like(target, source, image.crs)
    band = target.GetRasterBand(1)
    band.SetNoDataValue(NODATA_CLASS)
    band.SetScale(1 / LARGEST)
    band.SetDescription("uncertainty")
