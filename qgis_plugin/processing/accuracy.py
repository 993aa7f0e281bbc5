"""Algorithm: how accurate a class map is, by labelled samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

import numpy as np
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFields,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsWkbTypes,
)

from terrafine.qgis_plugin.finish.labelled import changed_since, check_enough, count_samples, read_samples
from terrafine.qgis_plugin.finish.olofsson import Assessment, Estimate, assess
from terrafine.qgis_plugin.finish.picture import picture_of
from terrafine.qgis_plugin.finish.report import Material, Report
from terrafine.qgis_plugin.finish.sample_layer import MAP_CLASS, REFERENCE
from terrafine.qgis_plugin.finish.tables import HECTARE_DIGITS, PERCENT_DIGITS, SHARE_DIGITS, fields, write_rows
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.processing.base import OUTPUT, MapAlgorithm, Parameters, report_to
from terrafine.qgis_plugin.processing.statistics import M2_PER_HECTARE, count
from terrafine.shared.errors import TerrafineError
from terrafine.shared.spec import LandCover

SAMPLES, MAP_FIELD, REFERENCE_FIELD, MATRIX, REPORT = "SAMPLES", "MAP_FIELD", "REFERENCE_FIELD", "MATRIX", "REPORT"
OVERALL, OVERALL_MARGIN = "OVERALL", "OVERALL_MARGIN"
FIELDS = fields(
    class_id=int,
    class_name=str,
    samples=int,
    users_percent=float,
    users_margin=float,
    producers_percent=float,
    producers_margin=float,
    mapped_hectares=float,
    hectares=float,
    hectares_margin=float,
)
MATRIX_FIELDS = fields(map_class=int, map_name=str, reference=int, reference_name=str, samples=int, area_share=float)


class Accuracy(MapAlgorithm):
    ID = "accuracy"
    GROUP_ID = "accuracy"

    def displayName(self) -> str:
        return self.tr("Assess accuracy")

    def shortHelpString(self) -> str:
        return self.tr(
            "How accurate a class map is, and how much there really is of each class, by labelled random samples "
            "(algorithm 'Stratified random samples').\n\n"
            "Gives overall, user's and producer's accuracy, and areas corrected by the map's mistakes, all with 95 % "
            "confidence intervals, after Olofsson et al. (2014), Remote Sensing of Environment 148, 42-57. The "
            "samples must be a random choice within each class of this very map: correct the map, and it needs new "
            "samples; and give the extent that they were drawn from.\n\nColumns named margin are half the width of "
            "the interval. Samples without a label are left out."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add_map()
        points = [QgsProcessing.SourceType.TypeVectorPoint]
        self.add(
            QgsProcessingParameterFeatureSource(SAMPLES, self.tr("Labelled samples"), points),
            self.tr("The layer that 'Stratified random samples' has made, labelled."),
        )
        self.add(
            QgsProcessingParameterField(REFERENCE_FIELD, self.tr("Reference class"), REFERENCE, SAMPLES, optional=True),
            self.tr("The field with the id of the class that is really there."),
        )
        self.add(
            QgsProcessingParameterField(MAP_FIELD, self.tr("Map class"), MAP_CLASS, SAMPLES, optional=True),
            self.tr("The field with the id of the class that the map showed when the sample was drawn."),
        )
        self.add_extent()
        self._add_outputs()

    def _add_outputs(self) -> None:
        table = QgsProcessing.SourceType.TypeVector
        self.add(
            QgsProcessingParameterFeatureSink(OUTPUT, self.tr("Accuracy by class"), table),
            self.tr("A table with a row for each class."),
        )
        self.add(
            QgsProcessingParameterFeatureSink(MATRIX, self.tr("Error matrix"), table, None, True),
            self.tr("A table with a row for each pair of map class and reference class."),
        )
        self.add(
            QgsProcessingParameterFileDestination(REPORT, self.tr("Report"), "HTML (*.html)", None, True),
            self.tr("A page with tables and pictures, in one file."),
        )
        self.addOutput(QgsProcessingOutputNumber(OVERALL, self.tr("Overall accuracy, percent")))
        self.addOutput(QgsProcessingOutputNumber(OVERALL_MARGIN, self.tr("Half of its 95 % interval, percent")))

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        material = self._material(parameters, context, feedback)
        for warning in material.warnings:
            feedback.pushWarning(warning)
        found = material.assessment
        results = {
            OUTPUT: self._save(OUTPUT, FIELDS, _class_rows(material), parameters, context),
            MATRIX: self._save(MATRIX, MATRIX_FIELDS, _matrix_rows(material.classes, found), parameters, context),
            OVERALL: 100 * float(found.overall.value),
            OVERALL_MARGIN: 100 * float(found.overall.margin),
        }
        target = self.parameterAsFileOutput(parameters, REPORT, context)
        if target:
            results[REPORT] = _write(target, Report(material).html())
        return results

    def _material(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Material:
        """Count the map, read the samples, assess."""
        raster, window = self.open_map(parameters, context)
        tally = count(raster, window, report_to(feedback, 0.0, 0.8))
        samples, unlabelled = read_samples(
            self.parameterAsSource(parameters, SAMPLES, context),
            self.parameterAsString(parameters, MAP_FIELD, context),
            self.parameterAsString(parameters, REFERENCE_FIELD, context),
            raster,
        )
        ids = sorted({*tally.classes, *(s.reference for s in samples), *(s.map_class for s in samples)})
        classes = [self.source.cover(class_id) for class_id in ids]
        counts = count_samples(samples, ids)
        weights = np.array([tally.area_m2.get(class_id, 0.0) for class_id in ids])
        check_enough(counts, weights, classes)
        total = float(weights.sum()) / M2_PER_HECTARE if self.source.file.crs.isValid() else None
        warnings = self._warnings(unlabelled, changed_since(samples, raster))
        return Material(
            map_name=self.source.file.name,
            hectares=total,
            classes=classes,
            assessment=assess(counts, weights),
            samples=samples,
            window=window,
            picture=picture_of(raster, window),
            warnings=warnings,
        )

    def _warnings(self, unlabelled: int, changed: int) -> list[str]:
        said = []
        if unlabelled:
            said.append(self.tr("Samples without a label, left out: {count}.").format(count=unlabelled))
        if changed:
            said.append(
                self.tr(
                    "Samples where the map shows another class now than when they were drawn: {count}. This assesses "
                    "the map as it was then; a map that was corrected since needs new samples."
                ).format(count=changed)
            )
        return said

    def _save(
        self,
        name: str,
        columns: QgsFields,
        rows: Iterator[list[Any]],
        parameters: Parameters,
        context: QgsProcessingContext,
    ) -> Optional[str]:
        """Write a table, if it is wanted."""
        nowhere = QgsCoordinateReferenceSystem()
        sink, destination = self.parameterAsSink(
            parameters, name, context, columns, QgsWkbTypes.Type.NoGeometry, nowhere
        )
        if sink is None:
            return None
        write_rows(sink, columns, ((row, None) for row in rows))
        return destination


def _class_rows(material: Material) -> Iterator[list[Any]]:
    found, whole = material.assessment, material.hectares
    for k, item in enumerate(material.classes):
        accuracies = [number for kind in (found.users, found.producers) for number in _percents(kind, k)]
        areas = (found.weights[k], found.areas.value[k], found.areas.margin[k])
        hectares = [None if whole is None else round(whole * float(share), HECTARE_DIGITS) for share in areas]
        yield [item.id, item.name, int(found.counts[k].sum()), *accuracies, *hectares]


def _matrix_rows(classes: Sequence[LandCover], found: Assessment) -> Iterator[list[Any]]:
    for i, on_map in enumerate(classes):
        for j, there in enumerate(classes):
            numbers = [int(found.counts[i, j]), round(float(found.cells[i, j]), SHARE_DIGITS)]
            yield [on_map.id, on_map.name, there.id, there.name, *numbers]


def _percents(estimate: Estimate, k: int) -> list[Optional[float]]:
    """The k-th value and margin in percent; None where there are none."""
    numbers = (100 * float(estimate.value[k]), 100 * float(estimate.margin[k]))
    return [None if np.isnan(number) else round(number, PERCENT_DIGITS) for number in numbers]


def _write(target: str, page: str) -> str:
    try:
        Path(target).write_text(page, "utf-8")
    except OSError as error:
        raise TerrafineError(
            tr("The report could not be saved: {why}.").format(why=error.strerror), tr("Choose another place.")
        ) from error
    return target
