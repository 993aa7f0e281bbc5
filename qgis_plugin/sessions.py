"""The sessions of the open project and their layers."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Optional

from qgis.core import QgsProject, QgsRasterLayer
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from terrafine.qgis_plugin import layers, restoring
from terrafine.qgis_plugin.effects import Tell, told
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.layers import SessionLayers
from terrafine.qgis_plugin.look.layers import LookLayers
from terrafine.qgis_plugin.making import Making
from terrafine.qgis_plugin.maps.layer import discard
from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.marks.edits import MarksEdits
from terrafine.qgis_plugin.marks.file import path_of
from terrafine.qgis_plugin.rasters.room import check_room
from terrafine.qgis_plugin.session_files import SessionFiles, plain, session_folder, waiting_folder
from terrafine.qgis_plugin.state import Session
from terrafine.shared.annotation import Delta
from terrafine.shared.errors import NotFound, TerrafineError
from terrafine.shared.geo import Window


class Sessions(QObject):
    """The sessions of a project.

    changed  sessions have come or gone with the project or with their layers
    edited   SessionLayers whose marks were edited with QGIS's tools: marks added, ids removed, edits that are no marks
    made     a Session whose layers are there, and None; or why they cannot be, a TerrafineError
    news     a Tell: what the user should know of layers and files that are gone, or cannot be had or written
    """

    changed = pyqtSignal()
    made = pyqtSignal(object, object)
    news = pyqtSignal(object)
    edited = pyqtSignal(object, object, object, int)

    def __init__(self, project: QgsProject, chosen_folder: str, iface: QgisInterface) -> None:
        super().__init__()
        self._project, self._chosen_folder = project, chosen_folder
        self.repainter = Repainter(iface)
        self._all: dict[str, SessionLayers] = {}
        self._edits: dict[str, MarksEdits] = {}
        self._looks: dict[str, LookLayers] = {}
        self._making: Optional[Making] = None
        self._going: set[str] = set()  # layers that are in the project still, but not for long
        self._left: list[Path] = []  # files that nobody needs once the project is saved again
        self._again = QTimer(self)  # when QGIS has finished writing the project
        self._again.setSingleShot(True)
        self._again.timeout.connect(self._save_again)
        project.layersWillBeRemoved.connect(self._forget)
        project.readProject.connect(self.find)
        project.projectSaved.connect(self._adopt)

    def find(self) -> None:
        """Take up the sessions whose layers the project holds, and say which cannot be."""
        for problem in self._take_up():
            self.news.emit(told(problem))
        self.changed.emit()

    @property
    def is_making(self) -> bool:
        """Are the files of a new session being made?"""
        return self._making is not None

    def create(self, session: Session, raster: QgsRasterLayer) -> None:
        """Begin to make a session's files and layers; `made` follows. Raises TerrafineError where they cannot lie."""
        files = SessionFiles.of(session, session_folder(self._project, self._chosen_folder))
        self._making = Making(session, raster.id(), files)
        self._making.ended.connect(self._end_making)
        self._making.start()

    def store_locks(self, session: Session, delta: Delta) -> None:
        """Write a change of a session's locked regions; raises TerrafineError where it cannot be written."""
        entry = self._all[session.id]
        if entry.locks is None:
            entry.locks = layers.add_locks(entry, self._project)
        else:
            entry.locks.writer.apply(delta)

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
        """The newest session on that raster with that model; without a model, the newest on that raster.

        A layer that was removed and added again is the same raster.
        """
        if raster is None:
            return None
        self._take_up()  # some may have been repaired meanwhile
        found = None
        for entry in self._all.values():
            is_its = entry.raster_id == raster.id() or entry.session.raster.path == raster.source()
            if is_its and model in ("", entry.session.model.name):
                found = entry.session
        return found

    def check_room(self, window: Window) -> None:
        """Raises TerrafineError where there is no room for the map of a window, or nothing can be written at all."""
        check_room(session_folder(self._project, self._chosen_folder), window)

    def sample_path(self, name: str) -> Path:
        """Where the pixels of a base map go; raises TerrafineError where nothing can be written."""
        folder = session_folder(self._project, self._chosen_folder)
        return folder / f"{plain(name)}_{uuid.uuid4().hex[:8]}_sample.tif"

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
        self._again.stop()
        if self._making is not None:
            self._making.ended.disconnect(self._end_making)
            self._making.drop()
        for look in self._looks.values():
            look.close()
        for key in list(self._all):
            self._let_go(key)
        self.repainter.close()

    def _end_making(self, making: Making, why_not: Optional[TerrafineError]) -> None:
        self._making = None
        if why_not is None:
            why_not = self._show(making)
        self.made.emit(making.session, why_not)

    def _show(self, making: Making) -> Optional[TerrafineError]:
        """Show new files in layers; returns why that cannot be, and then they are gone."""
        session, raster_id = making.session, making.raster_id
        try:
            if self._project.mapLayer(raster_id) is None:
                why = tr("The image of the map '{name}' is no longer in the project.")
                raise NotFound(why.format(name=session.raster.name))
            self._add(layers.add(session, raster_id, making.files, self._project, self.repainter))
        except TerrafineError as error:
            making.files.discard()
            return error
        return None

    def _add(self, entry: SessionLayers) -> None:
        if entry.strangers:
            words = tr("Features in the marks' file that are no marks, and do not count: {count}.")
            hint = tr("Import them from there if they should be.")
            self.news.emit(Tell(words.format(count=entry.strangers), hint))
        entry.marks.writer.failed.connect(lambda error: self.news.emit(told(error)))
        edits = MarksEdits(entry.marks, entry.session.log)
        edits.edited.connect(lambda *what: self.edited.emit(entry, *what))
        self._all[entry.session.id], self._edits[entry.session.id] = entry, edits
        self._looks[entry.session.id] = LookLayers(entry, self._project, self.repainter)

    def _take_up(self) -> list[TerrafineError]:
        """Returns why sessions that the project holds cannot be worked on."""
        problems = []
        for session_id in restoring.sessions_in(self._project, self._going):
            try:
                if session_id not in self._all:
                    self._add(restoring.restore(session_id, self._project, self.repainter))
            except TerrafineError as problem:
                problems.append(problem)
        return problems

    def _adopt(self) -> None:
        """Bring the files of sessions that began before the project was saved into its folder."""
        moved = False
        for key, entry in self._all.items():
            try:
                before = entry.map.layer.source()
                self._left += self._brought_home(entry, self._looks[key])
            except TerrafineError as error:
                self.news.emit(told(error))
            moved |= entry.map.layer.source() != before
        if moved:
            self._again.start(0)

    def _brought_home(self, entry: SessionLayers, look: LookLayers) -> list[Path]:
        """Returns the files that can go when the project is saved. Raises TerrafineError."""
        home = session_folder(self._project, self._chosen_folder)
        is_waiting = entry.is_in(waiting_folder(self._chosen_folder))
        if is_waiting or (entry.marks.writer.left and not entry.is_in(home)):
            left = [*entry.move_to(home), *look.move_to(home)]
            return left if is_waiting else []  # another project may have the others
        entry.marks.writer.write()
        return []

    def _save_again(self) -> None:
        """Let the project file refer to the files' new place; only then do the old ones go."""
        if self._project.write():
            for path in self._left:
                discard(path)
        self._left = []

    def _forget(self, layer_ids: list[str]) -> None:
        self._going = set(layer_ids)
        for entry in self._all.values():
            if entry.locks is not None and entry.locks.layer.id() in layer_ids:
                entry.locks = None  # made again when it is needed; what is locked stays so
        for look in self._looks.values():
            look.forget(layer_ids)
        gone = [key for key, entry in self._all.items() if entry.layer_ids() & set(layer_ids)]
        is_closing = not self._project.fileName() and set(layer_ids) == set(self._project.mapLayers())
        if is_closing:  # the project file refers to the files' old place, and they stay there
            self._again.stop()
            self._left = []
        self._part_from([self._let_go(key) for key in gone], is_closing)
        if gone:
            self.changed.emit()
        self._going = set()

    def _let_go(self, key: str) -> SessionLayers:
        entry = self._all.pop(key)
        try:
            entry.marks.writer.finish()  # what is not written yet, or could not be
        except TerrafineError as error:
            self.news.emit(told(error))
        entry.marks.writer.close()
        entry.map.close()
        del self._edits[key], self._looks[key]
        return entry

    def _part_from(self, gone: list[SessionLayers], is_closing: bool) -> None:
        """Say where marks are that no project refers to any more."""
        if not is_closing:
            for entry in gone:
                self.news.emit(_parting(entry))
            return
        waiting = waiting_folder(self._chosen_folder)
        files = [_marks_path(entry) for entry in gone if entry.is_in(waiting) and entry.session.log.marks]
        if files:
            hint = tr("Its marks are kept in {files}.").format(files=", ".join(files))
            self.news.emit(Tell(tr("The project was closed before it was saved."), hint))


def _parting(entry: SessionLayers) -> Tell:
    """What is said when the user removes a layer of a session."""
    name, count = entry.session.raster.name, len(entry.session.log.marks)
    words = tr("The work on '{name}' has ended, for one of its layers was removed.").format(name=name)
    if not count:
        return Tell(words, tr("Classify again to begin anew."))
    hint = tr("Its marks ({count}) are in {file} still: add that file as a layer and import it to go on with them.")
    return Tell(words, hint.format(count=count, file=_marks_path(entry)))


def _marks_path(entry: SessionLayers) -> str:
    return str(path_of(entry.marks.layer))
