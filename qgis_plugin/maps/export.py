"""Saving the map for others: a compressed GeoTIFF with overviews, and its style beside it, in the background."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.core import QgsApplication, QgsTask
from qgis.PyQt.QtCore import QObject, pyqtSignal

from terrafine.qgis_plugin.maps.layer import MapLayer, export_map
from terrafine.shared.errors import TerrafineError


class Exporter(QObject):
    """Exports one map at a time.

    saved   path of the copy
    failed  TerrafineError
    """

    saved = pyqtSignal(str)
    failed = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self._task: Optional[ExportTask] = None

    def start(self, result: MapLayer, path: str) -> None:
        """Write a copy of the map as it is now, and its style as a QGIS layer style beside it."""
        target = path if Path(path).suffix.lower() in (".tif", ".tiff") else f"{path}.tif"
        result.flush()
        result.layer.saveNamedStyle(str(Path(target).with_suffix(".qml")))
        self._task = ExportTask(self.tr("Exporting the map"), result.layer.source(), target)
        self._task.taskCompleted.connect(lambda: self.saved.emit(target))
        self._task.taskTerminated.connect(self._ended_early)
        QgsApplication.taskManager().addTask(self._task)

    def _ended_early(self) -> None:
        if not self._task.isCanceled() and self._task.error is not None:
            self.failed.emit(self._task.error)


class ExportTask(QgsTask):
    """Copies `source` to `target`; `error` says afterwards what went wrong."""

    def __init__(self, description: str, source: str, target: str) -> None:
        super().__init__(description, QgsTask.Flag.CanCancel)
        self._source, self._target = source, target
        self.error: Optional[TerrafineError] = None

    def run(self) -> bool:
        try:
            export_map(self._source, self._target, self._progress)
        except TerrafineError as error:
            self.error = error
        return self.error is None

    def _progress(self, fraction: float, message: str, data: object) -> int:
        self.setProgress(100 * fraction)
        return int(not self.isCanceled())
