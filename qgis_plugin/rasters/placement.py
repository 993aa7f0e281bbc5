"""Where a raster's pixels lie: pixel coordinates ⇄ the raster's CRS ⇄ the map's CRS.

A plain raster has an affine transform, a rotated one included. A raster with ground control points (or RPCs) only is
shown by QGIS through GDAL's warper; the same transformer is used here, so that a click lands on the pixel that is seen.
A raster with neither is drawn by QGIS with its rows running down from y = 0.
"""

from __future__ import annotations

import math
from typing import Callable, Iterator, Optional

import numpy as np
from osgeo import gdal
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsPointXY,
    QgsRectangle,
)

from terrafine.qgis_plugin.language import tr
from terrafine.shared.errors import UnusableRaster
from terrafine.shared.geo import (
    IDENTITY,
    Affine,
    Grid,
    Window,
    gsd_from_corners,
    intersection,
    map_to_pixel,
    pixel_to_map,
)

ROWS_DOWN: Affine = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
EDGE_POINTS = 21  # along each side of an extent, so that a curved edge is followed


class Placement:
    """Pixel coordinates ⇄ coordinates in the raster's CRS. `dataset` is an open gdal.Dataset."""

    def __init__(self, dataset: gdal.Dataset) -> None:
        self.window = Window(0, 0, dataset.RasterXSize, dataset.RasterYSize)
        self.affine = IDENTITY  # what the raster's file says, an approximation for control points
        self._shown, self._warper = ROWS_DOWN, None
        numbers = dataset.GetGeoTransform(can_return_null=True)
        if numbers is not None:
            self.affine = self._shown = _affine(numbers)
        elif dataset.GetGCPCount() or dataset.GetMetadata("RPC"):
            self._dataset, self._warper = dataset, _warper(dataset)  # the warper does not keep its dataset alive
            self.affine = _fitted(dataset.GetGCPs())

    def to_crs(self, x: float, y: float) -> tuple[float, float]:
        """Coordinates in the raster's CRS; raises ValueError where there are none."""
        return self._warp(False, x, y) if self._warper else pixel_to_map(self._shown, x, y)

    def extent(self, window: Window) -> QgsRectangle:
        """What a window covers, in the raster's CRS; raises ValueError where it has no place."""
        return _around(window, lambda x, y: QgsPointXY(*self.to_crs(x, y)))

    def to_pixel(self, crs_x: float, crs_y: float) -> tuple[float, float]:
        """Pixel coordinates; raises ValueError where there are none."""
        return self._warp(True, crs_x, crs_y) if self._warper else map_to_pixel(self._shown, crs_x, crs_y)

    def _warp(self, backwards: bool, x: float, y: float) -> tuple[float, float]:
        found, point = self._warper.TransformPoint(backwards, x, y, 0.0)
        if not found:
            raise ValueError(f"({x}, {y}) lies outside what the ground control points cover")
        return point[0], point[1]

    def grid(self, crs: QgsCoordinateReferenceSystem) -> Grid:
        """The raster's grid, its GSD measured at the centre."""
        wkt = crs.toWkt() if crs.isValid() else ""
        return Grid(self.window.width, self.window.height, self.affine, wkt, self._gsd_m(crs))

    def _gsd_m(self, crs: QgsCoordinateReferenceSystem) -> Optional[float]:
        x, y = self.window.width / 2, self.window.height / 2
        degrees = QgsCoordinateReferenceSystem("EPSG:4326")
        if not crs.isValid():
            return None
        to_degrees = QgsCoordinateTransform(crs, degrees, QgsCoordinateTransformContext())
        try:
            corners = [pixel_to_map(self.affine, *corner) for corner in ((x, y), (x + 1, y), (x, y + 1))]
            points = [to_degrees.transform(QgsPointXY(*corner)) for corner in corners]
        except QgsCsException:
            return None
        return gsd_from_corners(np.array([(point.x(), point.y()) for point in points]))


