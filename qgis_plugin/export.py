"""Saving the map for others: a compressed GeoTIFF with overviews, and its style beside it, in the background."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.core import QgsTask

from terrafine.qgis_plugin.map_layer import export_map
from terrafine.shared.errors import TerrafineError


class ExportTask(QgsTask):
    """Copies `source` to `target`; `error` says afterwards what went wrong."""

    def __init__(self, description: str, source: str, target: str) -> None:
        super().__init__(description, QgsTask.Flag.CanCancel)
        self._source, self.target = source, target
        self.error: Optional[TerrafineError] = None

    def run(self) -> bool:
        try:
            export_map(self._source, self.target, self._progress)
        except TerrafineError as error:
            self.error = error
        return self.error is None

    def _progress(self, fraction: float, message: str, data: object) -> int:
        self.setProgress(100 * fraction)
        return int(not self.isCanceled())


def with_suffix(path: str) -> str:
    """A file name that GDAL and people recognise as a GeoTIFF."""
    return path if Path(path).suffix.lower() in (".tif", ".tiff") else f"{path}.tif"
