"""What the welcome panel and the help button do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Optional

from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QObject, Qt

from terrafine.qgis_plugin.effects import Tell
from terrafine.qgis_plugin.keys import Keys, chord
from terrafine.qgis_plugin.setup.place import data_folder
from terrafine.qgis_plugin.welcome.guide import Guide
from terrafine.qgis_plugin.workbench import Workbench

SAMPLE = Path(__file__).resolve().parents[1] / "sample/coast.tif"


class WelcomeDesk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench, self._panel = bench, bench.dock.welcome
        self.guide: Optional[Guide] = None
        self._panel.sample_asked.connect(self.open_sample)
        self._panel.guide_asked.connect(self.show_guide)
        self._panel.closed.connect(self._end)
        for tool in bench.toolbox.tools.values():
            tool.drawn.connect(self._end_with_the_last_step)
        bench.dock.server.welcome_asked.connect(self._panel.show)
        bench.dock.help_asked.connect(self.show_guide)
        self._keys = Keys(bench.dock, {chord(Qt.Key.Key_F1): self.show_guide}, lambda: True)

    def close(self) -> None:
        self._keys.remove()
        if self.guide is not None:
            self.guide.deleteLater()

    def show_guide(self) -> None:
        if self.guide is None:
            self.guide = Guide(self._bench.iface.mainWindow())
        self.guide.show()
        self.guide.raise_()

    def open_sample(self) -> None:
        """Add a copy of the sample to the project, that an update of the plugin does not take away, and look at it."""
        try:
            path = self._copy()
        except OSError as error:
            message = self.tr("The sample cannot be copied to '{folder}': {reason}.")
            self._bench.tell(Tell(message.format(folder=data_folder(), reason=error.strerror)))
            return
        layer = QgsRasterLayer(str(path), self.tr("Sample coast"))
        QgsProject.instance().addMapLayer(layer)
        self._bench.dock.map.raster.setLayer(layer)
        canvas = self._bench.iface.mapCanvas()
        canvas.setExtent(canvas.mapSettings().layerExtentToOutputExtent(layer, layer.extent()))
        canvas.refresh()

    def _copy(self) -> Path:
        path = data_folder() / "sample" / SAMPLE.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            shutil.copyfile(SAMPLE, path)
        return path

    def _end_with_the_last_step(self) -> None:
        """Give the room back once somebody has drawn."""
        if not self._panel.isHidden():
            self._end()

    def _end(self) -> None:
        self._panel.hide()
        self._bench.settings.welcomed = True
        self._bench.settings.save()
