"""Where the files of a session lie, and how they begin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from qgis.core import QgsApplication, QgsProject

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.maps.layer import create_map_file, discard
from terrafine.qgis_plugin.marks.file import create_marks_file
from terrafine.qgis_plugin.state import Session
from terrafine.shared.errors import TerrafineError

NOTES = ".aux.xml"  # what GDAL adds to the name of a file for what does not fit into it


@dataclass(frozen=True)
class SessionFiles:
    """The GeoPackage of a session's marks and the GeoTIFF of its map."""

    marks: Path
    map: Path

    @staticmethod
    def of(session: Session, folder: Path) -> SessionFiles:
        """Names that a person recognises and that do not collide."""
        stem = f"{plain(session.raster.name)}_{session.id[:8]}"
        return SessionFiles(folder / f"{stem}_marks.gpkg", folder / f"{stem}_map.tif")

    def make(self, session: Session) -> None:
        """Begin with no marks and an empty map; raises TerrafineError where that cannot be written."""
        raster = session.raster
        create_marks_file(self.marks, raster.crs)
        create_map_file(self.map, raster.path, raster.crs, session.model.classes)

    def discard(self) -> None:
        for path in (self.marks, self.map, Path(f"{self.map}{NOTES}")):
            discard(path)


def session_folder(project: QgsProject, chosen: str) -> Path:
    """Where files go: beside the project, or into the waiting folder until it is saved; made if need be."""
    beside = Path(project.absolutePath()) / f"{project.baseName()}_terrafine"
    folder = beside if project.absolutePath() else waiting_folder(chosen)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = tr("The folder {folder} cannot be made: {why}.").format(folder=folder, why=error.strerror)
        raise TerrafineError(why, tr("Save the project where you may write.")) from error
    return folder


def waiting_folder(chosen: str) -> Path:
    """The user's choice, else one in the QGIS profile, which nothing cleans up."""
    return Path(chosen) if chosen else Path(QgsApplication.qgisSettingsDirPath()) / "terrafine"


def plain(name: str) -> str:
    """A layer's name as a part of a file's name."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "raster"
