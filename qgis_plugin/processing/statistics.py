"""Algorithm: how much there is of each class."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterFeatureSink,
    QgsWkbTypes,
)

from terrafine.qgis_plugin.finish.class_raster import ClassRaster
from terrafine.qgis_plugin.finish.filters import Report
from terrafine.qgis_plugin.finish.ground import row_areas_m2
from terrafine.qgis_plugin.finish.tables import HECTARE_DIGITS, PERCENT_DIGITS, Row, fields, write_rows
from terrafine.qgis_plugin.finish.tally import Tally
from terrafine.qgis_plugin.processing.base import OUTPUT, MapAlgorithm, Parameters, report_to
from terrafine.shared.errors import Cancelled
from terrafine.shared.geo import Window

FIELDS = fields(class_id=int, class_name=str, pixels=int, hectares=float, share_percent=float)
M2_PER_HECTARE = 10_000.0


class Statistics(MapAlgorithm):
    ID = "statistics"
    GROUP_ID = "finish"

    def displayName(self) -> str:
        return self.tr("Statistics by class")

    def shortHelpString(self) -> str:
        return self.tr(
            "Counts the pixels of each class: a table of pixels, hectares and percent.\n\nHectares are measured on the "
            "WGS 84 ellipsoid, row by row, so they are right in any CRS, degrees and Web Mercator included; they are "
            "empty where the map has no CRS. Percent are of the area, or of the pixels without a CRS; what has no data "
            "does not count."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add_map()
        self.add_extent()
        self.add(
            QgsProcessingParameterFeatureSink(OUTPUT, self.tr("Statistics"), QgsProcessing.SourceType.TypeVector),
            self.tr("A table: class_id, class_name, pixels, hectares, share_percent."),
        )

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        raster, window = self.open_map(parameters, context)
        tally = count(raster, window, report_to(feedback))
        sink, destination = self.parameterAsSink(
            parameters, OUTPUT, context, FIELDS, QgsWkbTypes.Type.NoGeometry, QgsCoordinateReferenceSystem()
        )
        write_rows(sink, FIELDS, self._rows(tally))
        return {OUTPUT: destination}

    def _rows(self, tally: Tally) -> Iterator[Row]:
        measured = self.source.file.crs.isValid()
        for class_id in tally.classes:
            hectares = round(tally.area_m2[class_id] / M2_PER_HECTARE, HECTARE_DIGITS) if measured else None
            percent = round(100.0 * tally.share(class_id), PERCENT_DIGITS)
            yield (class_id, self.source.cover(class_id).name, tally.pixels[class_id], hectares, percent), None


def count(raster: ClassRaster, window: Window, report: Report) -> Tally:
    """The classes in a window of a map; without a CRS every pixel counts as a square metre."""
    tally, crs = Tally(), raster.source.file.crs
    done = 0
    for block, classes in raster.blocks(window):
        areas = row_areas_m2(raster.placement, crs, block) if crs.isValid() else np.ones(block.height)
        tally.add(classes, areas)
        done += block.pixels
        if not report(done / window.pixels):
            raise Cancelled("The count was stopped.")
    return tally
