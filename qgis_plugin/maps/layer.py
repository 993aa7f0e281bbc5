"""The map: a paletted GeoTIFF on the raster's own grid, updated in place, and the layer that shows it."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Mapping, Optional, Sequence

import numpy as np
from osgeo import gdal
from qgis.core import QgsCoordinateReferenceSystem, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtCore import QTimer

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.maps.origin import write_notes
from terrafine.qgis_plugin.maps.pixels import read_pixels, write_pixels
from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.maps.snapshot import MapCopy
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.qgis_plugin.styles import map_renderer
from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window, buffered, intersection, slices
from terrafine.shared.patch import Patch, crop
from terrafine.shared.spec import NODATA_CLASS, LandCover

# Uncompressed: a block that is written again takes the same room. Sparse: what is not mapped takes none.
WORKING = ["TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256", "SPARSE_OK=TRUE", "BIGTIFF=IF_SAFER"]
EXPORT = ["TILED=YES", "COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER"]
SMALLEST_OVERVIEW_PX = 256
REPAINT_EVERY_MS = 250
RESAMPLING_REACH_PX = 2  # around a change, whose look it changes should the layer be resampled


class MapLayer:
    """A session's map. `write` any number of patches, then `repaint` once."""

    def __init__(self, layer: QgsRasterLayer, placement: Placement, repainter: Repainter) -> None:
        self.layer, self._placement = layer, placement
        self._repainter = repainter
        self._changed: list[Window] = []
        self._dataset: Optional[gdal.Dataset] = None
        self._notes: dict[str, str] = {}
        self.copy = MapCopy()  # of the map from before the last learning
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.repaint)

    def write(self, patch: Patch, kept: Optional[np.ndarray] = None) -> Counter[int]:
        """Put class ids where they belong, except where `kept`, bool (rows, columns) of the patch, is set.

        Returns how many pixels each class has gained, those it has lost being negative. Raises TerrafineError if the
        file cannot be written.
        """
        if self._dataset is None:
            self._dataset = _opened(self.layer.source())
        inside = intersection(patch.window, _window_of(self._dataset))
        part, old = crop(patch, inside), read_pixels(self._dataset.GetRasterBand(1), inside)
        new = np.where(part.valid, part.array[0], NODATA_CLASS).astype(np.uint8)
        if kept is not None:
            new = np.where(kept[slices(inside, patch.window)], old, new)
        differs = new != old
        if not differs.any():
            return Counter()
        why = write_pixels(self._dataset, inside, new)
        if why:
            self._dataset = None
            raise unwritable(why)
        self._changed.append(_around(differs, inside))
        return _gains(old[differs], new[differs])

    def note(self, notes: Mapping[str, str]) -> None:
        """Note beside the file what is to be known of the map in it, by the names of origin.py."""
        if not notes.items() <= self._notes.items():
            write_notes(self.layer.source(), notes)
            self._notes.update(notes)

    def class_at(self, x: float, y: float) -> Optional[int]:
        """The class that the map has at a position in pixels inside it; None where it has none."""
        dataset = self._dataset or open_dataset(self.layer.source())
        class_id = int(dataset.ReadAsArray(math.floor(x), math.floor(y), 1, 1)[0, 0])
        return None if class_id == NODATA_CLASS else class_id

    def flush(self) -> None:
        """Get everything that was written into the file. It is closed for that: flushing a sparse file is not enough
        for others to find its new blocks. Writing opens it again."""
        self._dataset = None

    def keep(self) -> None:
        """Copy the map as it is; raises TerrafineError where there is no room for it."""
        self.flush()
        self.copy.take(self.layer.source())

    def repaint_soon(self) -> None:
        """Repaint in a moment, once for all patches that arrive until then."""
        if not self._soon.isActive():
            self._soon.start(REPAINT_EVERY_MS)

    def repaint(self) -> None:
        """Show what was written."""
        self._soon.stop()
        if self._dataset is not None:
            self.flush()
        if self._changed:
            changed, self._changed = self._changed, []
            self._reopen()
            self._repainter.repaint(self.layer, self._extents(changed))

    def _extents(self, windows: Sequence[Window]) -> list[QgsRectangle]:
        try:
            return [self._placement.extent(buffered(window, RESAMPLING_REACH_PX)) for window in windows]
        except ValueError:  # outside what control points cover
            return [self.layer.extent()]

    def _reopen(self) -> None:
        """Open the file anew, else QGIS shows the pixels that it has read before.

        The provider's reloadData() is not enough. A rendering that is under way gives its handle of the file back
        afterwards, old blocks and all, and the next one paints from it; a new provider shares nothing with the old.
        It is nobody's business: the layer would ask for all of it to be repainted.
        """
        was_blocked = self.layer.blockSignals(True)
        self.layer.setDataSource(self.layer.source(), self.layer.name(), "gdal")
        self.layer.blockSignals(was_blocked)

    def show_classes(self, classes: Sequence[LandCover]) -> None:
        """Show the map in these colours, and write them and the names into the file for others."""
        if self._dataset is None:
            self._dataset = _opened(self.layer.source())
        _describe(self._dataset.GetRasterBand(1), classes)
        self.flush()
        opacity = self.layer.opacity()  # which is the renderer's
        self.layer.setRenderer(map_renderer(self.layer.dataProvider(), classes))
        self.layer.setOpacity(opacity)
        self.layer.triggerRepaint()

    def move_to(self, folder: Path) -> list[Path]:
        """Work on a copy in another folder from now on; returns the files left behind. Raises TerrafineError."""
        self._finish()
        old = Path(self.layer.source())
        new = folder / old.name
        moved = [(Path(f"{old}{suffix}"), Path(f"{new}{suffix}")) for suffix in ("", ".aux.xml")]
        moved = [(source, target) for source, target in moved if source.exists()]
        try:
            for source, target in moved:
                shutil.copyfile(source, target)
        except OSError as error:
            raise unwritable(str(error.strerror)) from error
        self.layer.setDataSource(str(new), self.layer.name(), "gdal")
        return [source for source, _ in moved]

    def close(self) -> None:
        """Finish the file, paint no more and forget the map of before."""
        self._finish()
        self.copy.drop()

    def _finish(self) -> None:
        self._soon.stop()
        self.flush()


