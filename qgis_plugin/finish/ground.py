"""Areas on the ground: square metres on the WGS 84 ellipsoid, whatever a map's CRS makes of them."""

from __future__ import annotations

import numpy as np
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsDistanceArea,
    QgsLineString,
)

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.shared.errors import UnusableRaster
from terrafine.shared.geo import Window

ELLIPSOID = "EPSG:7030"  # WGS 84
SEMI_MAJOR_M, ECCENTRICITY_2 = 6_378_137.0, 0.00669437999014
STEP_PX = 4.0  # either side of a pixel, to see how large it is in degrees


def area_element_m2(latitude: np.ndarray) -> np.ndarray:
    """Square metres of a square degree at latitudes in degrees: meridional times transverse radius of curvature times
    the cosine (Snyder, "Map Projections", 1987, equations 4-18 to 4-20)."""
    phi = np.radians(latitude)
    w2 = 1.0 - ECCENTRICITY_2 * np.sin(phi) ** 2
    return SEMI_MAJOR_M**2 * (1.0 - ECCENTRICITY_2) / w2**2 * np.cos(phi) * np.radians(1.0) ** 2


def row_areas_m2(placement: Placement, crs: QgsCoordinateReferenceSystem, window: Window) -> np.ndarray:
    """Area of the pixel in the middle of each row of a window, float (rows,); raises UnusableRaster without a CRS."""
    x = window.col + window.width / 2
    y = np.arange(window.row, window.row_end) + 0.5
    steps = ((STEP_PX, 0.0), (-STEP_PX, 0.0), (0.0, STEP_PX), (0.0, -STEP_PX))
    east, west, south, north = (_degrees(placement, crs, x + dx, y + dy) for dx, dy in steps)
    along_row, along_column = _turned(east - west), _turned(south - north)
    square_degrees = np.abs(along_row[0] * along_column[1] - along_row[1] * along_column[0]) / (2 * STEP_PX) ** 2
    return square_degrees * area_element_m2((north[1] + south[1]) / 2)


def measurer(crs: QgsCoordinateReferenceSystem) -> QgsDistanceArea:
    """Measures geometries in a CRS on the same ellipsoid."""
    measure = QgsDistanceArea()
    measure.setSourceCrs(crs, QgsCoordinateTransformContext())
    measure.setEllipsoid(ELLIPSOID)
    return measure


def _degrees(placement: Placement, crs: QgsCoordinateReferenceSystem, x: float, y: np.ndarray) -> np.ndarray:
    """Longitude and latitude of pixel coordinates, float (2, n)."""
    if not crs.isValid():
        raise UnusableRaster(tr("Without a CRS, nobody knows how large the raster is."), tr("Set the layer's CRS."))
    wgs84 = QgsCoordinateReferenceSystem("EPSG:4326")
    try:
        line = QgsLineString(*map(list, zip(*(placement.to_crs(x, float(each)) for each in y))))
        line.transform(QgsCoordinateTransform(crs, wgs84, QgsCoordinateTransformContext()))
    except (QgsCsException, ValueError) as error:
        raise UnusableRaster(
            tr("The raster's CRS does not say how large it is: {why}.").format(why=error), tr("Check its CRS.")
        ) from error
    return np.array([(line.xAt(place), line.yAt(place)) for place in range(line.numPoints())]).T


def _turned(difference: np.ndarray) -> np.ndarray:
    """Differences of degrees, the short way round."""
    return (difference + 180.0) % 360.0 - 180.0
