"""What the user does about side information becomes events."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsProject
from qgis.PyQt.QtCore import QObject

from terrafine.qgis_plugin.effects import told
from terrafine.qgis_plugin.side.dialog import SideDialog
from terrafine.qgis_plugin.side.points import read_points
from terrafine.qgis_plugin.workbench import Workbench
from terrafine.shared.errors import TerrafineError
from terrafine.shared.side import NOWHERE, SideInformation


class SideDesk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench = bench
        self.dialog: Optional[SideDialog] = None
        bench.dock.map.side_asked.connect(self._ask)

    def _ask(self) -> None:
        session = self._bench.controller.session
        if session is None:
            return
        is_told = session.history.network.side != NOWHERE
        self.dialog = SideDialog(session.model, is_told, self._bench.iface.mainWindow())
        self.dialog.accepted.connect(self._read)
        self.dialog.forget_asked.connect(lambda: self._tell_model(NOWHERE))
        self.dialog.finished.connect(self.dialog.deleteLater)
        self.dialog.open()

    def _read(self) -> None:
        current = self._bench.sessions.of(self._bench.controller.session)
        layer, fields = self.dialog.layer.currentLayer(), self.dialog.chosen
        if current is None or layer is None:
            return
        locator = current.locator(layer.crs(), QgsProject.instance().transformContext())
        try:
            side = read_points(layer, fields, locator, locator.placement.window)
        except TerrafineError as error:
            self._bench.tell(told(error))
            return
        self._tell_model(side)

    def _tell_model(self, side: SideInformation) -> None:
        self._bench.handle(lambda controller: controller.tell_model(side))
