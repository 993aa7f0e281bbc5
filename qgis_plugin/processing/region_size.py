"""The parameter "smallest region", in pixels or square metres, and what it comes to."""

from __future__ import annotations

import math

from qgis.core import QgsProcessingContext, QgsProcessingParameterEnum, QgsProcessingParameterNumber

from terrafine.qgis_plugin.finish.class_raster import ClassRaster
from terrafine.qgis_plugin.finish.ground import row_areas_m2
from terrafine.qgis_plugin.processing.base import MapAlgorithm, Parameters
from terrafine.shared.geo import Window

SMALLEST, UNIT = "SMALLEST", "UNIT"
PIXELS, SQUARE_METRES = range(2)
DEFAULT_PX = 25


class RegionSizeAlgorithm(MapAlgorithm):
    """Base of those that ask for the smallest region to keep."""

    def add_smallest(self) -> None:
        number = QgsProcessingParameterNumber.Type.Double
        self.add(
            QgsProcessingParameterNumber(SMALLEST, self.tr("Smallest region to keep"), number, DEFAULT_PX, minValue=0),
            self.tr("Regions that are smaller go to their largest neighbour; 0 keeps all."),
        )
        units = [self.tr("pixels"), self.tr("m²")]
        self.add(
            QgsProcessingParameterEnum(UNIT, self.tr("Measured in"), units, defaultValue=PIXELS),
            self.tr("Pixels, or square metres on the ground."),
        )

    def smallest_px(
        self, parameters: Parameters, context: QgsProcessingContext, raster: ClassRaster, window: Window
    ) -> int:
        """The smallest region in whole pixels, each as large as those in the middle of the window."""
        size = self.parameterAsDouble(parameters, SMALLEST, context)
        if self.parameterAsEnum(parameters, UNIT, context) == SQUARE_METRES:
            middle = Window(window.col, window.row + window.height // 2, window.width, 1)
            size /= float(row_areas_m2(raster.placement, raster.source.file.crs, middle)[0])
        return math.ceil(size)
