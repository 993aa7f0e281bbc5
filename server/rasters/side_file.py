"""Side information from files: points of a GeoPackage or of GeoJSON, with numbers as attributes."""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from rasterio.errors import CRSError
from shapely.errors import ShapelyError

from terrafine.server.rasters.marks_file import LON_LAT, pixels_of
from terrafine.server.rasters.raster_io import GDAL_ERRORS
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Grid
from terrafine.shared.side import SideInformation

ENVELOPE_BYTES = (0, 32, 48, 48, 64)  # of a GeoPackage's geometry, by the kind that its flags name
LAYER = """
    SELECT g.table_name, g.column_name, s.definition, s.organization || ':' || s.organization_coordsys_id
    FROM gpkg_geometry_columns g JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id
"""
UNREADABLE = (
    OSError, KeyError, TypeError, ValueError, struct.error, CRSError, ShapelyError, sqlite3.Error, *GDAL_ERRORS,
)  # fmt: skip
Place = tuple[float, float]
Feature = tuple[Mapping[str, Any], Place]


def read_side(path: Path, fields: Sequence[str], grid: Grid) -> SideInformation:
    """The points of a file on the raster of `grid`, with the numbers in its `fields`, in that order.

    A point without one of the numbers, or beside the raster, is left out. A GeoPackage has one layer, which is read
    whole. Raises ConfigError, which says what is wrong.
    """
    try:
        crs, features = _geopackage(path) if path.suffix.lower() == ".gpkg" else _geojson(path)
        known = [(numbers, place) for attributes, place in features if (numbers := _numbers(attributes, fields))]
        places = pixels_of([place for _, place in known], crs, grid) if known else ()
    except UNREADABLE as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"The points in '{path.name}' cannot be used: {reason}.") from error
    inside = [i for i, (x, y) in enumerate(places) if 0 <= x < grid.width and 0 <= y < grid.height]
    if not inside:
        hint = f"Points lie on the raster, with numbers in {', '.join(fields)}."
        raise ConfigError(f"No point of '{path.name}' says anything about the raster.", hint)
    points, values = [places[i] for i in inside], [known[i][0] for i in inside]
    return SideInformation(np.array(points, np.float32), np.array(values, np.float32))


def _numbers(attributes: Mapping[str, Any], fields: Sequence[str]) -> list[float]:
    """Empty where one of them is missing. Raises KeyError for a field that there is not."""
    values = [attributes[name] for name in fields]
    if any(value is None for value in values):
        return []
    numbers = [float(value) for value in values]
    return numbers if all(math.isfinite(number) for number in numbers) else []


def _geojson(path: Path) -> tuple[str, Iterator[Feature]]:
    document = json.loads(path.read_text("utf-8"))
    if not isinstance(document, dict):
        raise ValueError("it is no GeoJSON")
    crs = document["crs"]["properties"]["name"] if document.get("crs") else LON_LAT
    return crs, ((item.get("properties") or {}, _point(item["geometry"])) for item in document["features"])


def _point(geometry: Mapping[str, Any]) -> Place:
    if geometry["type"] != "Point":
        raise ValueError(f"a {geometry['type']} is no point")
    x, y = geometry["coordinates"][:2]
    return float(x), float(y)


def _geopackage(path: Path) -> tuple[str, list[Feature]]:
    if not path.exists():
        raise FileNotFoundError(2, "No such file", str(path))
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        layers = database.execute(LAYER).fetchall()
        if len(layers) != 1:
            raise ValueError(f"it has {len(layers)} layers; save the points as a file of their own")
        table, column, definition, code = layers[0]
        rows = database.execute(f'SELECT * FROM "{table}" WHERE "{column}" IS NOT NULL').fetchall()
    crs = definition if str(definition).strip() not in ("", "undefined") else code
    return crs, [(dict(row), _blob_point(row[column])) for row in rows]


def _blob_point(blob: bytes) -> Place:
    """The point of GeoPackage's binary geometry: a header of 8 bytes, perhaps an envelope, then well-known binary."""
    if blob[:2] != b"GP":
        raise ValueError("a geometry is none of a GeoPackage's")
    geometry = shapely.from_wkb(blob[8 + ENVELOPE_BYTES[(blob[3] >> 1) & 7] :])
    if geometry.geom_type != "Point":
        raise ValueError(f"a {geometry.geom_type} is no point")
    return float(geometry.x), float(geometry.y)
