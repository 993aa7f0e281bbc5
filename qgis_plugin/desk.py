"""The user's side of the workbench: signals of the dock, the tools, the keys and the project become events."""

from __future__ import annotations

from typing import Callable

from qgis.core import QgsRasterLayer
from qgis.PyQt.QtCore import QObject, Qt, QUrl
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QFileDialog

from terrafine.qgis_plugin.area import LAYER, RECTANGLE
from terrafine.qgis_plugin.base_map import Sampler, is_base_map, sample_window
from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.effects import Tell, told
from terrafine.qgis_plugin.export import Exporter
from terrafine.qgis_plugin.keys import Action, Chord, Keys, chord
from terrafine.qgis_plugin.legend import KEYS
from terrafine.qgis_plugin.raster import raster_file
from terrafine.qgis_plugin.server_desk import ServerDesk
from terrafine.qgis_plugin.workbench import Workbench
from terrafine.shared.errors import TerrafineError, UnusableRaster
from terrafine.shared.geo import Window

HELP = "https://example.org/terrafine"


class Desk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench, self._dock = bench, bench.dock
        self._exporter = Exporter()
        self._sampler = Sampler()
        self._keys = self._route_keys()
        self.server = ServerDesk(bench)
        self._connect_map()
        self._connect_marks()
        bench.sessions.find()

    def close(self) -> None:
        """Hear nothing more: the dock lives until Qt's next turn, and the project may change before."""
        self._dock.map.raster.layerChanged.disconnect()
        self.server.close()
        self._sampler.cancel()
        for keys in self._keys:
            keys.remove()

    # ---- signals ---------------------------------------------------------------------------------------------------

    def _connect_map(self) -> None:
        panel, handle = self._dock.map, self._bench.handle
        panel.model_chosen.connect(self._choose_model)
        panel.raster_chosen.connect(self._activate)
        panel.area_chosen.connect(self._choose_area)
        panel.gsd_chosen.connect(self._choose_gsd)
        panel.classify_asked.connect(self._classify)
        panel.cancel_asked.connect(lambda: handle(Controller.cancel))
        self._bench.area.changed.connect(self._show_area)
        self._bench.sessions.changed.connect(self._activate)
        self._sampler.sampled.connect(self._classify_sample)
        self._sampler.failed.connect(lambda error: self._bench.tell(told(error)))
        self._exporter.failed.connect(lambda error: self._bench.tell(told(error)))
        self._exporter.saved.connect(self._say_where)

    def _connect_marks(self) -> None:
        panel, toolbox, handle = self._dock.marks, self._bench.toolbox, self._bench.handle
        panel.legend.class_chosen.connect(self._choose_class)
        panel.tool_chosen.connect(toolbox.choose)
        panel.width_chosen.connect(self._choose_width)
        panel.undo_asked.connect(lambda: handle(Controller.undo))
        panel.redo_asked.connect(lambda: handle(Controller.redo))
        panel.live_switched.connect(self._switch_live)
        panel.refresh_asked.connect(lambda: handle(Controller.refresh))
        panel.opacity_chosen.connect(self._choose_opacity)
        panel.export_asked.connect(self._ask_export)
        self._dock.help_asked.connect(lambda: QDesktopServices.openUrl(QUrl(HELP)))
        toolbox.changed.connect(panel.show_tool)
        for tool in toolbox.tools.values():
            tool.drawn.connect(lambda kind, at, width: handle(lambda c: c.draw(kind, at, width)))
            tool.erased.connect(lambda ids: handle(lambda c: c.erase(ids)))
            tool.missed.connect(self._missed)

    def _route_keys(self) -> tuple[Keys, Keys]:
        bench, toolbox = self._bench, self._bench.toolbox
        canvas = {chord(Qt.Key.Key_Escape): toolbox.escape, chord(Qt.Key.Key_Backspace): self._backspace}
        canvas.update({chord(Qt.Key.Key_1 + i): self._key_of_class(i) for i in range(KEYS)})
        undoing: dict[Chord, Action] = {
            chord(Qt.Key.Key_Z, control=True): lambda: bench.handle(Controller.undo),
            chord(Qt.Key.Key_Z, control=True, shift=True): lambda: bench.handle(Controller.redo),
        }
        return (
            Keys(bench.iface.mapCanvas(), {**canvas, **undoing}, lambda: bool(toolbox.current)),
            Keys(self._dock, undoing, lambda: bench.controller.session is not None),
        )

    # ---- choices ---------------------------------------------------------------------------------------------------

    def _choose_model(self, name: str) -> None:
        self._bench.settings.model = name
        self._bench.handle(lambda controller: controller.choose_model(name))
        self._activate()

    def _activate(self) -> None:
        """Work on the session of the raster and model that are chosen, if there is one."""
        controller = self._bench.controller
        model = controller.model.name if controller.model and controller.models else ""
        session = self._bench.sessions.matching(self._dock.map.current_raster(), model)
        self._bench.handle(lambda controller: controller.activate(session))
        self._show_area()

    def _choose_area(self, choice: str) -> None:
        self._bench.settings.area = choice
        self._bench.area.choose(choice)

    def _choose_gsd(self, gsd_m: float) -> None:
        self._bench.settings.base_map_gsd_m = gsd_m
        self._show_area()

    def _show_area(self) -> None:
        """Say how large the area is, or why it cannot be classified."""
        raster = self._dock.map.current_raster()
        words = self._area_words(raster) if raster else self.tr("Add a raster layer to begin.")
        self._dock.map.show_area(self._bench.area.choice, words, is_base_map(raster))

    def _area_words(self, raster: QgsRasterLayer) -> str:
        try:
            window = self._window(raster)
        except TerrafineError as error:
            return str(error)
        if not window.is_empty:
            return self.tr("{width} × {height} pixels").format(width=f"{window.width:,}", height=f"{window.height:,}")
        if self._bench.area.choice == RECTANGLE:
            return self.tr("Draw a rectangle over the image.")
        return self.tr("The map does not show the image.")

    def _window(self, raster: QgsRasterLayer) -> Window:
        if is_base_map(raster):
            return sample_window(raster, self._bench.area.extent(raster), self._bench.settings.base_map_gsd_m)
        raster_file(raster)
        return self._bench.area.window(raster)

    def _classify(self) -> None:
        raster = self._dock.map.current_raster()
        try:
            if raster is None:
                raise UnusableRaster(self.tr("There is no image to classify."), self.tr("Add a raster layer."))
            if is_base_map(raster):
                self._sample(raster)
                return
            file, window = raster_file(raster), self._window(raster)
        except TerrafineError as error:
            self._bench.tell(told(error))
            return
        self._bench.handle(lambda controller: controller.classify(file, window))

    def _sample(self, raster: QgsRasterLayer) -> None:
        """Make pixels of a base map; `_classify_sample` goes on from there."""
        extent, gsd_m = self._bench.area.extent(raster), self._bench.settings.base_map_gsd_m
        self._sampler.start(raster, extent, gsd_m, self._bench.sessions.sample_path(raster.name()))
        self._bench.tell(
            Tell(
                self.tr("'{name}' is being sampled at {gsd:g} m.").format(name=raster.name(), gsd=gsd_m),
                self.tr("Check that its provider's terms of use allow automatic analysis."),
            )
        )

    def _classify_sample(self, path: str) -> None:
        base = self._dock.map.current_raster()
        name = self.tr("{name}, sampled").format(name=base.name() if base else "")
        self._dock.map.raster.setLayer(self._bench.sessions.add_sample(path, name))
        self._choose_area(LAYER)
        self._classify()

    def _switch_live(self, live: bool) -> None:
        self._bench.settings.live = live
        self._bench.handle(lambda controller: controller.set_live(live))

    # ---- marks and map ---------------------------------------------------------------------------------------------

    def _choose_class(self, class_id: int) -> None:
        self._bench.handle(lambda controller: controller.choose_class(class_id))
        if self._bench.controller.view().has_session and not self._bench.toolbox.current:
            self._bench.toolbox.choose("point")

    def _key_of_class(self, class_id: int) -> Callable[[], None]:
        def pick() -> None:
            if class_id < len(self._bench.controller.legend):
                self._choose_class(class_id)

        return pick

    def _backspace(self) -> None:
        """Take back the last vertex of a stroke being drawn, else the last mark."""
        if not self._bench.toolbox.stroke.take_back():
            self._bench.handle(Controller.erase_last)

    def _choose_width(self, width_px: float) -> None:
        self._bench.settings.stroke_width_px = width_px
        self._bench.toolbox.show_width()

    def _missed(self) -> None:
        self._bench.tell(Tell(self.tr("There is no image there."), self.tr("Marks go onto the classified raster.")))

    def _choose_opacity(self, opacity: float) -> None:
        current = self._bench.sessions.of(self._bench.controller.session)
        if current is not None:
            current.map.layer.setOpacity(opacity)
            current.map.layer.triggerRepaint()

    def _ask_export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self._dock, self.tr("Export the map"), "", "GeoTIFF (*.tif)")
        if path:
            self.export(path)

    def export(self, path: str) -> None:
        """Write a compressed copy of the current map in the background."""
        current = self._bench.sessions.of(self._bench.controller.session)
        if current is not None:
            self._exporter.start(current.map, path)

    def _say_where(self, path: str) -> None:
        self._bench.tell(Tell(self.tr("The map was saved as {path}.").format(path=path), warning=False))
