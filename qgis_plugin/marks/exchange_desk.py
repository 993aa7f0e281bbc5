"""Marks that come from elsewhere and go elsewhere: imported, exported, edited with QGIS's own tools."""

from __future__ import annotations

from collections import Counter
from typing import Optional

from qgis.core import QgsProject
from qgis.PyQt.QtCore import QObject

from terrafine.qgis_plugin.effects import Tell, told
from terrafine.qgis_plugin.history import Step, Verb
from terrafine.qgis_plugin.layers import SESSION, SessionLayers
from terrafine.qgis_plugin.marks.features import NO_CLASS, OTHER_CLASS
from terrafine.qgis_plugin.marks.import_dialog import ImportDialog
from terrafine.qgis_plugin.marks.importer import Importer, Request
from terrafine.qgis_plugin.marks.saving import Saving
from terrafine.qgis_plugin.state import Session
from terrafine.qgis_plugin.workbench import Workbench
from terrafine.shared.annotation import Annotation


class ExchangeDesk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench, self._importer = bench, Importer()
        self._into: Optional[Session] = None  # the session that marks are imported into
        self._saving: Optional[Saving] = None
        self.dialog: Optional[ImportDialog] = None
        tools = bench.dock.marks.tools
        tools.import_asked.connect(self._ask_import)
        tools.export_asked.connect(self._export)
        self._importer.taken.connect(self._take)
        self._importer.failed.connect(lambda error: bench.tell(told(error)))
        bench.sessions.edited.connect(self._take_edits)

    def close(self) -> None:
        if self._saving is not None:
            self._saving.close()

    def _ask_import(self) -> None:
        settings, controller = self._bench.settings, self._bench.controller
        layers, session = QgsProject.instance().mapLayers().values(), controller.session
        its_own = [layer for layer in layers if session and layer.customProperty(SESSION) == session.id]
        window = self._bench.iface.mainWindow()
        self.dialog = ImportDialog(controller.legend, settings.stroke_width_px, its_own, window)
        self.dialog.accepted.connect(lambda: self.take_from(self.dialog.request()))
        self.dialog.finished.connect(self.dialog.deleteLater)
        self.dialog.open()

    def take_from(self, request: Request) -> None:
        """Import marks in the background."""
        self._into = self._bench.controller.session
        if self._into is not None:
            self._importer.start(request, self._into.raster, self._into.history.network.legend.shown)

    def _take(self, marks: tuple[Annotation, ...], left_out: Counter[str]) -> None:
        """Add what was imported, as one step, and say what was not taken and why."""
        if self._into is not self._bench.controller.session:
            self._bench.tell(Tell(self.tr("Another image was chosen: nothing was imported."), self.tr("Import again.")))
            return
        self._bench.handle(lambda controller: controller.change(Verb.IMPORT, marks))
        if marks:
            self._follow_saving(tuple(mark.id for mark in marks))
        words = self.tr("Marks imported: {count}.").format(count=len(marks))
        reasons = ", ".join(f"{self._reasons()[reason]}: {count}" for reason, count in left_out.most_common())
        hint = self.tr("Left out: {reasons}.").format(reasons=reasons) if reasons else ""
        self._bench.tell(Tell(words, hint, warning=bool(left_out)))

    def _follow_saving(self, ids: tuple[str, ...]) -> None:
        """Many marks are written bit by bit: QGIS's task manager shows it, where the import can be taken back."""
        current = self._bench.sessions.of(self._into)
        if current is None or not current.marks.writer.is_writing:
            return
        step = current.session.history.steps[-1]
        self._saving = Saving(self.tr("Saving imported marks"), current.marks.writer)
        self._saving.cancelled.connect(lambda: self._withdraw(current, step, ids))

    def _withdraw(self, entry: SessionLayers, step: Step, ids: tuple[str, ...]) -> None:
        self._turn_to(entry)
        self._bench.handle(lambda controller: controller.withdraw(step, ids))
        self._bench.tell(Tell(self.tr("The import was taken back."), warning=False))

    def _turn_to(self, entry: SessionLayers) -> None:
        """Work on this session from now on."""
        raster = QgsProject.instance().mapLayer(entry.raster_id)
        if entry.session is not self._bench.controller.session and raster is not None:
            self._bench.dock.map.raster.setLayer(raster)
            self._bench.handle(lambda controller: controller.activate(entry.session))

    def _reasons(self) -> dict[str, str]:
        """Why features cannot be marks."""
        return {
            NO_CLASS: self.tr("no class"),
            OTHER_CLASS: self.tr("no class of the legend"),
            "empty": self.tr("no geometry"),
            "crossed": self.tr("an outline that crosses itself"),
            "outside": self.tr("outside the image"),
        }

    def _export(self) -> None:
        """QGIS's own export of the marks layer, which writes any format."""
        current = self._bench.sessions.of(self._bench.controller.session)
        if current is not None:
            self._bench.iface.setActiveLayer(current.marks.layer)
            self._bench.iface.actionLayerSaveAs().trigger()

    def _take_edits(
        self, entry: SessionLayers, added: tuple[Annotation, ...], removed: tuple[str, ...], refused: int
    ) -> None:
        """Edits that were saved in the marks layer are a step of its session, which is worked on from now on."""
        self._turn_to(entry)
        self._bench.handle(lambda controller: controller.change(Verb.EDIT, added, removed))
        if refused:
            words = self.tr("Edits that cannot be marks and were not taken over: {count}.").format(count=refused)
            self._bench.tell(Tell(words, self.tr("A mark needs a class of the legend and a shape without holes.")))
