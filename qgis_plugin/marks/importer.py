"""Marks from any vector layer that has a class field: read in the background, transformed, mapped to the legend."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Optional, Sequence

from qgis.core import (
    QgsApplication,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsProject,
    QgsTask,
    QgsVectorLayer,
    QgsVectorLayerFeatureSource,
)
from qgis.PyQt.QtCore import QObject, pyqtSignal

from terrafine.qgis_plugin.marks.shapes import Unusable, shapes_of
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.rasters.raster import RasterFile, open_dataset
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import TerrafineError
from terrafine.shared.spec import LandCover

CLASS = "class"  # why a feature was left out, beside the reasons of Unusable


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
        self._transform = QgsCoordinateTransform(request.layer.crs(), raster.crs, context)
        self._classes = {str(item.id): item.id for item in classes}
        self._classes.update({item.name.strip().casefold(): item.id for item in classes})
        self.marks: list[Annotation] = []
        self.left_out: Counter[str] = Counter()
        self.error: Optional[TerrafineError] = None

    def run(self) -> bool:
        try:
            placement = Placement(open_dataset(self._path))
        except TerrafineError as error:
            self.error = error
            return False
        for number, feature in enumerate(self._features.getFeatures()):
            if self.isCanceled():
                return False
            self._take(feature, placement)
            self.setProgress(100.0 * number / self._count)
        return True

    def _take(self, feature: QgsFeature, placement: Placement) -> None:
        class_id = self._class_of(feature)
        if class_id is None:
            self.left_out[CLASS] += 1
            return
        geometry = feature.geometry()
        try:
            geometry.transform(self._transform)
            shapes = shapes_of(geometry, placement)
        except (Unusable, QgsCsException) as error:
            self.left_out[error.reason if isinstance(error, Unusable) else "outside"] += 1
            return
        for kind, vertices in shapes:
            width_px = self._width_px if kind == "stroke" else 0.0
            self.marks.append(Annotation(str(uuid.uuid4()), kind, vertices, class_id, width_px))

    def _class_of(self, feature: QgsFeature) -> Optional[int]:
        """By name or by id, whatever the field's type; 2.0 is 2."""
        value = feature[self._field]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return self._classes.get(str(value).strip().casefold())
