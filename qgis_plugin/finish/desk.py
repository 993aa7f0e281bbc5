"""What is done with a finished map: the Deliver button's algorithms open with the map chosen."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QObject
from qgis.PyQt.QtWidgets import QDialog

from terrafine.qgis_plugin.processing.base import INPUT
from terrafine.qgis_plugin.workbench import Workbench


class FinishDesk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench = bench
        self.dialog: Optional[QDialog] = None
        bench.dock.marks.deliver.algorithm_asked.connect(self._open)

    def _open(self, name: str) -> None:
        """Open an algorithm's window as the toolbox does, with the map chosen."""
        import processing  # QGIS's own plugin, which may come after this one

        current = self._bench.sessions.of(self._bench.controller.session)
        if current is not None:
            current.map.flush()
            self.dialog = processing.createAlgorithmDialog(f"terrafine:{name}", {INPUT: current.map.layer.id()})
            self.dialog.show()
