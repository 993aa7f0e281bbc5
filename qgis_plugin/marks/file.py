"""The GeoPackage of a session: a table of marks, and others, of locked regions say, once there are any."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Iterator, Mapping, Optional

from osgeo import gdal, ogr, osr
from qgis.core import QgsCoordinateReferenceSystem, QgsFeatureRenderer, QgsVectorDataProvider, QgsVectorLayer

from terrafine.qgis_plugin.language import tr
from terrafine.shared.errors import TerrafineError

MARKS, LOCKS = "marks", "locked"  # tables
SYNCHRONOUS = "OGR_SQLITE_SYNCHRONOUS"  # GDAL's option, read when a file is opened
UNWAITED, BY_SYSTEM = "OFF", "NORMAL"
COLUMNS = {
    "mark_id": ogr.OFTString,
    "class_id": ogr.OFTInteger,
    "class_name": ogr.OFTString,
    "kind": ogr.OFTString,
    "width_px": ogr.OFTReal,
    "vertices": ogr.OFTString,
}


def create_marks_file(path: Path, crs: QgsCoordinateReferenceSystem) -> None:
    """Make a GeoPackage with an empty table of marks; raises TerrafineError if that fails."""
    try:
        with opened_for(UNWAITED):  # an empty file is worth no waiting for the disk
            file = gdal.GetDriverByName("GPKG").Create(str(path), 0, 0, 0, gdal.GDT_Unknown)
    except RuntimeError:  # where another plugin has switched GDAL's exceptions on
        file = None
    _create_table(file, MARKS, crs, COLUMNS)


def add_table(path: Path, name: str, crs: QgsCoordinateReferenceSystem, columns: Mapping[str, int] = COLUMNS) -> None:
    """See to it that a GeoPackage of marks has this table of polygons, too; raises TerrafineError if that fails."""
    try:
        file = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_UPDATE)
    except RuntimeError:  # where another plugin has switched GDAL's exceptions on
        file = None
    if file is None or file.GetLayerByName(name) is None:
        _create_table(file, name, crs, columns)


@contextlib.contextmanager
def opened_for(synchronous: str = BY_SYSTEM) -> Iterator[None]:
    """How GeoPackages wait for the disk that this thread opens meanwhile, as QGIS does before the first change of one.

    With BY_SYSTEM a change is in the file whatever becomes of QGIS, and on the disk within seconds, when the system
    writes it there: no click stands still for a disk's confirmations. SQLite's journal keeps the file whole anyhow.
    """
    gdal.SetThreadLocalConfigOption(SYNCHRONOUS, synchronous)
    try:
        yield
    finally:
        gdal.SetThreadLocalConfigOption(SYNCHRONOUS, None)


def open_table(path: Path, table: str, name: str, renderer: QgsFeatureRenderer) -> QgsVectorLayer:
    """The styled layer of one of the tables."""
    with opened_for():
        layer = QgsVectorLayer(f"{path}|layername={table}", name, "ogr")
    layer.setRenderer(renderer)
    return layer


def path_of(layer: QgsVectorLayer) -> Path:
    """The GeoPackage of a layer."""
    return Path(layer.source().split("|")[0])


def move_table(layer: QgsVectorLayer, path: Path) -> None:
    """Let a layer show the same table of another GeoPackage."""
    table = layer.source().split("|")[1]
    layer.setDataSource(f"{path}|{table}", layer.name(), "ogr")


def copy_file(old: Path, new: Path) -> list[Path]:
    """Copy a GeoPackage that is open: SQLite sees to what is in its journal still.

    Returns the files that can go when nobody uses the old one any more. Raises TerrafineError.
    """
    try:
        with contextlib.closing(sqlite3.connect(old)) as source, contextlib.closing(sqlite3.connect(new)) as target:
            source.backup(target)
    except (OSError, sqlite3.Error) as error:
        raise unwritable(str(error)) from error
    return [old, *(old.with_name(old.name + journal) for journal in ("-wal", "-shm"))]


def unwritten(provider: QgsVectorDataProvider) -> TerrafineError:
    """Why QGIS could not write into a table."""
    why = provider.errors()[-1:] or [tr("unknown reason")]
    provider.clearErrors()
    return unwritable(why[0])


def unwritable(why: str) -> TerrafineError:
    """Nothing is lost as long as QGIS runs: what is not in the file is written with the next mark, or on saving."""
    return TerrafineError(
        tr("The marks could not be saved: {why}.").format(why=why),
        tr("Until then QGIS alone remembers them: make room, or save the project elsewhere."),
    )


def _unmade(why: str) -> TerrafineError:
    return TerrafineError(
        tr("The file for the marks could not be made: {why}.").format(why=why),
        tr("Check that the project's folder can be written and has space left."),
    )


def _create_table(
    file: Optional[gdal.Dataset], name: str, crs: QgsCoordinateReferenceSystem, columns: Mapping[str, int]
) -> None:
    reference = osr.SpatialReference(crs.toWkt()) if crs.isValid() else None
    gdal.ErrorReset()
    table = None if file is None else file.CreateLayer(name, reference, ogr.wkbPolygon)
    if table is None:
        raise _unmade(gdal.GetLastErrorMsg())
    for column, kind in columns.items():
        table.CreateField(ogr.FieldDefn(column, kind))
    file.FlushCache()  # only now is the table made
    if gdal.GetLastErrorType() >= gdal.CE_Failure:
        raise _unmade(gdal.GetLastErrorMsg())
