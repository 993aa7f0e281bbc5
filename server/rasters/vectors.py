"""Boxes from a vector layer, and outlines into one: GeoPackage, GeoJSON, Shapefile and all else that GDAL reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points

from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Grid, map_to_pixel, pixel_to_map
from terrafine.shared.objects import Box, Points


@dataclass(frozen=True)
class Layer:
    """Of n features: their boxes in raster pixel coordinates, None where there is no geometry; and their attributes,
    by name, n of each.
    """

    boxes: tuple[Optional[Box], ...]
    attributes: dict[str, NDArray[Any]]


def read_boxes(path: Path, grid: Grid) -> Layer:
    """The boxes around the features of a layer, whatever its CRS; raises ConfigError where there are none."""
    library = _library()
    try:
        meta, _, geometries, columns = library.raw.read(path)
    except library.errors.DataSourceError as error:
        raise ConfigError(f"The boxes in '{path.name}' cannot be read: {error}.") from error
    if geometries is None or not len(geometries):
        raise ConfigError(f"'{path.name}' has no features.", "Give a layer of boxes.")
    crs = CRS.from_user_input(meta["crs"]) if meta["crs"] and grid.crs_wkt else None
    boxes = tuple(_box(shapely.from_wkb(geometry), crs, grid) for geometry in geometries)
    return Layer(boxes, dict(zip(map(str, meta["fields"]), columns)))


def write_outlines(path: Path, outlines: Sequence[Points], attributes: dict[str, NDArray[Any]], grid: Grid) -> None:
    """Polygons in raster pixel coordinates as a layer in the raster's CRS; an existing file is replaced."""
    library = _library()
    rings = [[pixel_to_map(grid.transform, x, y) for x, y in outline] for outline in outlines]
    geometries = np.array([shapely.to_wkb(shapely.Polygon(ring)) for ring in rings], dtype=object)
    crs = CRS.from_wkt(grid.crs_wkt).to_string() if grid.crs_wkt else None
    path.unlink(missing_ok=True)
    try:
        library.raw.write(
            path, geometries, list(attributes.values()), list(attributes), geometry_type="Polygon", crs=crs
        )
    except (library.errors.DataSourceError, library.errors.DataLayerError) as error:
        raise ConfigError(f"'{path}' cannot be written: {error}.", "Name it .gpkg or .geojson.") from error


def _box(geometry: Any, crs: Optional[CRS], grid: Grid) -> Optional[Box]:
    """The box, in pixels, around what a feature covers: its corners are turned, so all of its points count."""
    points = shapely.get_coordinates(geometry)
    if not len(points):
        return None
    xs, ys = points[:, 0], points[:, 1]
    if crs is not None:
        xs, ys = transform_points(crs, CRS.from_wkt(grid.crs_wkt), xs, ys)[:2]
    pixels = np.array([map_to_pixel(grid.transform, x, y) for x, y in zip(xs, ys)])
    (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _library() -> ModuleType:
    try:
        import pyogrio
        import pyogrio.errors
        import pyogrio.raw
    except ImportError as error:
        raise ConfigError(
            "Vector layers are read with pyogrio, which is missing.", "pip install 'terrafine[objects]'"
        ) from error
    library: ModuleType = pyogrio
    return library
