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

from terrafine.qgis_plugin.effects import Effect, Predict, Snapshot
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.raster import RasterFile, Reader
from terrafine.shared.annotation import Delta
from terrafine.shared.errors import Cancelled, ConnectionFailed, NotFound, RevisionMismatch, TerrafineError
from terrafine.shared.messages import Progress
from terrafine.shared.patch import Patch

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

    def predict(self, request: Predict) -> None:
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
        self._requests: queue.Queue[Optional[Predict]] = queue.Queue()
        self._wanted = 0  # the newest job; everything older is stale
        self._stopping = False
        self._client: Optional[Client] = None
        self._held: dict[str, Snapshot] = {}  # the marks that the server has, by session
        self._readers: dict[RasterFile, Reader] = {}

    # ---- called from the main thread -------------------------------------------------------------------------------

    def put(self, request: Predict) -> None:
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
            ended = error
        finally:
            if self._client is not None:
                self._client.close()
            if not self._stopping:
                self._emit(lambda controller: controller.connection_failed(ended))

    def _open(self) -> None:
        from terrafine.shared.client import Client  # pyzmq may be missing: the plugin loads all the same
        from terrafine.shared.transport import ZmqTransport

        self._client = Client(ZmqTransport(self._address, self._keys), self._client_name)
        welcome, models = self._client.hello(), self._client.models()
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

    def _attempt(self, request: Predict) -> None:
        try:
            self._predict_again(request)
        except ConnectionFailed:
            raise
        except TerrafineError as failure:
            error = failure
            self._tell(lambda controller: controller.failed(request.job, error))

    def _predict_again(self, request: Predict) -> None:
        """Predict; once more from the start if the server turns out to have forgotten the session."""
        try:
            self._predict(request)
        except NotFound:
            if self._held.pop(request.session, None) is None:
                raise
            self._predict(request)

    def _predict(self, request: Predict) -> None:
        self._check(request)
        reader = self._reader(request.raster)
        info = request.info or reader.describe(request.model)
        self._tell(lambda controller: controller.described(request.job, info))
        if request.session not in self._held:
            opened = self._client.open_session(request.session, request.model.name, info)
            self._tell(lambda controller: controller.warned(request.job, opened.warnings))
            self._set_marks(request.session, request.shown or request.marks)
        self._sync_marks(request.session, request.marks)
        since = request.shown.revision if request.shown else None
        replies = self._client.predict(request.session, request.window, lambda w: reader.read(info, w), since)
        for reply in replies:
            self._check(request)
            self._pass_on(request.job, reply)

    def _pass_on(self, job: int, reply: object) -> None:
        if isinstance(reply, Patch):
            self._tell(lambda controller: controller.patched(job, reply))
        elif isinstance(reply, Progress):
            self._tell(lambda controller: controller.progressed(job, reply))
        else:
            self._tell(lambda controller: controller.done(job))

    def _sync_marks(self, session: str, marks: Snapshot) -> None:
        """Tell the server what changed since it last heard of the marks."""
        held = self._held[session]
        if held.revision == marks.revision:
            return
        delta = difference(held, marks)
        try:
            if delta is None:
                raise RevisionMismatch("No change leads from the marks that the server holds to these.")
            self._client.change_annotations(session, delta)
            self._held[session] = marks
        except RevisionMismatch:
            self._set_marks(session, marks)

    def _set_marks(self, session: str, marks: Snapshot) -> None:
        self._client.set_annotations(session, marks.marks, marks.revision)
        self._held[session] = marks

    def _reader(self, raster: RasterFile) -> Reader:
        if raster not in self._readers:
            self._readers = {raster: Reader(raster)}
        return self._readers[raster]

    def _check(self, request: Predict) -> None:
        if request.job != self._wanted:
            raise Cancelled("The work was stopped.")

    def _tell(self, event: Event) -> None:
        if not self._stopping:
            self._emit(event)


def difference(before: Snapshot, after: Snapshot) -> Optional[Delta]:
    """The delta from one revision's marks to another's; None where no delta leads there."""
    old, new = {mark.id for mark in before.marks}, {mark.id for mark in after.marks}
    kept = [[mark for mark in marks if mark.id in old & new] for marks in (before.marks, after.marks)]
    if kept[0] != kept[1] or after.revision <= before.revision:
        return None
    added = [(place, mark) for place, mark in enumerate(after.marks) if mark.id not in old]
    return Delta(
        before.revision,
        after.revision,
        added=tuple(mark for _, mark in added),
        removed=tuple(mark.id for mark in before.marks if mark.id not in new),
        places=tuple(place for place, _ in added),
    )
