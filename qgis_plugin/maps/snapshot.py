"""A copy of the map as it was, for as long as the plugin runs: what the map of now is compared with."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Optional

from terrafine.qgis_plugin.language import tr
from terrafine.shared.errors import TerrafineError


class MapCopy:
    """A file of its own in the system's temporary folder; `path` is None while there is none."""

    def __init__(self) -> None:
        self.path: Optional[Path] = None
        self._folder: Optional[str] = None

    def take(self, source: str) -> None:
        """Copy the file in place of an older copy; raises TerrafineError where there is no room for it."""
        self.drop()
        try:
            self._folder = tempfile.mkdtemp(prefix="terrafine-")
            self.path = Path(shutil.copy(source, self._folder))
        except OSError as error:
            self.drop()
            why = tr("The map of before could not be kept to compare with: {why}.").format(why=error.strerror)
            raise TerrafineError(why, tr("Make room in the folder for temporary files.")) from error

    def drop(self) -> None:
        self.path = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