class Locator:
    """Map canvas ⇄ pixels of one raster: a Placement seen through the map's CRS."""

    def __init__(
        self,
        placement: Placement,
        raster_crs: QgsCoordinateReferenceSystem,
        map_crs: QgsCoordinateReferenceSystem,
        context: QgsCoordinateTransformContext,
    ) -> None:
        self.placement = placement
        self._transform = QgsCoordinateTransform(raster_crs, map_crs, context)

    def pixel(self, point: QgsPointXY) -> tuple[float, float]:
        """Pixel coordinates of a point of the map; raises ValueError where the map has no place in the raster."""
        try:
            place = self._transform.transform(point, Qgis.TransformDirection.Reverse)
        except QgsCsException as error:
            raise ValueError(str(error)) from error
        return self.placement.to_pixel(place.x(), place.y())

    def point(self, x: float, y: float) -> QgsPointXY:
        """The point of the map that shows the pixel coordinates (x, y); raises ValueError where there is none."""
        try:
            return self._transform.transform(QgsPointXY(*self.placement.to_crs(x, y)))
        except QgsCsException as error:
            raise ValueError(str(error)) from error

    def window(self, extent: QgsRectangle) -> Window:
        """The smallest window of whole pixels, clipped to the raster, around an extent of the map; may be empty."""
        pixels = [pixel for pixel in map(self._try_pixel, _samples(extent)) if pixel]
        if not pixels:
            return Window(0, 0, 0, 0)
        xs, ys = zip(*pixels)
        col, row = math.floor(min(xs)), math.floor(min(ys))
        around = Window(col, row, math.ceil(max(xs)) - col, math.ceil(max(ys)) - row)
        return intersection(around, self.placement.window)

    def extent(self, window: Window) -> QgsRectangle:
        """The extent of the map that a window covers; raises ValueError where the map has no place for it."""
        return _around(window, self.point)

    def _try_pixel(self, point: QgsPointXY) -> Optional[tuple[float, float]]:
        try:
            x, y = self.pixel(point)
        except ValueError:
            return None
        return (x, y) if math.isfinite(x) and math.isfinite(y) else None


def _around(window: Window, point: Callable[[float, float], QgsPointXY]) -> QgsRectangle:
    """The extent of a window whose pixel coordinates lie at `point`s."""
    xs = (window.col, window.col + window.width / 2, window.col_end)  # edges may be curved
    ys = (window.row, window.row + window.height / 2, window.row_end)
    points = [point(x, y) for x in xs for y in ys]
    east, north = [point.x() for point in points], [point.y() for point in points]
    return QgsRectangle(min(east), min(north), max(east), max(north))


def _samples(extent: QgsRectangle) -> Iterator[QgsPointXY]:
    """A lattice of points over an extent, its edges included."""
    for x in np.linspace(extent.xMinimum(), extent.xMaximum(), EDGE_POINTS):
        for y in np.linspace(extent.yMinimum(), extent.yMaximum(), EDGE_POINTS):
            yield QgsPointXY(float(x), float(y))


def _affine(numbers: tuple[float, ...]) -> Affine:
    """GDAL's order of an affine transform in ours."""
    c, a, b, f, d, e = numbers
    return a, b, c, d, e, f


def _warper(dataset: gdal.Dataset) -> gdal.Transformer:
    try:
        warper = gdal.Transformer(dataset, None, [])
    except RuntimeError:  # where another plugin has switched GDAL's exceptions on
        warper = None
    if warper is None or not warper.this:
        raise UnusableRaster(
            tr("The raster's ground control points do not say where it lies."), tr("Georeference it first.")
        )
    return warper


def _fitted(points: tuple[gdal.GCP, ...]) -> Affine:
    numbers = gdal.GCPsToGeoTransform(points) if len(points) > 2 else None  # two span no area, the server says too
    return IDENTITY if numbers is None else _affine(numbers)
