"""What the algorithms that classify have in common: how finely the map is drawn, and what the model is told."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
)

from terrafine.qgis_plugin.processing.base import OUTPUT, Parameters
from terrafine.qgis_plugin.processing.remote import Remote
from terrafine.qgis_plugin.processing.remote_base import RemoteAlgorithm, save_map
from terrafine.qgis_plugin.rasters.placement import Locator, Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.qgis_plugin.side.points import read_points
from terrafine.shared.spec import FAST, FINE, PLAIN

DETAIL, POINTS, FIELDS = "DETAIL", "POINTS", "FIELDS"
IN_ORDER = (PLAIN, FAST, FINE)


class MapAlgorithm(RemoteAlgorithm):
    """Base of those that make a map."""

    def add_detail(self) -> None:
        names = {PLAIN: self.tr("Standard"), FAST: self.tr("Fine where in doubt"), FINE: self.tr("Fine")}
        self.add(
            QgsProcessingParameterEnum(
                DETAIL, self.tr("Detail"), [names[detail] for detail in IN_ORDER], defaultValue=0
            ),
            self.tr("A second, closer look: sharper outlines in several times the time. Not every model offers it."),
        )

    def add_side(self) -> None:
        self.add(
            QgsProcessingParameterFeatureSource(
                POINTS, self.tr("Side information"), [QgsProcessing.SourceType.TypeVectorPoint], optional=True
            ),
            self.tr("Points whose numbers the model is told, if it is one that takes any."),
        )
        numeric = QgsProcessingParameterField.DataType.Numeric
        self.add(
            QgsProcessingParameterField(
                FIELDS, self.tr("Numbers"), None, POINTS, numeric, allowMultiple=True, optional=True
            ),
            self.tr("The fields with them, in the model's order; empty for those of the names that the model knows."),
        )

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        target, window = self.parameterAsOutputLayer(parameters, OUTPUT, context), self.window(parameters, context)
        with self.connect(parameters, context, feedback) as remote:
            self.prepare(parameters, context, remote)
            detail = IN_ORDER[self.parameterAsEnum(parameters, DETAIL, context)]
            save_map(target, remote.classify(window, detail=detail), window, self.image, remote, feedback)
        return {OUTPUT: target}

    def prepare(self, parameters: Parameters, context: QgsProcessingContext, remote: Remote) -> None:
        """Tell the model what it is to know before it classifies."""
        points = self.parameterAsSource(parameters, POINTS, context)
        if points is not None:
            fields = self._fields(parameters, context) or remote.spec.side.names
            placement = Placement(open_dataset(self.image.path))
            locator = Locator(placement, self.image.crs, points.sourceCrs(), context.transformContext())
            remote.tell(read_points(points, fields, locator, placement.window))

    def _fields(self, parameters: Parameters, context: QgsProcessingContext) -> list[str]:
        read = getattr(self, "parameterAsStrings", None) or self.parameterAsFields  # the former since QGIS 3.34
        return read(parameters, FIELDS, context)
