"""Where a local server keeps its sessions and what was learnt in them: one folder for each QGIS that runs at a time.

DATA/Terrafine/state/1/       a server's state folder, in DATA as place.py has it
DATA/Terrafine/state/1.lock   held while a QGIS uses it; that of a QGIS that has died counts no more
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.PyQt.QtCore import QLockFile

MOST = 9  # of QGIS at a time; what is one too many keeps nothing


class StateFolder:
    def __init__(self) -> None:
        self._path: Optional[Path] = None
        self._lock: Optional[QLockFile] = None

    def take(self, base: Path) -> Optional[Path]:
        """The folder for this QGIS's servers, until `release`; None where nothing can be kept."""
        if self._path is None or not Path(f"{self._path}.lock").exists():  # the server was removed with all it kept
            self.release()
            self._path = next(filter(self._try, (base / str(number) for number in range(1, MOST + 1))), None)
        return self._path

    def release(self) -> None:
        """Another QGIS may have it."""
        if self._lock is not None:
            self._lock.unlock()
        self._path = self._lock = None

    def _try(self, path: Path) -> bool:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        lock = QLockFile(f"{path}.lock")
        lock.setStaleLockTime(0)  # it is held for as long as its process lives
        if lock.tryLock(0):
            self._lock = lock
        return self._lock is not None
