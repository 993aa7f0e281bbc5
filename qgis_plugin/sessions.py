"""The sessions of the open project and their layers."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Optional

from qgis.core import QgsProject, QgsRasterLayer
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from terrafine.qgis_plugin import layers
from terrafine.qgis_plugin.layers import SessionLayers
from terrafine.qgis_plugin.look.layers import LookLayers
from terrafine.qgis_plugin.maps.layer import discard
from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.marks.edits import MarksEdits
from terrafine.qgis_plugin.state import Session
from terrafine.shared.annotation import Delta


class Sessions(QObject):
    """The sessions of a project.

    changed  sessions have come or gone with the project or with their layers
    edited   SessionLayers whose marks were edited with QGIS's tools: marks added, ids removed, edits that are no marks
    """

    changed = pyqtSignal()
    edited = pyqtSignal(object, object, object, int)

    def __init__(self, project: QgsProject, chosen_folder: str, iface: QgisInterface) -> None:
        super().__init__()
        self._project, self._chosen_folder = project, chosen_folder
        self.repainter = Repainter(iface)
        self._all: dict[str, SessionLayers] = {}
        self._edits: dict[str, MarksEdits] = {}
        self._looks: dict[str, LookLayers] = {}
        project.layersWillBeRemoved.connect(self._forget)
        project.readProject.connect(self.find)
        project.projectSaved.connect(self._adopt)

    def find(self) -> None:
        """Take up the sessions whose layers the project holds."""
        for found in layers.restore(self._project, self.repainter):
            if found.session.id not in self._all:
                self._add(found)
        self.changed.emit()

    def create(self, session: Session, raster: QgsRasterLayer) -> None:
        """Make a session's files and layers; raises TerrafineError where they cannot be written."""
        folder = layers.session_folder(self._project, self._chosen_folder)
        self._add(layers.create(session, raster, folder, self._project, self.repainter))

    def store_locks(self, session: Session, delta: Delta) -> None:
        """Write a change of a session's locked regions; raises TerrafineError where it cannot be written."""
        entry = self._all[session.id]
        if entry.locks is None:
            entry.locks = layers.add_locks(entry, self._project)
        else:
            entry.locks.apply(delta)

    def of(self, session: Optional[Session]) -> Optional[SessionLayers]:
        """The layers of a session; None while it has none."""
        return self._all.get(session.id) if session else None

    def kept(self, session: Session) -> SessionLayers:
        """The layers of a session that has them."""
        return self._all[session.id]

    def look(self, session: Session) -> LookLayers:
        """What is shown of looking where it matters, in a session that has layers."""
        return self._looks[session.id]

    def matching(self, raster: Optional[QgsRasterLayer], model: str) -> Optional[Session]:
        """The newest session on that raster with that model; without a model, the newest on that raster."""
        found = None
        for entry in self._all.values():
            if raster is not None and entry.raster_id == raster.id() and model in ("", entry.session.model.name):
                found = entry.session
        return found

    def sample_path(self, name: str) -> Path:
        """Where the pixels of a base map go; raises TerrafineError where nothing can be written."""
        folder = layers.session_folder(self._project, self._chosen_folder)
        return folder / f"{layers.plain(name)}_{uuid.uuid4().hex[:8]}_sample.tif"

    def add_sample(self, path: str, name: str) -> QgsRasterLayer:
        """Show the sample of a base map, as an image like any other."""
        layer = QgsRasterLayer(path, name, "gdal")
        self._project.addMapLayer(layer)
        return layer

    def close(self) -> None:
        """Let go of the project; its layers stay."""
        self._project.layersWillBeRemoved.disconnect(self._forget)
        self._project.readProject.disconnect(self.find)
        self._project.projectSaved.disconnect(self._adopt)
        for entry in self._all.values():
            entry.map.close()
        for look in self._looks.values():
            look.close()
        self.repainter.close()
        self._all.clear()
        self._looks.clear()
        self._edits.clear()

    def _add(self, entry: SessionLayers) -> None:
        edits = MarksEdits(entry.marks, entry.session.log)
        edits.edited.connect(lambda *what: self.edited.emit(entry, *what))
        self._all[entry.session.id], self._edits[entry.session.id] = entry, edits
        self._looks[entry.session.id] = LookLayers(entry, self._project, self.repainter)

    def _adopt(self) -> None:
        """Bring the files of sessions that began before the project was saved into its folder."""
        home = layers.session_folder(self._project, self._chosen_folder)
        waiting = layers.waiting_folder(self._chosen_folder)
        moving = [(entry, self._looks[key]) for key, entry in self._all.items() if entry.is_in(waiting)]
        left = [path for entry, look in moving for path in (*entry.move_to(home), *look.move_to(home))]
        if left:
            name = self._project.fileName()
            QTimer.singleShot(0, lambda: self._save_again(name, left))  # when QGIS has finished writing the project

    def _save_again(self, name: str, left: list[Path]) -> None:
        """Let the project file refer to the files' new place; only then do the old ones go."""
        if self._project.fileName() == name and self._project.write():
            for path in left:
                discard(path)

    def _forget(self, layer_ids: list[str]) -> None:
        for entry in self._all.values():
            if entry.locks is not None and entry.locks.layer.id() in layer_ids:
                entry.locks = None  # made again when it is needed; what is locked stays so
        for look in self._looks.values():
            look.forget(layer_ids)
        gone = [key for key, entry in self._all.items() if entry.layer_ids() & set(layer_ids)]
        for key in gone:
            self._all.pop(key).map.close()
            del self._edits[key], self._looks[key]
        if gone:
            self.changed.emit()
