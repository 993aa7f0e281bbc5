"""The user's side of the workbench: what is done about the map becomes events. Desks of their own see to the rest."""

from __future__ import annotations

from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QObject
from qgis.PyQt.QtWidgets import QFileDialog

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.effects import Tell, told
from terrafine.qgis_plugin.finish.desk import FinishDesk
from terrafine.qgis_plugin.language import Number, grouped
from terrafine.qgis_plugin.layers import ROLE
from terrafine.qgis_plugin.learn.desk import LearnDesk
from terrafine.qgis_plugin.legend.desk import LegendDesk
from terrafine.qgis_plugin.link.desk import ServerDesk
from terrafine.qgis_plugin.look.desk import LookDesk
from terrafine.qgis_plugin.maps.export import Exporter
from terrafine.qgis_plugin.marks.desk import MarksDesk
from terrafine.qgis_plugin.marks.exchange_desk import ExchangeDesk
from terrafine.qgis_plugin.objects.desk import ObjectsDesk
from terrafine.qgis_plugin.rasters.area import LAYER, RECTANGLE
from terrafine.qgis_plugin.rasters.base_map import Sampler, is_base_map, sample_window
from terrafine.qgis_plugin.rasters.raster import raster_file
from terrafine.qgis_plugin.side.desk import SideDesk
from terrafine.qgis_plugin.workbench import Workbench
from terrafine.shared.errors import TerrafineError, UnusableRaster
from terrafine.shared.geo import Window


class Desk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench, self._dock = bench, bench.dock
        self._exporter = Exporter()
        self._sampler = Sampler()
        self.server, self.marks, self.exchange = ServerDesk(bench), MarksDesk(bench), ExchangeDesk(bench)
        self.look, self.side = LookDesk(bench), SideDesk(bench)
        self.objects = ObjectsDesk(bench)
        self.learn, self.legend = LearnDesk(bench), LegendDesk(bench)
        self.finish = FinishDesk(bench)
        self._connect_map()
        bench.sessions.find()

    def close(self) -> None:
        """Hear nothing more: the dock lives until Qt's next turn, and the project may change before."""
        QgsProject.instance().layersAdded.disconnect(self._offer_images)
        self._dock.map.raster.layerChanged.disconnect()
        self.server.close()
        self._sampler.cancel()
        self.marks.close()
        self.exchange.close()
        self.learn.close()
        self.legend.close()
        self.look.close()

    # ---- signals ---------------------------------------------------------------------------------------------------

    def _connect_map(self) -> None:
        panel, handle = self._dock.map, self._bench.handle
        QgsProject.instance().layersAdded.connect(self._offer_images)
        self._offer_images()
        panel.model_chosen.connect(self._choose_model)
        panel.detail_chosen.connect(lambda detail: handle(lambda controller: controller.choose_detail(detail)))
        panel.raster_chosen.connect(self._activate)
        panel.area_chosen.connect(self._choose_area)
        panel.gsd_chosen.connect(self._choose_gsd)
        panel.classify_asked.connect(self._classify)
        panel.folded.connect(lambda is_folded: setattr(self._bench.settings, "folded", is_folded))
        panel.cancel_asked.connect(lambda: handle(Controller.cancel))
        self._bench.area.changed.connect(self._show_area)
        self._bench.sessions.changed.connect(self._activate)
        self._sampler.sampled.connect(self._classify_sample)
        self._sampler.failed.connect(lambda error: self._bench.tell(told(error)))
        self._exporter.failed.connect(lambda error: self._bench.tell(told(error)))
        self._exporter.saved.connect(self._say_where)
        self._dock.marks.opacity_chosen.connect(self._choose_opacity)
        self._dock.marks.deliver.export_asked.connect(self._ask_export)

    def _offer_images(self) -> None:
        """Maps of Terrafine's own are no images to classify."""
        layers = QgsProject.instance().mapLayers().values()
        self._dock.map.leave_out([layer for layer in layers if layer.customProperty(ROLE)])

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
            return self.tr("{width} × {height} pixels").format(
                width=grouped(window.width), height=grouped(window.height)
            )
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
            self._bench.sessions.check_room(window)
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
                self.tr("'{name}' is being sampled at {gsd:g} m.").format(name=raster.name(), gsd=Number(gsd_m)),
                self.tr("Check that its provider's terms of use allow automatic analysis."),
            )
        )

    def _classify_sample(self, path: str) -> None:
        base = self._dock.map.current_raster()
        name = self.tr("{name}, sampled").format(name=base.name() if base else "")
        self._dock.map.raster.setLayer(self._bench.sessions.add_sample(path, name))
        self._choose_area(LAYER)
        self._classify()

    # ---- the map ---------------------------------------------------------------------------------------------

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
