"""Making the files of a new session in a thread of its own: QGIS goes on meanwhile, however slow their disk is.

It is no QgsTask, which may have to wait for others, the one that shows the server's work among them.
"""

from __future__ import annotations

import threading
from typing import Optional

from qgis.PyQt.QtCore import QObject, pyqtSignal

from terrafine.qgis_plugin.maps.layer import unwritable
from terrafine.qgis_plugin.session_files import SessionFiles
from terrafine.qgis_plugin.state import Session
from terrafine.shared.errors import TerrafineError

STOP_S = 3.0  # how long dropping waits for the thread


class Making(QObject):
    """The files of one session, on the raster of a layer, while they are made.

    ended  this, and why they could not be made, a TerrafineError; None where they are there
    """

    ended = pyqtSignal(object, object)

    def __init__(self, session: Session, raster_id: str, files: SessionFiles) -> None:
        super().__init__()
        self.session, self.raster_id, self.files = session, raster_id, files
        self._is_dropped = False
        self._thread = threading.Thread(target=self._run, name="terrafine-files", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def drop(self) -> None:
        """Nobody wants them: leave neither the thread nor a file behind."""
        self._is_dropped = True
        self._thread.join(STOP_S)
        self.files.discard()

    def _run(self) -> None:
        error = self._try()
        if error is not None or self._is_dropped:
            self.files.discard()
        if not self._is_dropped:
            self.ended.emit(self, error)

    def _try(self) -> Optional[TerrafineError]:
        """Returns why not. Without the traceback, in which files would stay open."""
        try:
            self.files.make(self.session)
        except TerrafineError as error:
            return error.with_traceback(None)
        except RuntimeError as error:  # where another plugin has switched GDAL's exceptions on
            return unwritable(str(error))
        return None