def create_map_file(path: Path, like: str, crs: QgsCoordinateReferenceSystem, classes: Sequence[LandCover]) -> None:
    """Make an empty map on the grid of the raster `like`; raises TerrafineError if that fails."""
    source = open_dataset(like)
    driver = gdal.GetDriverByName("GTiff")
    target = driver.Create(str(path), source.RasterXSize, source.RasterYSize, 1, gdal.GDT_Byte, WORKING)
    if target is None:
        raise unwritable(gdal.GetLastErrorMsg())
    place_like(target, source, crs)
    _describe(target.GetRasterBand(1), classes)
    finish_file(target)


def finish_file(new: gdal.Dataset) -> None:
    """Write a new file through to the disk; raises TerrafineError where that fails."""
    gdal.ErrorReset()
    new.FlushCache()
    if gdal.GetLastErrorType() >= gdal.CE_Failure:
        raise unwritable(gdal.GetLastErrorMsg())


def open_map_layer(path: Path, name: str, classes: Sequence[LandCover]) -> QgsRasterLayer:
    """The styled layer of a map."""
    layer = QgsRasterLayer(str(path), name, "gdal")
    layer.setRenderer(map_renderer(layer.dataProvider(), classes))
    return layer


def export_map(source: str, target: str, progress: gdal.GDALProgressFunc = None) -> None:
    """Write a compressed copy with overviews; the name appears only when the file is whole.

    `progress(fraction, message, data)` returns 0 to stop. Raises TerrafineError if the copy fails or was stopped.
    """
    part = f"{target}.part"
    copy = gdal.GetDriverByName("GTiff").CreateCopy(part, open_dataset(source), options=EXPORT, callback=progress)
    if copy is None:
        why = gdal.GetLastErrorMsg()
        discard(Path(part))
        raise unwritable(why)
    copy.BuildOverviews("MODE", _overviews(copy))
    del copy
    for suffix in ("", ".aux.xml"):
        if os.path.exists(part + suffix):
            os.replace(part + suffix, target + suffix)


