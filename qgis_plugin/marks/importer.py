"""Marks from any vector layer that has a class field: read in the background, transformed, mapped to the legend."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Optional, Sequence

from qgis.core import (
    QgsApplication,
    QgsCoordinateTransform,
    QgsFeature,
    QgsProject,
    QgsTask,
    QgsVectorLayer,
    QgsVectorLayerFeatureSource,
)
from qgis.PyQt.QtCore import QObject, pyqtSignal

from terrafine.qgis_plugin.marks.features import FeatureMarks
from terrafine.qgis_plugin.marks.shapes import Unusable
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.rasters.raster import RasterFile, open_dataset
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import TerrafineError
from terrafine.shared.spec import LandCover

TOLD_EVERY = 100  # features: each time is an event for the main thread


@dataclass(frozen=True)
class Request:
    """Marks wanted from a layer: by which field they are classified, and how wide its lines are in raster pixels."""

    layer: QgsVectorLayer
    field: str
    width_px: float


class Importer(QObject):
    """Imports one layer at a time.

    taken   marks, and a Counter of the features left out by reason
    failed  TerrafineError
    """

    taken = pyqtSignal(object, object)
    failed = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self._task: Optional[ImportTask] = None

    def start(self, request: Request, raster: RasterFile, classes: Sequence[LandCover]) -> None:
        task = ImportTask(self.tr("Importing marks"), request, raster, classes)
        task.taskCompleted.connect(lambda: self.taken.emit(tuple(task.marks), task.left_out))
        task.taskTerminated.connect(lambda: task.error is not None and self.failed.emit(task.error))
        self._task = task  # Python's part must outlive QGIS's
        QgsApplication.taskManager().addTask(task)


class ImportTask(QgsTask):
    """Reads `marks`; `left_out` counts the features that are none, `error` says what went wrong."""

    def __init__(self, description: str, request: Request, raster: RasterFile, classes: Sequence[LandCover]) -> None:
        super().__init__(description, QgsTask.Flag.CanCancel)
        self._features = QgsVectorLayerFeatureSource(request.layer)
        self._count = max(1, request.layer.featureCount())
        self._field, self._width_px, self._path = request.field, request.width_px, raster.path
        context = QgsProject.instance().transformContext()
        self._to_raster = QgsCoordinateTransform(request.layer.crs(), raster.crs, context)
        self._classes = tuple(classes)
        self.marks: list[Annotation] = []
        self.left_out: Counter[str] = Counter()
        self.error: Optional[TerrafineError] = None

    def run(self) -> bool:
        try:
            placement = Placement(open_dataset(self._path))
        except TerrafineError as error:
            self.error = error
            return False
        maker = FeatureMarks(self._field, self._to_raster, placement, self._classes, self._width_px)
        for number, feature in enumerate(self._features.getFeatures()):
            if self.isCanceled():
                return False
            self._take(feature, maker)
            if number % TOLD_EVERY == 0:
                self.setProgress(100.0 * number / self._count)
        return True

    def _take(self, feature: QgsFeature, maker: FeatureMarks) -> None:
        try:
            self.marks += maker.of(feature)
        except Unusable as error:
            self.left_out[error.reason] += 1
