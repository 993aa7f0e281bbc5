from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from rasterio.crs import CRS
from rasterio.warp import transform

from terrafine.server.rasters.marks_file import read_marks
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Grid, pixel_to_map

UTM = Grid(100, 80, (0.5, 0.1, 350_000.0, 0.1, -0.5, 2_780_000.0), CRS.from_epsg(32640).to_wkt(), 0.5)
PLAIN = Grid(100, 80)


def feature(geometry: str, coordinates, **attributes) -> dict:
    return {"type": "Feature", "properties": attributes, "geometry": {"type": geometry, "coordinates": coordinates}}


def written(folder: Path, *features: dict, **members) -> Path:
    path = folder / "marks.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}), "utf-8")
    return path


def test_each_geometry_becomes_its_kind_of_mark(tmp_path: Path, spec) -> None:
    path = written(
        tmp_path,
        feature("Point", [1.5, 2.5], class_id=2),
        feature("LineString", [[0, 0], [4, 3]], class_name="bare land", width_px=6),
        feature("Polygon", [[[1, 1], [5, 1], [5, 5], [1, 1]]], class_id=0, width_px=6),
        feature("MultiPoint", [[1.5, 2.5, 99.0], [3.5, 2.5, 99.0]], class_name="water"),
    )
    assert read_marks(path, PLAIN, spec.classes) == (
        Annotation("1", "point", ((1.5, 2.5),), 2),
        Annotation("2", "stroke", ((0.0, 0.0), (4.0, 3.0)), 1, 6.0),
        Annotation("3", "polygon", ((1.0, 1.0), (5.0, 1.0), (5.0, 5.0)), 0),
        Annotation("4", "point", ((1.5, 2.5),), 0),
        Annotation("5", "point", ((3.5, 2.5),), 0),
    )


@pytest.mark.parametrize(
    ("code", "members"),
    [
        (4326, {}),
        (32640, {"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32640"}}}),
        (3857, {"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}}),
        (4326, {"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}}),
    ],
)
def test_marks_lie_where_the_map_has_them(tmp_path: Path, spec, code: int, members: dict) -> None:
    places = [(10.25, 20.75), (90.5, 70.5)]
    xs, ys = zip(*(pixel_to_map(UTM.transform, *place) for place in places))
    there = list(zip(*transform(CRS.from_epsg(32640), CRS.from_epsg(code), xs, ys)))
    (mark,) = read_marks(written(tmp_path, feature("LineString", there, class_id=1), **members), UTM, spec.classes)
    for vertex, place in zip(mark.vertices, places):
        assert vertex == pytest.approx(place, abs=1e-3)


def test_what_the_plugin_wrote_is_read_by_its_attributes_to_the_last_digit(tmp_path: Path, spec) -> None:
    attributes = {"class_id": 1, "class_name": "old name", "kind": "stroke", "width_px": 3.5}
    exported = feature("Polygon", "an outline", vertices="1.1 2.2, 3.30000000001 4.4", mark_id="x", **attributes)
    expected = (Annotation("1", "stroke", ((1.1, 2.2), (3.30000000001, 4.4)), 1, 3.5),)
    assert read_marks(written(tmp_path, exported), UTM, spec.classes) == expected


def test_a_geopackage_of_the_plugin_is_read_in_the_order_of_drawing(tmp_path: Path, spec) -> None:
    path = tmp_path / "märks of mine.gpkg"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE marks (fid INTEGER PRIMARY KEY, geom BLOB, mark_id TEXT, class_id INTEGER, class_name TEXT, "
            "kind TEXT, width_px REAL, vertices TEXT)"
        )
        for fid, class_id in ((7, 2), (3, 0)):
            database.execute(
                "INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (fid, b"", f"m{fid}", class_id, "", "point", 0.0, f"{fid}.5 2.25"),
            )
    database.close()
    assert read_marks(path, UTM, spec.classes) == (
        Annotation("1", "point", ((3.5, 2.25),), 0),
        Annotation("2", "point", ((7.5, 2.25),), 2),
    )


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        ([], "no marks"),
        ([feature("Point", [1, 2], class_id=3)], "none of the classes 0 water"),
        ([feature("Point", [1, 2], class_name="lava")], "'lava' is none of the classes"),
        ([feature("Point", [1, 2])], "lacks 'class_name'"),
        ([feature("GeometryCollection", [], class_id=1)], "GeometryCollection is no mark"),
        ([feature("Polygon", [[[0, 0], [9, 0], [9, 9], [0, 0]], [[1, 0], [2, 0], [2, 1]]], class_id=1)], "hole"),
        ([feature("Polygon", [[[0, 0], [9, 0], [0, 0]]], class_id=1)], "2 vertices"),
        ([feature("Point", ["a", 2], class_id=1)], "'a'"),
        ([feature("Point", [float("inf"), 2], class_id=1)], "finite"),
        ([{"type": "Feature", "properties": None, "geometry": None}], "cannot be used"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, spec, features, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        read_marks(written(tmp_path, *features), PLAIN, spec.classes)
    assert "marks.geojson" in str(caught.value)


NO_GEOJSON = ["{", "[]", '{"features": 3}', '{"features": [], "crs": {"type": "name"}}', "\udcff"]


@pytest.mark.parametrize("content", NO_GEOJSON)
def test_a_file_that_is_no_geojson_is_refused(tmp_path: Path, spec, content: str) -> None:
    path = tmp_path / "marks.geojson"
    path.write_text(content, "utf-8", errors="surrogateescape")
    with pytest.raises(ConfigError):
        read_marks(path, PLAIN, spec.classes)


def test_a_geopackage_of_something_else_is_refused(tmp_path: Path, spec) -> None:
    path = tmp_path / "roads.gpkg"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE roads (fid INTEGER PRIMARY KEY)")
    database.close()
    with pytest.raises(ConfigError, match="no such table"):
        read_marks(path, PLAIN, spec.classes)


@pytest.mark.parametrize("name", ["none.gpkg", "none.geojson"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, spec, name: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        read_marks(tmp_path / name, PLAIN, spec.classes)
    assert Path(caught.value.filename).name == name
