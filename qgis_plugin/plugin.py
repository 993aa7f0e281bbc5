"""What QGIS loads: adds one action and one dock, and takes away everything it has added."""

from __future__ import annotations

import importlib.util
from typing import Optional

from qgis.core import QgsApplication
from qgis.gui import QgisInterface, QgsDockWidget
from qgis.PyQt.QtCore import QObject, Qt
from qgis.PyQt.QtWidgets import QAction

from terrafine.qgis_plugin.desk import Desk
from terrafine.qgis_plugin.dock import Dock
from terrafine.qgis_plugin.finish.labelling import Labelling
from terrafine.qgis_plugin.language import install_translator, remove_translator
from terrafine.qgis_plugin.missing import MissingDock
from terrafine.qgis_plugin.processing.provider import Provider
from terrafine.qgis_plugin.settings import Settings
from terrafine.qgis_plugin.welcome.desk import WelcomeDesk
from terrafine.qgis_plugin.widgets import icon
from terrafine.qgis_plugin.workbench import Workbench

MENU = "&Terrafine"


class TerrafinePlugin(QObject):
    def __init__(self, iface: QgisInterface) -> None:
        super().__init__()
        self.iface = iface
        self.action: Optional[QAction] = None
        self.dock: Optional[QgsDockWidget] = None
        self.bench: Optional[Workbench] = None
        self.desk: Optional[Desk] = None
        self.provider: Optional[Provider] = None
        self.labelling: Optional[Labelling] = None
        self.welcome: Optional[WelcomeDesk] = None
        self._translator = install_translator()

    def initProcessing(self) -> None:  # noqa: N802 - QGIS's name
        """Offer the algorithms; `qgis_process` calls this alone."""
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:  # noqa: N802 - QGIS's name
        self.initProcessing()
        self._open_dock()
        window = self.iface.mainWindow()
        self.action = QAction(icon("terrafine"), "Terrafine", window)
        self.action.setObjectName("TerrafineAction")
        self.action.setToolTip(self.tr("Correct land-cover maps by pointing at mistakes"))
        self.action.setCheckable(True)
        self.dock.setToggleVisibilityAction(self.action)
        self.iface.addToolBarIcon(self.action)
        self.iface.addPluginToRasterMenu(MENU, self.action)
        self.labelling = Labelling(self.iface)

    def unload(self) -> None:
        """Remove everything; layers and files of sessions stay in the project."""
        QgsApplication.processingRegistry().removeProvider(self.provider)
        self.provider = None
        self.labelling.close()
        self.labelling = None
        menus = [entry.menu() for entry in self.iface.rasterMenu().actions() if entry.text() == MENU]
        self.iface.removePluginRasterMenu(MENU, self.action)
        for menu in menus:  # QGIS takes an empty menu out of its own, and keeps it
            menu.deleteLater()
        self.iface.removeToolBarIcon(self.action)
        self._close_dock()
        self.action.deleteLater()
        self.action = None
        remove_translator(self._translator)

    def _open_dock(self) -> None:
        """The workbench's dock, or one that says how to get pyzmq."""
        if importlib.util.find_spec("zmq") is None:
            self.dock = MissingDock(self.iface.mainWindow(), self._retry)
        else:
            settings = Settings.load()
            self.dock = Dock(settings, self.iface.mainWindow())
            self.bench = Workbench(self.iface, self.dock, settings)
            self.desk = Desk(self.bench)
            self.welcome = WelcomeDesk(self.bench)
            self.dock.marks.deliver.labelling_asked.connect(lambda: self.labelling.open())
        self.iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)

    def _close_dock(self) -> None:
        if self.desk is not None:
            self.welcome.close()
            self.desk.close()
            self.bench.close()
        self.welcome = self.desk = self.bench = None
        self.iface.removeDockWidget(self.dock)
        self.dock.deleteLater()
        self.dock = None

    def _retry(self) -> None:
        """pyzmq was installed meanwhile, perhaps."""
        importlib.invalidate_caches()
        self._close_dock()
        self._open_dock()
        self.dock.setToggleVisibilityAction(self.action)
