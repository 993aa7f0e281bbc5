"""`terrafine objects` and `terrafine noc`: layers in, layers and figures out."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

from terrafine.models import registry
from terrafine.models.data import Scene
from terrafine.models.objects import build, measure
from terrafine.models.objects.samples import objects_of
from terrafine.server import cli
from terrafine.server.rasters.vectors import read_boxes, write_outlines
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Grid

pyogrio = pytest.importorskip("pyogrio")
UTM = "EPSG:32640"
TRANSFORM = (0.5, 0.0, 326000.0, 0.0, -0.5, 2785000.0)
SQUARE = ((10.0, 20.0), (30.0, 20.0), (30.0, 50.0), (10.0, 50.0))


@pytest.fixture
def grid():
    from rasterio.crs import CRS

    return Grid(120, 100, TRANSFORM, CRS.from_user_input(UTM).to_wkt(), 0.5)


@pytest.mark.parametrize("name", ["boxes.gpkg", "boxes.geojson", "boxes.shp"])
def test_outlines_that_were_written_are_read_as_boxes_where_they_were(tmp_path, grid, name):
    attributes = {"name": np.array(["mosque"], object), "score": np.array([0.75])}
    write_outlines(tmp_path / name, [SQUARE], attributes, grid)
    layer = read_boxes(tmp_path / name, grid)
    assert layer.boxes[0] == pytest.approx((10.0, 20.0, 30.0, 50.0), abs=1e-3)
    assert (layer.attributes["name"][0], layer.attributes["score"][0]) == ("mosque", 0.75)


def test_boxes_in_longitude_and_latitude_find_their_pixels(tmp_path, grid):
    from rasterio.warp import transform_geom

    ring = [[326000 + 0.5 * x, 2785000 - 0.5 * y] for x, y in (*SQUARE, SQUARE[0])]
    shape = transform_geom(UTM, "EPSG:4326", {"type": "Polygon", "coordinates": [ring]})
    feature = {"type": "Feature", "properties": {}, "geometry": shape}
    path = tmp_path / "boxes.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert read_boxes(path, grid).boxes[0] == pytest.approx((10.0, 20.0, 30.0, 50.0), abs=0.05)


def test_what_is_no_layer_is_told_of(tmp_path, grid):
    (tmp_path / "boxes.gpkg").write_text("no layer")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_boxes(tmp_path / "boxes.gpkg", grid)


@pytest.fixture
def models(tmp_path, spec):
    """A model that takes all that it sees for the object: its last bias says so."""
    torch.manual_seed(0)
    everything = dataclasses.replace(spec, name="all", architecture="iog", gsd_m=0.0, overlap_px=0, task="object")
    network = build.build(everything)
    torch.nn.init.zeros_(network.fine.head.weight)
    torch.nn.init.constant_(network.fine.head.bias, 2.0)
    registry.save(tmp_path / "models" / "all", everything, network)
    return tmp_path / "models"


@pytest.fixture
def image(tmp_path, write_raster, noise):
    from rasterio.crs import CRS
    from rasterio.transform import Affine

    return write_raster(
        tmp_path / "image.tif", noise(100, 120), crs=CRS.from_user_input(UTM), transform=Affine(*TRANSFORM)
    )


def test_a_layer_of_boxes_becomes_outlines_with_its_attributes(tmp_path, grid, models, image, capsys):
    far = tuple((x + 5000, y) for x, y in SQUARE)
    write_outlines(tmp_path / "boxes.gpkg", [far, SQUARE], {"number": np.array([7, 8])}, grid)
    words = ["objects", image, tmp_path / "boxes.gpkg", tmp_path / "out.gpkg", "--models", models, "--model", "all"]
    assert cli.main([str(word) for word in words]) == 0
    assert "1 objects of 2 boxes" in capsys.readouterr().out
    layer = read_boxes(tmp_path / "out.gpkg", grid)
    assert list(layer.attributes["number"]) == [8]
    assert layer.attributes["score"][0] == pytest.approx(1 / (1 + np.exp(-2.0)), abs=0.01)
    assert layer.boxes[0] == pytest.approx((0.0, 14.0, 41.0, 56.0), abs=0.1)  # its crop: a margin of 0.2, at the rim
    assert pyogrio.read_info(tmp_path / "out.gpkg")["crs"] == UTM


def test_what_the_model_is_less_sure_of_can_be_left_out(tmp_path, grid, models, image, capsys):
    write_outlines(tmp_path / "boxes.gpkg", [SQUARE], {"number": np.array([8])}, grid)
    words = ["objects", image, tmp_path / "boxes.gpkg", tmp_path / "out.gpkg", "--models", models, "--model", "all"]
    assert cli.main([*map(str, words), "--least-score", "0.95"]) == 0
    assert "0 objects of 1 boxes" in capsys.readouterr().out


def test_the_boxes_are_never_overwritten(tmp_path, models, image, capsys):
    words = ["objects", image, tmp_path / "boxes.gpkg", tmp_path / "boxes.gpkg", "--models", models, "--model", "all"]
    assert cli.main([str(word) for word in words]) == cli.USAGE
    assert "different files" in capsys.readouterr().err


def a_scene():
    rng = np.random.default_rng(0)
    truth = np.zeros((90, 90), np.uint8)
    truth[30:60, 25:70] = 1
    image = np.where(truth, 200, 60).astype(np.int64) + rng.integers(0, 20, (3, 90, 90))
    return Scene("s", image.astype(np.uint8), truth)


def test_grabcut_finds_what_stands_out_and_obeys_clicks():
    pytest.importorskip("cv2")
    from terrafine.server.evaluation.grabcut import grabcut

    (target,) = objects_of([a_scene()], [1], 100)
    trial = measure.measure(grabcut, target, 10)
    assert trial.ious[0] > 0.95
    guide = measure.ObjectGuide((20.0, 25.0, 75.0, 65.0), ((40.0, 45.0),), ((60.0, 45.0),))
    found = grabcut(target, guide)
    assert found.mask[45 - found.window.row, 40 - found.window.col]
    assert not found.mask[45 - found.window.row, 60 - found.window.col]


def test_noc_prints_a_line_for_each_method(tmp_path, models, capsys):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    scene = a_scene()
    Image.fromarray(scene.image.transpose(1, 2, 0)).save(tmp_path / "images" / "a.png")
    Image.fromarray(scene.truth).save(tmp_path / "labels" / "a.png")
    config = tmp_path / "config.toml"
    config.write_text(
        '[model]\nname="x"\ntitle="x"\ntask="object"\narchitecture="iog"\nencoder="mobilenet_v2_same"\n'
        'bands=["red","green","blue"]\ngsd_m=0.0\ntile_px=64\noverlap_px=0\n'
        "normalisation={mean=[0.5,0.5,0.5],std=[0.5,0.5,0.5]}\n"
        'classes=[{name="other",color="#000000"},{name="building",color="#ff0000"}]\n'
        '[data]\nimages="images"\nlabels="labels"\ntrain=["a"]\ntest=["a"]\n'
    )
    words = [
        "noc",
        config,
        "--data",
        tmp_path,
        "--model",
        models / "all",
        "--clicks",
        "4",
        "--json",
        tmp_path / "out.json",
    ]
    assert cli.main([str(word) for word in words]) == 0
    assert "NoC@90" in capsys.readouterr().out
    (trials,) = json.loads((tmp_path / "out.json").read_text()).values()
    assert (trials[0]["first"], len(trials[0]["ious"])) == (3, 2)
