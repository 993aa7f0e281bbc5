"""Algorithm: stratified random samples of a class map, to be labelled by a person."""

from __future__ import annotations

from typing import Any, Iterator

from qgis.core import (
    QgsGeometry,
    QgsPointXY,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterNumber,
    QgsProcessingUtils,
    QgsWkbTypes,
)

from terrafine.qgis_plugin.finish.class_raster import ClassRaster
from terrafine.qgis_plugin.finish.sample_layer import FIELDS, prepare
from terrafine.qgis_plugin.finish.sampling import (
    EQUAL,
    MINIMUM,
    PROPORTIONAL,
    allocate,
    choose_ranks,
    find_pixels,
    shuffled,
)
from terrafine.qgis_plugin.finish.tables import Row, write_rows
from terrafine.qgis_plugin.processing.base import OUTPUT, MapAlgorithm, Parameters, check, report_to
from terrafine.qgis_plugin.processing.statistics import count

NUMBER, ALLOCATION, LEAST, SEED = "NUMBER", "ALLOCATION", "MINIMUM", "SEED"
DEFAULT_SAMPLES, DEFAULT_MINIMUM = 300, 50


class Samples(MapAlgorithm):
    ID = "samples"
    GROUP_ID = "accuracy"
    _destination = ""

    def displayName(self) -> str:
        return self.tr("Stratified random samples")

    def shortHelpString(self) -> str:
        return self.tr(
            "Draws random pixels from each class of a map. Label what is really there, in the field 'reference', then "
            "assess the map's accuracy with them. Terrafine's panel 'Label samples' walks you through.\n\n"
            "Olofsson et al. (2014) advise 50 to 100 samples for each rare class, and to share the others by area. "
            "The samples come in random order, and nothing on the canvas shows what the map says of them: who labels "
            "should not know."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        whole = QgsProcessingParameterNumber.Type.Integer
        methods = {
            EQUAL: self.tr("The same number for each class"),
            PROPORTIONAL: self.tr("By area"),
            MINIMUM: self.tr("By area, with a minimum for each class"),
        }
        self.add_map()
        self.add(
            QgsProcessingParameterNumber(NUMBER, self.tr("Number of samples"), whole, DEFAULT_SAMPLES, minValue=1),
            self.tr("Altogether. Minimums for many classes may add up to more."),
        )
        self.add(
            QgsProcessingParameterEnum(ALLOCATION, self.tr("Shared out"), list(methods.values()), defaultValue=MINIMUM),
            self.tr("How many samples each class gets."),
        )
        self.add(
            QgsProcessingParameterNumber(LEAST, self.tr("Minimum for a class"), whole, DEFAULT_MINIMUM, minValue=2),
            self.tr("Only used where samples are shared out with a minimum."),
        )
        self.add(
            QgsProcessingParameterNumber(SEED, self.tr("Random seed"), whole, 1, minValue=0),
            self.tr("The same number draws the same samples again."),
        )
        self.add_extent()
        self.add(
            QgsProcessingParameterFeatureSink(OUTPUT, self.tr("Samples"), QgsProcessing.SourceType.TypeVectorPoint),
            self.tr("A point layer: sample_id, map_class, and reference, which is to be filled in."),
        )

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        raster, window = self.open_map(parameters, context)
        pixels = count(raster, window, report_to(feedback, 0.0, 0.5)).pixels
        self._classes = [self.source.cover(class_id) for class_id in sorted(pixels)]
        samples = allocate(
            pixels,
            self.parameterAsInt(parameters, NUMBER, context),
            self.parameterAsEnum(parameters, ALLOCATION, context),
            self.parameterAsInt(parameters, LEAST, context),
        )
        for item in self._classes:
            feedback.pushInfo(f"{item.name}: {samples[item.id]}")
        seed = self.parameterAsInt(parameters, SEED, context)
        found = find_pixels(raster.blocks(window), choose_ranks(pixels, samples, seed))
        check(feedback)
        sink, self._destination = self.parameterAsSink(
            parameters, OUTPUT, context, FIELDS, QgsWkbTypes.Type.Point, self.source.file.crs
        )
        write_rows(sink, FIELDS, _rows(raster, shuffled(found, seed)))
        return {OUTPUT: self._destination}

    def postProcessAlgorithm(self, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        layer = QgsProcessingUtils.mapLayerFromString(self._destination, context)
        if layer is not None:
            prepare(layer, self._classes, self.source.layer_id)
        return {}


def _rows(raster: ClassRaster, pixels: list[tuple[int, int, int]]) -> Iterator[Row]:
    """A point in the middle of each pixel."""
    for number, (col, row, class_id) in enumerate(pixels, 1):
        place = raster.placement.to_crs(col + 0.5, row + 0.5)
        yield (number, class_id, None), QgsGeometry.fromPointXY(QgsPointXY(*place))
