"""Windows and grids: the geometry of rasters.

Notation, for the whole project:

- Pixel coordinates are (x, y) = (column, row). (0, 0) is the outer corner of the first pixel, so the *centre* of pixel
  (column 3, row 5) is (3.5, 5.5). y grows with the row, whatever the map does.
- A `Window` is a half-open rectangle of whole pixels: columns [col, col + width), rows [row, row + height). It may
  reach outside the raster; `clip` it where that matters.
- Arrays are (bands, rows, columns).
- An affine transform is the six numbers (a, b, c, d, e, f) with map x = a·x + b·y + c and map y = d·x + e·y + f
  (the order of rasterio and PyProj, not GDAL's).
- GSD is the ground sampling distance in metres on the ground, measured at the raster's centre.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Iterable, Optional

import numpy as np

EARTH_RADIUS_M = 6_371_008.8  # mean radius of the ellipsoid, IUGG
Affine = tuple[float, float, float, float, float, float]
IDENTITY: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
MAX_SIDE_PX = 2**31 - 1  # GDAL's own limit


@dataclass(frozen=True, order=True)
class Window:
    """A half-open rectangle of whole pixels; see the notation at the top of the module."""

    col: int
    row: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 0 or self.height < 0:
            raise ValueError(f"a window cannot have a negative size: {self}")

    @property
    def col_end(self) -> int:
        return self.col + self.width

    @property
    def row_end(self) -> int:
        return self.row + self.height

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns), as numpy has it."""
        return self.height, self.width

    @property
    def is_empty(self) -> bool:
        return self.width == 0 or self.height == 0

    @property
    def pixels(self) -> int:
        return self.width * self.height


def intersection(a: Window, b: Window) -> Window:
    """The pixels that both windows hold; an empty window where they do not meet."""
    col, row = max(a.col, b.col), max(a.row, b.row)
    width, height = min(a.col_end, b.col_end) - col, min(a.row_end, b.row_end) - row
    return Window(col, row, max(0, width), max(0, height))


def intersects(a: Window, b: Window) -> bool:
    return not intersection(a, b).is_empty


def contains(outer: Window, inner: Window) -> bool:
    """Does `inner` lie within `outer`, edges included? An empty window counts by where it lies."""
    return (
        outer.col <= inner.col
        and outer.row <= inner.row
        and inner.col_end <= outer.col_end
        and inner.row_end <= outer.row_end
    )


def bounding(windows: Iterable[Window]) -> Window:
    """The smallest window around all non-empty `windows`; empty at the origin if there are none."""
    boxes = [w for w in windows if not w.is_empty]
    if not boxes:
        return Window(0, 0, 0, 0)
    col, row = min(w.col for w in boxes), min(w.row for w in boxes)
    return Window(col, row, max(w.col_end for w in boxes) - col, max(w.row_end for w in boxes) - row)


def buffered(window: Window, by: int) -> Window:
    """`window` grown by `by` pixels on every side."""
    return Window(window.col - by, window.row - by, window.width + 2 * by, window.height + 2 * by)


def slices(window: Window, inside: Window) -> tuple[slice, slice]:
    """(row slice, column slice) of `window` in an array that holds `inside`; `window` must lie inside."""
    if not contains(inside, window):
        raise ValueError(f"{window} does not lie inside {inside}")
    top, left = window.row - inside.row, window.col - inside.col
    return slice(top, top + window.height), slice(left, left + window.width)


def blocks(window: Window, size: int) -> list[Window]:
    """Cut `window` along the lines of a grid of `size` pixels that is anchored at (0, 0); row-major."""
    rows = range(window.row // size * size, window.row_end, size)
    cols = range(window.col // size * size, window.col_end, size)
    cut = (intersection(Window(col, row, size, size), window) for row in rows for col in cols)
    return [block for block in cut if not block.is_empty]


@dataclass(frozen=True)
class Grid:
    """Where a raster lies: its size in pixels, its affine transform, its CRS, and its GSD on the ground.

    `crs_wkt` is empty where the CRS is unknown; `gsd_m` is None where it cannot be measured (no CRS, or none on Earth).
    """

    width: int
    height: int
    transform: Affine = IDENTITY
    crs_wkt: str = ""
    gsd_m: Optional[float] = None

    def __post_init__(self) -> None:
        if not (1 <= self.width <= MAX_SIDE_PX and 1 <= self.height <= MAX_SIDE_PX):
            raise ValueError(f"a raster cannot be {self.width} x {self.height} pixels large")
        if not all(math.isfinite(number) for number in self.transform):
            raise ValueError(f"the raster's transform {self.transform} is not finite")
        if self.gsd_m is not None and not 0.0 < self.gsd_m < math.inf:
            raise ValueError(f"a pixel cannot be {self.gsd_m} m wide")

    @property
    def window(self) -> Window:
        """The whole raster."""
        return Window(0, 0, self.width, self.height)


def pixel_to_map(transform: Affine, x: float, y: float) -> tuple[float, float]:
    """Map coordinates of the pixel coordinates (x, y); also for arrays."""
    a, b, c, d, e, f = transform
    return a * x + b * y + c, d * x + e * y + f


def map_to_pixel(transform: Affine, map_x: float, map_y: float) -> tuple[float, float]:
    """Pixel coordinates of a map position; raises ValueError where the transform cannot be inverted."""
    a, b, c, d, e, f = transform
    determinant = a * e - b * d
    if determinant == 0.0 or not math.isfinite(determinant):
        raise ValueError(f"the raster's transform {transform} is degenerate")
    dx, dy = map_x - c, map_y - f
    return (e * dx - b * dy) / determinant, (a * dy - d * dx) / determinant


def ground_distance_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Great-circle distance in metres between two positions in degrees (haversine; under 0.6 % from the ellipsoid)."""
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half_phi, half_lambda = (phi2 - phi1) / 2, math.radians(lon2 - lon1) / 2
    chord = math.sin(half_phi) ** 2 + math.cos(phi1) * math.cos(phi2) * math.sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(chord)))


def gsd_from_corners(lon_lat: np.ndarray) -> Optional[float]:
    """GSD in metres of a pixel from three positions in degrees, float (3, 2): a point near the raster's centre, the
    point one pixel along its row, the point one pixel along its column. The geometric mean of both lengths; None where
    it is not a positive finite number.
    """
    (lon, lat), (lon_x, lat_x), (lon_y, lat_y) = lon_lat
    if not np.isfinite(lon_lat).all():
        return None
    gsd = math.sqrt(ground_distance_m(lon, lat, lon_x, lat_x) * ground_distance_m(lon, lat, lon_y, lat_y))
    return gsd if gsd > 0.0 else None
