"""Where everything meets: what the user does becomes the controller's events, its effects are carried out."""

from __future__ import annotations

from collections import deque
from operator import methodcaller
from typing import Any, Callable, Optional

from qgis.core import Qgis, QgsProject
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtGui import QColor

from terrafine.qgis_plugin import effects
from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.dock import Dock
from terrafine.qgis_plugin.effects import Tell, told
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.layers import OPACITY, SessionLayers
from terrafine.qgis_plugin.link.connection import Event, Worker
from terrafine.qgis_plugin.link.process import ServerProcess
from terrafine.qgis_plugin.link.servers import Server, client_keys
from terrafine.qgis_plugin.look.layers import LookLayers
from terrafine.qgis_plugin.marks.toolbox import Toolbox
from terrafine.qgis_plugin.rasters.area import Area
from terrafine.qgis_plugin.rasters.placement import Locator
from terrafine.qgis_plugin.sessions import Sessions
from terrafine.qgis_plugin.settings import Settings
from terrafine.qgis_plugin.state import NOTHING, Kind, Session
from terrafine.qgis_plugin.tasks import TaskMirror
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window
from terrafine.shared.messages import ObjectFound
from terrafine.shared.patch import Patch

CLIENT = "terrafine-qgis 0.1.0"
MESSAGE_S = 12
MARGIN = 1.3  # times the patch that the canvas is to show: what is around it helps to judge it


