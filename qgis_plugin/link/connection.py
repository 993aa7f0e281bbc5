"""The thread that talks to the server.

One thread owns the connection, for a ZeroMQ socket may not be shared, and does one thing after another: what the
controller asks for goes into a queue, what comes of it goes back as events, functions to be called with the controller
in the main thread. Work that a newer request overtakes is dropped from the queue or cancelled.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Callable, Optional

from qgis.PyQt.QtCore import QObject, pyqtSignal

from terrafine.qgis_plugin.effects import Effect
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.link.work import ServerWork
from terrafine.qgis_plugin.rasters.raster import RasterFile, Reader
from terrafine.qgis_plugin.requests import ServerRequest
from terrafine.qgis_plugin.words import translated
from terrafine.shared.errors import Cancelled, ConnectionFailed, EngineRestarted, NotFound, TerrafineError

if TYPE_CHECKING:
    from terrafine.qgis_plugin.controller import Controller
    from terrafine.shared.client import Client
    from terrafine.shared.transport import ClientKeys

Event = Callable[["Controller"], "list[Effect]"]
HEARTBEAT_S = 2.0  # how often an idle server is asked whether it is still there
STOP_S = 3.0  # how long closing waits for the thread


class Worker(QObject):
    """The connection to one server at a time. All methods are called from the main thread and return at once."""

    happened = pyqtSignal(object)  # an Event

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._connection: Optional[_Connection] = None

    def connect_to(self, address: str, keys: Optional[ClientKeys] = None) -> None:
        self.disconnect_from_server()
        self._connection = _Connection(self._name, address, keys, self.happened.emit)
        self._connection.start()

    def disconnect_from_server(self) -> None:
        if self._connection is not None:
            self._connection.stop()
            self._connection = None

    def ask(self, request: ServerRequest) -> None:
        if self._connection is not None:
            self._connection.put(request)

    def cancel(self) -> None:
        if self._connection is not None:
            self._connection.cancel()

    def close(self) -> None:
        """Disconnect and wait for the thread, so that nothing of it outlives the plugin."""
        connection = self._connection
        self.disconnect_from_server()
        if connection is not None:
            connection.join(STOP_S)


class _Connection(threading.Thread):
    """One connection, from its handshake to its end."""

    def __init__(self, name: str, address: str, keys: Optional[ClientKeys], emit: Callable[[Event], None]) -> None:
        super().__init__(name="terrafine-connection", daemon=True)
        self._client_name, self._address, self._keys, self._emit = name, address, keys, emit
        self._requests: queue.Queue[Optional[ServerRequest]] = queue.Queue()
        self._wanted = 0  # the newest job; everything older is stale
        self._stopping = False
        self._client: Optional[Client] = None
        self._readers: dict[RasterFile, Reader] = {}

    # ---- called from the main thread -------------------------------------------------------------------------------

    def put(self, request: ServerRequest) -> None:
        self._wanted = request.job
        self._interrupt()
        self._requests.put(request)

    def cancel(self) -> None:
        self._wanted = 0
        self._interrupt()

    def stop(self) -> None:
        self._stopping, self._wanted = True, 0
        self._interrupt()
        self._requests.put(None)

    def _interrupt(self) -> None:
        if self._client is not None:
            self._client.cancel()

    # ---- the thread ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        ended: TerrafineError = ConnectionFailed(
            tr("The connection broke down."), tr("Reconnect; nothing drawn is lost.")
        )
        try:
            self._open()
            while self._serve_one():
                pass
        except TerrafineError as error:
            ended = translated(error)
        finally:
            if self._client is not None:
                self._client.close()
            self._tell(lambda controller: controller.connection_failed(ended))

    def _open(self) -> None:
        from terrafine.shared.client import Client  # pyzmq may be missing: the plugin loads all the same
        from terrafine.shared.transport import ZmqTransport

        self._client = Client(ZmqTransport(self._address, self._keys), self._client_name)
        welcome, models = self._client.hello(), self._client.models()
        self._work = ServerWork(self._client, self._tell, self._check, welcome.roots)
        self._tell(lambda controller: controller.connected(welcome.device, models))

    def _serve_one(self) -> bool:
        """Do the next thing, or see whether the server still lives; False at the end."""
        try:
            request = self._requests.get(timeout=HEARTBEAT_S)
        except queue.Empty:
            self._client.ping()
            return True
        if request is None:
            return False
        self._attempt(request)
        return True

    def _attempt(self, request: ServerRequest) -> None:
        try:
            self._answer_again(request)
        except ConnectionFailed:
            raise
        except TerrafineError as failure:
            error = failure
            self._tell(lambda controller: controller.failed(request.job, error))

    def _answer_again(self, request: ServerRequest) -> None:
        """Answer; begin once more if the server has forgotten the session, or its engine broke down."""
        try:
            self._answer(request)
        except NotFound:
            if not self._work.mirror.forget(request.subject.session):
                raise
            self._answer(request)
        except EngineRestarted:
            self._work.mirror.forget(request.subject.session)
            pause = tr("The server's engine broke down and was started again; nothing drawn is lost.")
            self._tell(lambda controller: controller.warned(request.job, (pause,)))
            self._answer(request)

    def _answer(self, request: ServerRequest) -> None:
        """Describe the raster, bring the server where the plugin is, then ask."""
        self._check(request)
        reader = self._reader(request.subject.raster)
        info = request.subject.info or reader.describe(request.subject.model)
        self._tell(lambda controller: controller.described(request.job, info))
        self._work.do(request, info, lambda window: reader.read(info, window))

    def _reader(self, raster: RasterFile) -> Reader:
        if raster not in self._readers:
            self._readers = {raster: Reader(raster)}
        return self._readers[raster]

    def _check(self, request: ServerRequest) -> None:
        if request.job != self._wanted:
            raise Cancelled("The work was stopped.")

    def _tell(self, event: Event) -> None:
        """When it is heard there may be another connection, which this is no news of."""
        if not self._stopping:
            self._emit(lambda controller: [] if self._stopping else event(controller))
