"""Algorithm: small regions of a class map go to their neighbours."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback

from terrafine.qgis_plugin.finish.filters import sieve, working_copy
from terrafine.qgis_plugin.processing.base import OUTPUT, Parameters, export_to, report_to
from terrafine.qgis_plugin.processing.region_size import RegionSizeAlgorithm


class Sieve(RegionSizeAlgorithm):
    ID = "sieve"
    GROUP_ID = "finish"

    def displayName(self) -> str:
        return self.tr("Sieve a class map")

    def shortHelpString(self) -> str:
        return self.tr(
            "Gives small regions of a class map to the largest region beside them, the smallest first. Pixels hang "
            "together along their edges, not at their corners. A region without any neighbour that is large enough "
            "stays as it is.\n\nThe result keeps names and colours."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add_map()
        self.add_smallest()
        self.add_extent()
        self.add_output_map()

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        raster, window = self.open_map(parameters, context)
        target = self.parameterAsOutputLayer(parameters, OUTPUT, context)
        smallest = self.smallest_px(parameters, context, raster, window)
        with tempfile.TemporaryDirectory() as folder:
            copy = working_copy(raster, window, Path(folder) / "sieved.tif")
            if smallest > 1:
                sieve(copy.file.path, smallest, report_to(feedback, 0.0, 0.8))
            export_to(target, copy, feedback)
        return {OUTPUT: target}
