"""Algorithm: each pixel of a class map takes the class that most of its neighbourhood has."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsProcessingParameterNumber

from terrafine.qgis_plugin.finish.class_raster import ClassRaster
from terrafine.qgis_plugin.finish.filters import filter_majority, working_copy
from terrafine.qgis_plugin.processing.base import OUTPUT, MapAlgorithm, Parameters, export_to, report_to

RADIUS = "RADIUS"
LARGEST_RADIUS_PX = 50


class Majority(MapAlgorithm):
    ID = "majority"
    GROUP_ID = "finish"

    def displayName(self) -> str:
        return self.tr("Majority filter of a class map")

    def shortHelpString(self) -> str:
        return self.tr(
            "Gives each pixel the class that is most frequent in a square around it, which smooths ragged borders and "
            "takes away speckle. Where no class is more frequent than the pixel's own, it keeps that. Pixels without "
            "data stay so, and have no vote.\n\nThe result keeps names and colours."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add_map()
        whole = QgsProcessingParameterNumber.Type.Integer
        self.add(
            QgsProcessingParameterNumber(
                RADIUS, self.tr("Radius, in pixels"), whole, 2, minValue=1, maxValue=LARGEST_RADIUS_PX
            ),
            self.tr("1 looks at 3 × 3 pixels, 2 at 5 × 5."),
        )
        self.add_extent()
        self.add_output_map()

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        raster, window = self.open_map(parameters, context)
        target = self.parameterAsOutputLayer(parameters, OUTPUT, context)
        radius = self.parameterAsInt(parameters, RADIUS, context)
        with tempfile.TemporaryDirectory() as folder:
            before, after = (working_copy(raster, window, Path(folder) / f"{name}.tif") for name in ("before", "after"))
            filter_majority(ClassRaster(before), after.file.path, radius, report_to(feedback, 0.0, 0.8))
            export_to(target, after, feedback)
        return {OUTPUT: target}
