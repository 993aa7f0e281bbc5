"""Filters for class maps: small regions given to their neighbours, and the majority of a neighbourhood."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from osgeo import gdal

from terrafine.qgis_plugin.finish.borders import NO_CLASS
from terrafine.qgis_plugin.finish.class_raster import ClassRaster, ClassSource
from terrafine.qgis_plugin.finish.majority import majority
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.maps.layer import WORKING
from terrafine.qgis_plugin.rasters.raster import RasterFile
from terrafine.shared.errors import Cancelled, TerrafineError
from terrafine.shared.geo import Window, buffered, intersection, slices

Report = Callable[[float], bool]  # told how much is done, 0 … 1; False to stop
SIDES = 4  # pixels are neighbours along an edge, not at a corner


def working_copy(raster: ClassRaster, window: Window, path: Path) -> ClassSource:
    """A part of a class raster in a file of its own, which may be changed; raises TerrafineError."""
    box = [window.col, window.row, window.width, window.height]
    options = gdal.TranslateOptions(format="GTiff", bandList=[1], srcWin=box, creationOptions=WORKING)
    _checked(lambda: gdal.Translate(str(path), raster.dataset, options=options))
    file = raster.source.file
    return ClassSource(RasterFile(str(path), file.name, file.crs), raster.source.legend)


def sieve(path: str, smallest_px: int, report: Report) -> None:
    """Give regions of fewer than `smallest_px` pixels to their largest neighbour, in place, the smallest first.

    Regions hang together along edges. One without any neighbour that is large enough stays. Raises TerrafineError,
    Cancelled when `report` says so.
    """
    dataset = _checked(lambda: gdal.Open(path, gdal.GA_Update))
    band = dataset.GetRasterBand(1)
    sizes = [size for size in (2**power for power in range(1, 31)) if size < smallest_px] + [smallest_px]
    for place, size in enumerate(sizes):
        progress = _callback(report, place / len(sizes), (place + 1) / len(sizes))
        done = gdal.SieveFilter(band, band.GetMaskBand(), band, size, SIDES, callback=progress)
        if done != gdal.CE_None:
            raise _failure()
    if not report(1.0):
        raise Cancelled("The filter was stopped.")


def filter_majority(raster: ClassRaster, path: str, radius_px: int, report: Report) -> None:
    """Write the majority in each pixel's neighbourhood into the working copy of a whole raster."""
    whole, done = raster.placement.window, 0
    target = _checked(lambda: gdal.Open(path, gdal.GA_Update))
    band = target.GetRasterBand(1)
    for block, classes in raster.blocks(whole):
        around = intersection(buffered(block, radius_px), whole)
        inner = majority(raster.read(around), radius_px)[slices(block, around)]
        values = band.ReadAsArray(block.col, block.row, block.width, block.height)
        values[classes != NO_CLASS] = inner[classes != NO_CLASS]
        if band.WriteArray(values, block.col, block.row) != gdal.CE_None:
            raise _failure()
        done += block.pixels
        if not report(done / whole.pixels):
            raise Cancelled("The filter was stopped.")


def _callback(report: Report, begin: float, end: float) -> Callable[[float, str, object], int]:
    """GDAL's progress function for a part of the work."""
    return lambda fraction, message, data: int(report(begin + (end - begin) * fraction))


def _checked(make: Callable[[], Any]) -> Any:
    """What GDAL makes; raises TerrafineError where it makes nothing."""
    gdal.ErrorReset()
    try:
        made = make()
    except RuntimeError:  # where another plugin has switched GDAL's exceptions on
        made = None
    if made is None:
        raise _failure()
    return made


def _failure() -> TerrafineError:
    if gdal.GetLastErrorNo() == gdal.CPLE_UserInterrupt:
        return Cancelled("The filter was stopped.")
    why = gdal.GetLastErrorMsg()
    return TerrafineError(
        tr("The filter could not be applied: {why}.").format(why=why), tr("Check that there is space left on the disk.")
    )