class Workbench(QObject):
    """The plugin at work. It is also the Surface that the map tools draw on.

    shown  the dock shows the state of things
    """

    shown = pyqtSignal()

    def __init__(self, iface: QgisInterface, dock: Dock, settings: Settings) -> None:
        super().__init__()
        self.iface, self.dock, self.settings = iface, dock, settings
        self.controller = Controller()
        self.controller.live, self.controller.preferred_model = settings.live, settings.model
        self.controller.visible = self._visible
        self.worker, self.server = Worker(CLIENT), ServerProcess()
        self.sessions = Sessions(QgsProject.instance(), settings.folder, iface)
        self.sessions.news.connect(self.tell)
        self.sessions.made.connect(self._go_on)
        self._unheard: deque[Event] = deque()
        self.area = Area(iface.mapCanvas(), settings.area)
        self.toolbox = Toolbox(iface.mapCanvas(), self)
        self.task = TaskMirror(lambda: self.handle(Controller.cancel))
        self._performers = self._effect_performers()
        self.worker.happened.connect(self._hear)
        self.server.started.connect(lambda address: self.handle(lambda c: c.server_started(address)))
        self.server.ended.connect(lambda error: self.handle(lambda c: c.server_ended(error)))

    def close(self) -> None:
        """Stop everything and let go of QGIS; layers and files stay."""
        self.task.show("", None)
        self.worker.happened.disconnect(self._hear)
        self.worker.close()
        self.server.close()
        self.toolbox.close()
        self.area.close()
        self.sessions.close()
        self.settings.save()

    # ---- what the tools draw on ------------------------------------------------------------------------------------

    def locator(self) -> Optional[Locator]:
        current = self.sessions.of(self.controller.session)
        canvas = self.iface.mapCanvas().mapSettings()
        return current.locator(canvas.destinationCrs(), canvas.transformContext()) if current else None

    def marks(self) -> tuple[Annotation, ...]:
        return self.controller.session.log.marks if self.controller.session else ()

    def regions(self) -> tuple[Annotation, ...]:
        return self.controller.session.locks.marks if self.controller.session else ()

    def color(self) -> QColor:
        colors = {entry.id: entry.color for entry in self.controller.legend}
        return QColor(colors.get(self.controller.class_id, "#ffffff"))

    def width_px(self) -> float:
        return self.settings.stroke_width_px

    # ---- events in, effects out ------------------------------------------------------------------------------------

    def handle(self, event: Event) -> None:
        """Let the controller know, carry out what it says in order, and show the state of things."""
        for effect in event(self.controller):
            try:
                self._performers[type(effect)](effect)
            except TerrafineError as error:
                self.tell(told(error))
        self.show()

    def _hear(self, event: Event) -> None:
        """What the server says waits for the layers that it may be about."""
        self._unheard.append(event)
        self._hear_on()

    def _hear_on(self) -> None:
        while self._unheard and not self.sessions.is_making:
            self.handle(self._unheard.popleft())

    def _go_on(self, session: Session, why_not: Optional[TerrafineError]) -> None:
        """A new session has its layers, or cannot have them."""
        self.handle(methodcaller("made", session, why_not))
        self._hear_on()

    def show(self) -> None:
        view, current = self.controller.view(), self.sessions.of(self.controller.session)
        self.dock.show_view(view)
        self.dock.marks.show_opacity(current.map.layer.opacity() if current else OPACITY)
        session = self.controller.session
        self.dock.history.show_history(session.history if session else None)
        work = view.work if view.work and not view.work.cancelling else None
        self.task.show(self.dock.work_words(view).rstrip("…") if work else "", work.progress if work else None)
        if self.toolbox.current and not view.has_session:
            self.toolbox.choose("")
        self.toolbox.show_width()
        self.shown.emit()

    def tell(self, effect: Tell) -> None:
        """Say it in the message bar."""
        level = Qgis.MessageLevel.Warning if effect.warning else Qgis.MessageLevel.Info
        self.iface.messageBar().pushMessage("Terrafine", f"{effect.message} {effect.hint}".strip(), level, MESSAGE_S)

    def _effect_performers(self) -> dict[type[Any], Callable[[Any], None]]:
        return {
            effects.StartServer: lambda _: self._start_server(),
            effects.Connect: lambda effect: self._connect(effect.server),
            effects.Disconnect: lambda _: self._disconnect(),
            effects.Ask: lambda effect: self.worker.ask(effect.request),
            effects.CancelWork: lambda _: self.worker.cancel(),
            effects.CreateLayers: lambda _: self._create_layers(),
            effects.StoreMarks: lambda effect: self._current().marks.writer.apply(effect.delta),
            effects.StoreLocks: lambda effect: self.sessions.store_locks(self._current().session, effect.delta),
            effects.KeepMap: lambda _: self._current().map.keep(),
            effects.ShowNetwork: lambda _: self._current().show_network(),
            effects.ShowUncertainty: self._show_uncertainty,
            effects.ShowReview: lambda _: self._look().show_review(),
            effects.ShowObject: lambda effect: self._show_object(effect.found),
            effects.GoTo: lambda effect: self._go_to(effect.window),
            effects.ShowPatch: lambda effect: self._show_patch(effect.patch),
            effects.ShowMap: lambda _: self._show_map(),
            effects.Tell: self.tell,
        }

    def _start_server(self) -> None:
        try:
            self.server.start(self.settings.server_python, self.settings.models_folder)
        except TerrafineError as failure:
            error = failure
            self.handle(lambda controller: controller.connection_failed(error))

    def _connect(self, server: Server) -> None:
        try:
            self.worker.connect_to(server.address, client_keys(server))
        except TerrafineError as failure:
            error = failure
            self.handle(lambda controller: controller.connection_failed(error))

    def _disconnect(self) -> None:
        self.worker.disconnect_from_server()
        self.server.stop()

    def _create_layers(self) -> None:
        session, raster = self.controller.session, self.dock.map.current_raster()
        try:
            if session is not None and raster is not None:
                self.sessions.create(session, raster)
        except TerrafineError as error:
            self.handle(methodcaller("made", session, error))

    def _current(self) -> SessionLayers:
        """The layers of the session at work; they are made before anything is shown or stored in them."""
        return self.sessions.kept(self.controller.session)  # type: ignore[arg-type]

    def _look(self) -> LookLayers:
        return self.sessions.look(self.controller.session)  # type: ignore[arg-type]

    def _show_uncertainty(self, effect: effects.ShowUncertainty) -> None:
        try:
            self._look().show_uncertainty(effect.patch, effect.method, effect.factor)
        except TerrafineError as error:
            self._give_up(error)

    def _visible(self) -> Window:
        """What the canvas shows of the session's raster."""
        locator = self.locator()
        return locator.window(self.iface.mapCanvas().extent()) if locator else NOTHING

    def _show_object(self, found: ObjectFound) -> None:
        self.toolbox.object.show_object(found.outline)
        if not found.outline:
            self.tell(Tell(tr("No object was found there."), tr("Click in its middle, or draw another box.")))

    def _go_to(self, window: Window) -> None:
        """Pan and zoom to a window of the session's raster."""
        locator, canvas = self.locator(), self.iface.mapCanvas()
        try:
            extent = locator.extent(window)
        except ValueError:
            hint = tr("Choose another coordinate system for the project.")
            self.tell(Tell(tr("The project's map cannot show that square."), hint))
            return
        extent.scale(MARGIN)
        canvas.setExtent(extent)
        canvas.refresh()

    def _show_patch(self, patch: Patch) -> None:
        try:
            gains, work = self._current().show_patch(patch), self.controller.work
        except TerrafineError as error:
            self._give_up(error)
            return
        if work is not None and work.kind is Kind.REFINING:  # what is classified for the first time is no step's doing
            self._current().session.history.note(patch.revision, gains)

    def _give_up(self, error: TerrafineError) -> None:
        """A patch could not be written, and the next ones would fare no better: stop, and say so once."""
        work = self.controller.work
        if work is not None and not work.cancelling:
            self.tell(told(error))
            self.handle(Controller.cancel)

    def _show_map(self) -> None:
        current = self.sessions.of(self.controller.session)
        if current is not None:
            current.show_map()
            self._look().repaint()
