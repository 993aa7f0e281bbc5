"""Algorithm: boxes around things become their outlines."""

from __future__ import annotations

from typing import Any, Iterator, Optional

from qgis.core import (
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsFeatureSink,
    QgsFields,
    QgsGeometry,
    QgsPointXY,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsWkbTypes,
)

from terrafine.qgis_plugin.finish.tables import field
from terrafine.qgis_plugin.processing.base import OUTPUT, Parameters
from terrafine.qgis_plugin.processing.remote import ObjectRemote
from terrafine.qgis_plugin.processing.remote_base import MODEL, RemoteAlgorithm
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.shared.geo import Window, intersects
from terrafine.shared.objects import ObjectGuide

BOXES, LEAST, FOUND, MISSED = "BOXES", "LEAST_SCORE", "FOUND", "MISSED"
SCORE = "score"


class Objects(RemoteAlgorithm):
    ID = "objects"
    GROUP_ID = "classify"

    def displayName(self) -> str:
        return self.tr("Objects from boxes")

    def shortHelpString(self) -> str:
        return self.tr(
            "Turns boxes around things, buildings say, into their outlines, with a model of a Terrafine server that "
            "finds single objects.\n\nA box may be any feature: the rectangle around it counts, loosely drawn, with "
            "all of the object in it and the object in its middle. Boxes in which nothing was found are left out."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        number = QgsProcessingParameterNumber.Type.Double
        self.add_image()
        self.add(
            QgsProcessingParameterFeatureSource(
                BOXES, self.tr("Boxes"), [QgsProcessing.SourceType.TypeVectorAnyGeometry]
            ),
            self.tr("One feature around each object."),
        )
        self.add(
            QgsProcessingParameterNumber(LEAST, self.tr("Least score"), number, 0.0, minValue=0.0, maxValue=1.0),
            self.tr("Objects that the model is less sure of are left out; 0 keeps all."),
        )
        self.add_server()
        self.add_extent()
        self.add(
            QgsProcessingParameterFeatureSink(OUTPUT, self.tr("Objects"), QgsProcessing.SourceType.TypeVectorPolygon),
            self.tr("Polygons with the attributes of their boxes, and how sure the model is of each: score, 0 to 1."),
        )
        self.addOutput(QgsProcessingOutputNumber(FOUND, self.tr("Objects found")))
        self.addOutput(QgsProcessingOutputNumber(MISSED, self.tr("Boxes without an object")))

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        source = self.parameterAsSource(parameters, BOXES, context)
        fields = QgsFields(source.fields())
        fields.append(field(SCORE, float))
        sink, destination = self.parameterAsSink(
            parameters, OUTPUT, context, fields, QgsWkbTypes.Type.Polygon, self.image.crs
        )
        least, found = self.parameterAsDouble(parameters, LEAST, context), 0
        model, window = self.parameterAsString(parameters, MODEL, context), self.window(parameters, context)
        with ObjectRemote(self.place, self.image, model, feedback) as remote:
            for feature, score in self._outlined(source, context, remote, window):
                if score >= least:
                    feature.setFields(fields, initAttributes=False)
                    sink.addFeature(feature, QgsFeatureSink.Flag.FastInsert)
                    found += 1
        return {OUTPUT: destination, FOUND: found, MISSED: source.featureCount() - found}

    def _outlined(
        self, source: QgsProcessingFeatureSource, context: QgsProcessingContext, remote: ObjectRemote, window: Window
    ) -> Iterator[tuple[QgsFeature, float]]:
        """The features in a window that hold an object, with its outline in the image's CRS, and its score."""
        placement = Placement(open_dataset(self.image.path))
        turn = QgsCoordinateTransform(source.sourceCrs(), self.image.crs, context.transformContext())
        count = max(1, source.featureCount())
        for number, feature in enumerate(source.getFeatures()):
            guide = _guide(feature.geometry(), turn, placement)
            if guide is None or not intersects(guide.window, window):
                continue
            found = remote.find(guide, number / count, (number + 1) / count)
            if found.outline:
                ring = [QgsPointXY(*placement.to_crs(x, y)) for x, y in found.outline]
                outlined = QgsFeature()
                outlined.setGeometry(QgsGeometry.fromPolygonXY([ring]))
                outlined.setAttributes([*feature.attributes(), found.score])
                yield outlined, found.score


def _guide(geometry: QgsGeometry, turn: QgsCoordinateTransform, placement: Placement) -> Optional[ObjectGuide]:
    """The box around a feature on the image's pixels; None where it has none, or one that no object fits."""
    shape = QgsGeometry(geometry)
    if shape.isNull():
        return None
    try:
        shape.transform(turn)
        pixels = [placement.to_pixel(point.x(), point.y()) for point in shape.vertices()]
        box = QgsGeometry.fromMultiPointXY([QgsPointXY(x, y) for x, y in pixels]).boundingBox()
        return ObjectGuide((box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()))
    except (QgsCsException, ValueError):
        return None
