"""Algorithm: where to look first."""

from __future__ import annotations

from typing import Any, Iterator

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
    QgsWkbTypes,
)

from terrafine.qgis_plugin.finish.tables import Row, fields, outline, write_rows
from terrafine.qgis_plugin.processing.base import OUTPUT, Parameters
from terrafine.qgis_plugin.processing.remote_base import RemoteAlgorithm
from terrafine.qgis_plugin.processing.uncertainty import METHOD
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.shared.learning import RankedPatch, RankOptions

SIZE, LIMIT = "SIZE", "LIMIT"
FIELDS = fields(rank=int, uncertainty=float)


class Queries(RemoteAlgorithm):
    ID = "queries"
    GROUP_ID = "classify"

    def displayName(self) -> str:
        return self.tr("Where to look first")

    def shortHelpString(self) -> str:
        return self.tr(
            "Ranks the squares of an image by how unsure a model of a Terrafine server is of them, so that an hour of "
            "checking goes where the map is most likely wrong.\n\nFields: rank, 1 is the first to look at, and "
            "uncertainty, the square's mean from 0 to 1."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        whole, defaults = QgsProcessingParameterNumber.Type.Integer, RankOptions()
        self.add_image()
        self.add(
            QgsProcessingParameterNumber(
                SIZE, self.tr("Side of a square, in pixels"), whole, defaults.size_px, minValue=16, maxValue=4096
            ),
            self.tr("Squares lie on a grid that begins at the image's corner."),
        )
        self.add(
            QgsProcessingParameterNumber(
                LIMIT, self.tr("Number of squares"), whole, defaults.limit, minValue=1, maxValue=10_000
            ),
            self.tr("The most uncertain ones."),
        )
        self.add(
            QgsProcessingParameterString(METHOD, self.tr("Measure"), defaults.method),
            self.tr("entropy, margin, or another one that the model offers."),
        )
        self.add_server()
        self.add_extent()
        self.add(
            QgsProcessingParameterFeatureSink(OUTPUT, self.tr("Squares"), QgsProcessing.SourceType.TypeVectorPolygon),
            self.tr("A polygon layer."),
        )

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        options = RankOptions(
            method=self.parameterAsString(parameters, METHOD, context),
            size_px=self.parameterAsInt(parameters, SIZE, context),
            limit=self.parameterAsInt(parameters, LIMIT, context),
        )
        with self.connect(parameters, context, feedback) as remote:
            ranked = remote.rank(self.window(parameters, context), options)
        sink, destination = self.parameterAsSink(
            parameters, OUTPUT, context, FIELDS, QgsWkbTypes.Type.Polygon, self.image.crs
        )
        write_rows(sink, FIELDS, _rows(ranked.patches, Placement(open_dataset(self.image.path))))
        return {OUTPUT: destination}


def _rows(patches: tuple[RankedPatch, ...], placement: Placement) -> Iterator[Row]:
    for rank, patch in enumerate(patches, 1):
        yield (rank, patch.score), outline(patch.window, placement)
