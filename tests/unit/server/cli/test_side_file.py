"""Points with numbers from files, and terrafine predict --side."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
import torch
from rasterio.crs import CRS
from rasterio.warp import transform

from terrafine.models import registry
from terrafine.server.cli import main
from terrafine.server.rasters.side_file import read_side
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Grid, pixel_to_map
from terrafine.shared.side import SideFields
from terrafine.shared.spec import EncodingSpec

UTM = Grid(100, 80, (0.5, 0.1, 350_000.0, 0.1, -0.5, 2_780_000.0), CRS.from_epsg(32640).to_wkt(), 0.5)
PLAIN = Grid(100, 80)
PLACES = [(10.25, 20.75), (90.5, 70.5), (200.0, 3.0)]  # the last one lies beside the raster
ROWS = [{"height": 1.5, "noise": 4}, {"height": 2.5, "noise": 5}, {"height": 3.5, "noise": 6}]


def geojson(folder: Path, places, rows, kind="Point", **members) -> Path:
    features = [
        {"type": "Feature", "properties": row, "geometry": {"type": kind, "coordinates": place}}
        for place, row in zip(places, rows)
    ]
    path = folder / "points.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}), "utf-8")
    return path


def geopackage(folder: Path, places, rows, code: int, envelope: bool = False, layers: int = 1) -> Path:
    """The tables of OGC's standard that a layer needs, by hand."""
    path = folder / "points.gpkg"
    with closing(sqlite3.connect(path)) as database:
        columns = "srs_id, organization, organization_coordsys_id, definition"
        database.execute(f"CREATE TABLE gpkg_spatial_ref_sys ({columns})")
        database.execute("CREATE TABLE gpkg_geometry_columns (table_name, column_name, srs_id)")
        system = (code, "EPSG", code, CRS.from_epsg(code).to_wkt())
        database.execute("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?)", system)
        for layer in range(layers):
            database.execute(f'CREATE TABLE "layer {layer}" (fid, geom, height, noise)')
            database.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?)", (f"layer {layer}", code))
        for place, row in zip(places, rows):
            box = struct.pack("<4d", place[0], place[0], place[1], place[1]) if envelope else b""
            header = b"GP\0" + bytes([3 if envelope else 1]) + struct.pack("<i", code) + box
            blob = header + shapely.to_wkb(shapely.Point(place))
            database.execute('INSERT INTO "layer 0" VALUES (1, ?, ?, ?)', (blob, row["height"], row["noise"]))
        database.commit()
    return path


def in_crs(code: int) -> list[tuple[float, float]]:
    xs, ys = zip(*(pixel_to_map(UTM.transform, *place) for place in PLACES))
    return list(zip(*transform(CRS.from_epsg(32640), CRS.from_epsg(code), xs, ys)))


def test_points_of_geojson_lie_on_their_pixels_with_the_numbers_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    side = read_side(geojson(tmp_path, in_crs(4326), ROWS), ("noise", "height"), UTM)
    np.testing.assert_allclose(side.points, PLACES[:2], atol=1e-3)
    assert side.values.tolist() == [[4.0, 1.5], [5.0, 2.5]]


@pytest.mark.parametrize("code", [32640, 3857, 4326])
@pytest.mark.parametrize("envelope", [False, True])
def test_so_do_those_of_a_geopackage(tmp_path: Path, code: int, envelope: bool) -> None:
    side = read_side(geopackage(tmp_path, in_crs(code), ROWS, code, envelope), ("height",), UTM)
    np.testing.assert_allclose(side.points, PLACES[:2], atol=1e-3)
    assert side.values.tolist() == [[1.5], [2.5]]


def test_a_point_without_a_number_is_left_out(tmp_path: Path) -> None:
    rows = [{"height": None}, {"height": 2.5}, {"height": 1.0}]
    assert read_side(geojson(tmp_path, PLACES, rows), ("height",), PLAIN).values.tolist() == [[2.5]]


@pytest.mark.parametrize(
    ("places", "rows", "kind", "words"),
    [
        ([(500.0, 5.0)], [{"height": 1}], "Point", "says anything"),
        ([(5.0, 5.0)], [{"depth": 1}], "Point", "lacks 'height'"),
        ([(5.0, 5.0)], [{"height": "tall"}], "Point", "tall"),
        ([[(5.0, 5.0), (6.0, 6.0)]], [{"height": 1}], "LineString", "no point"),
    ],
)
def test_a_file_that_says_nothing_is_refused(tmp_path: Path, places, rows, kind: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_side(geojson(tmp_path, places, rows, kind), ("height",), PLAIN)


def test_a_geopackage_of_two_layers_and_one_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 layers"):
        read_side(geopackage(tmp_path, [], [], 4326, layers=2), ("height",), UTM)
    (tmp_path / "other.gpkg").write_bytes(b"nothing of the kind")
    for name in ("other.gpkg", "missing.gpkg"):
        with pytest.raises(ConfigError, match="cannot be used"):
            read_side(tmp_path / name, ("height",), UTM)


@pytest.fixture
def told(spec, tmp_path: Path) -> Path:
    """A folder with a model that is told one number, and listens well."""
    torch.manual_seed(0)
    spec = dataclasses.replace(
        spec, name="told", architecture="sideinfnet", encoding=EncodingSpec("onehot", 1.0),
        side=SideFields(("height",), (0.0,), (1.0,)),
    )  # fmt: skip
    network = registry.build(spec)
    with torch.no_grad():
        network.fuse.weight[:, network.encoder.channels[1] :] *= 100
    registry.save(tmp_path / "models" / "told", spec, network)
    return tmp_path / "models"


def test_predict_tells_the_model_what_the_points_of_a_file_say(told: Path, tmp_path: Path) -> None:
    image = tmp_path / "image.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (3, 96, 96), np.uint8)
    with rasterio.open(image, "w", "GTiff", 96, 96, 3, dtype="uint8") as dataset:
        dataset.write(pixels)
    points = geojson(tmp_path, [(x + 0.5, 40.5) for x in range(0, 96, 4)], [{"tall": 3.0}] * 24)
    words = ["predict", str(image), "", "--model", "told", "--models", str(told)]
    maps = []
    for name, more in (("plain", []), ("told", ["--side", str(points), "--fields", "tall"])):
        words[2] = str(tmp_path / f"{name}.tif")
        assert main([*words, *more]) == 0
        with rasterio.open(words[2]) as dataset:
            maps.append(dataset.read(1))
    assert (maps[0] != maps[1]).any()
    assert main([*words, "--side", str(points)]) == 2  # the points have no "height"
