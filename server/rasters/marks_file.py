"""Marks from files: a GeoPackage of the QGIS plugin's, or GeoJSON.

A feature's class is its attribute `class_id`, or `class_name` by the legend. What the plugin wrote (or QGIS exported
from that) has the attributes `kind`, `vertices` ("x y, x y, …" in pixels of the raster) and `width_px`, and its
geometry is not looked at. Other GeoJSON is read by geometry: points, lines as strokes (`width_px` wide, in pixels; a
hairline without), polygons without holes; in longitude and latitude (RFC 7946) or the CRS that its member `crs` names.
On a raster without a CRS they are coordinates of the raster's transform: pixels, where it has none either.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Optional

from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform as transform_points

from terrafine.server.rasters.raster_io import GDAL_ERRORS
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import BadRequest, ConfigError
from terrafine.shared.geo import Grid, map_to_pixel
from terrafine.shared.spec import LandCover

LON_LAT = "OGC:CRS84"
KINDS = {"Point": "point", "LineString": "stroke", "Polygon": "polygon"}
COLUMNS = ("mark_id", "class_id", "class_name", "kind", "width_px", "vertices")
Vertices = tuple[tuple[float, float], ...]
Shape = tuple[str, Vertices]  # kind, and vertices in pixels
Feature = tuple[Mapping[str, Any], Optional[Shape]]  # attributes, and the shape where they do not say it


def read_marks(path: Path, grid: Grid, classes: Sequence[LandCover]) -> tuple[Annotation, ...]:
    """The marks of a file on the raster of `grid`, in their order; ConfigError says what is wrong with it."""
    try:
        features = (
            _rows(path) if path.suffix.lower() == ".gpkg" else _features(json.loads(path.read_text("utf-8")), grid)
        )
        marks = [_mark(number, *feature, classes) for number, feature in enumerate(features, 1)]
    except (KeyError, TypeError, ValueError, BadRequest, CRSError, sqlite3.Error, *GDAL_ERRORS) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(
            f"The marks in '{path.name}' cannot be used: {reason}.", "terrafine learn --help says what they look like."
        ) from error
    if not marks:
        raise ConfigError(f"There are no marks in '{path.name}'.")
    return tuple(marks)


def _rows(path: Path) -> list[Feature]:
    """The rows of the plugin's GeoPackage."""
    if not path.exists():
        raise FileNotFoundError(2, "No such file", str(path))
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        return [(dict(row), None) for row in database.execute(f"SELECT {', '.join(COLUMNS)} FROM marks ORDER BY fid")]


def _features(document: Any, grid: Grid) -> Iterator[Feature]:
    """The features of GeoJSON; a multipart geometry makes several."""
    if not isinstance(document, dict):
        raise ValueError("it is no GeoJSON")
    crs = document.get("crs")
    named = crs["properties"]["name"] if crs else LON_LAT
    for feature in document["features"]:
        attributes, geometry = feature.get("properties") or {}, feature["geometry"]
        if "vertices" in attributes:
            yield attributes, None
            continue
        kind = geometry["type"]
        is_multi = kind.startswith("Multi")
        for part in geometry["coordinates"] if is_multi else [geometry["coordinates"]]:
            yield attributes, _shape(kind[5:] if is_multi else kind, part, named, grid)


def _shape(kind: str, coordinates: Any, crs: str, grid: Grid) -> Shape:
    if kind not in KINDS:
        raise ValueError(f"a {kind} is no mark")
    if kind == "Polygon" and len(coordinates) > 1:
        raise ValueError("a polygon has a hole")
    points = {"Point": [coordinates], "LineString": coordinates}.get(kind) or coordinates[0][:-1]
    return KINDS[kind], pixels_of(points, crs, grid)


def pixels_of(points: Sequence[Sequence[float]], crs: str, grid: Grid) -> Vertices:
    """Coordinates in `crs` as pixel coordinates of the raster; of its own transform where it has no CRS."""
    xs, ys = [float(point[0]) for point in points], [float(point[1]) for point in points]
    if grid.crs_wkt:
        xs, ys = transform_points(CRS.from_user_input(crs), CRS.from_wkt(grid.crs_wkt), xs, ys)[:2]
    return tuple(map_to_pixel(grid.transform, x, y) for x, y in zip(xs, ys))


def _mark(
    number: int, attributes: Mapping[str, Any], shape: Optional[Shape], classes: Sequence[LandCover]
) -> Annotation:
    kind, vertices = shape or (attributes["kind"], _parsed(attributes["vertices"]))
    width = float(attributes.get("width_px") or 0.0) if kind == "stroke" else 0.0
    return Annotation(str(number), kind, vertices, _class(attributes, classes), width)


def _parsed(text: str) -> Vertices:
    pairs = (pair.split() for pair in text.split(","))
    return tuple((float(x), float(y)) for x, y in pairs)


def _class(attributes: Mapping[str, Any], classes: Sequence[LandCover]) -> int:
    wanted = attributes.get("class_id")
    if wanted is None:
        wanted = {item.name: item.id for item in classes}.get(attributes["class_name"])
    if type(wanted) is not int or not 0 <= wanted < len(classes):
        known = ", ".join(f"{item.id} {item.name}" for item in classes)
        raise ValueError(f"{attributes.get('class_name') or wanted!r} is none of the classes {known}")
    return wanted