def discard(path: Path) -> None:
    """Remove a file that has been copied; one that is still open (on Windows) stays behind, harmless."""
    with contextlib.suppress(OSError):
        path.unlink()


def place_like(target: gdal.Dataset, source: gdal.Dataset, crs: QgsCoordinateReferenceSystem) -> None:
    """Give `target` the georeference of `source`: transform or control points, the file's CRS or else the layer's."""
    numbers = source.GetGeoTransform(can_return_null=True)
    if numbers is not None:
        target.SetGeoTransform(numbers)
        target.SetProjection(source.GetProjection() or (crs.toWkt() if crs.isValid() else ""))
    elif source.GetGCPCount():
        target.SetGCPs(source.GetGCPs(), source.GetGCPProjection())
    elif source.GetMetadata("RPC"):
        target.SetMetadata(source.GetMetadata("RPC"), "RPC")


def _describe(band: gdal.Band, classes: Sequence[LandCover]) -> None:
    table = gdal.ColorTable()
    table.SetColorEntry(NODATA_CLASS, (0, 0, 0, 0))
    for item in classes:
        table.SetColorEntry(item.id, tuple(bytes.fromhex(item.color[1:])) + (255,))
    band.SetNoDataValue(NODATA_CLASS)
    band.SetColorInterpretation(gdal.GCI_PaletteIndex)
    band.SetColorTable(table)
    names = {item.id: item.name for item in classes}
    band.GetMetadata()  # reads the .aux.xml, old names and all, which would else take the place of the new names
    band.SetCategoryNames([names.get(class_id, "") for class_id in range(max(names, default=-1) + 1)])


def _opened(path: str) -> gdal.Dataset:
    try:
        dataset = gdal.Open(path, gdal.GA_Update)
    except RuntimeError:  # where another plugin has switched GDAL's exceptions on
        dataset = None
    if dataset is None:
        raise unwritable(gdal.GetLastErrorMsg())
    return dataset


def _around(changed: np.ndarray, window: Window) -> Window:
    """The smallest window around the changed pixels, bool (rows, columns), of a window."""
    rows, cols = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
    return Window(
        window.col + int(cols[0]), window.row + int(rows[0]), int(cols[-1] - cols[0]) + 1, int(rows[-1] - rows[0]) + 1
    )


def _gains(old: np.ndarray, new: np.ndarray) -> Counter[int]:
    """Pixels that each class gains, or loses, where `old` becomes `new`."""
    gains = np.bincount(new, minlength=256) - np.bincount(old, minlength=256)
    return Counter({int(class_id): int(gains[class_id]) for class_id in np.flatnonzero(gains[:NODATA_CLASS])})


def _window_of(dataset: gdal.Dataset) -> Window:
    return Window(0, 0, dataset.RasterXSize, dataset.RasterYSize)


def _overviews(dataset: gdal.Dataset) -> list[int]:
    """Factors 2, 4, 8 … until the smallest overview is small."""
    side = max(dataset.RasterXSize, dataset.RasterYSize)
    count = max(0, math.ceil(math.log2(side / SMALLEST_OVERVIEW_PX)))
    return [2**power for power in range(1, count + 1)]


def unwritable(why: str) -> TerrafineError:
    return TerrafineError(
        tr("The map could not be saved: {why}.").format(why=why),
        tr("Check that the project's folder can be written and has space left."),
    )
