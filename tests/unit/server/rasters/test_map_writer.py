from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from terrafine.server.rasters.map_writer import Layer, MapWriter
from terrafine.server.rasters.raster_io import Georeference
from terrafine.shared.errors import ConfigError, OutOfMemory, TerrafineError
from terrafine.shared.geo import IDENTITY, Grid, Window, blocks, slices

GRID = Grid(1100, 700)
WHOLE = GRID.window
UTM = Georeference((0.5, 0.0, 350000.0, 0.0, -0.5, 2780000.0), (), CRS.from_epsg(32640))
CLASSES = (np.arange(700)[:, None] // 100 + np.arange(1100) // 100).astype(np.uint8) % 3


@pytest.fixture
def layer(spec) -> Layer:
    return Layer("land cover", spec.classes)


def written(path: Path, layer: Layer, place: Georeference = UTM) -> Path:
    with MapWriter(path, GRID, place, layer) as writer:
        for piece in blocks(WHOLE, 448):
            writer.write(piece, CLASSES[slices(piece, WHOLE)])
    return path


def interrupted(path: Path, layer: Layer, error: type[BaseException]) -> None:
    with MapWriter(path, GRID, UTM, layer) as writer:
        writer.write(Window(0, 0, 10, 10), CLASSES[:10, :10])
        raise error


def test_the_map_is_written_as_it_was_given(tmp_path: Path, layer: Layer) -> None:
    with rasterio.open(written(tmp_path / "map.tif", layer)) as dataset:
        np.testing.assert_array_equal(dataset.read(1), CLASSES)


def test_it_is_tiled_compressed_and_has_overviews_and_nodata(tmp_path: Path, layer: Layer) -> None:
    with rasterio.open(written(tmp_path / "map.tif", layer)) as dataset:
        assert dataset.block_shapes == [(512, 512)]
        assert dataset.compression.name == "deflate"
        assert dataset.overviews(1) == [2, 4, 8]
        assert dataset.nodata == 255


def test_overviews_hold_only_classes_that_are_there(tmp_path: Path, layer: Layer) -> None:
    with rasterio.open(written(tmp_path / "map.tif", layer), overview_level=1) as dataset:
        assert set(np.unique(dataset.read(1))) == {0, 1, 2}


def test_classes_have_their_colours_and_names(tmp_path: Path, layer: Layer) -> None:
    path = written(tmp_path / "map.tif", layer)
    with rasterio.open(path) as dataset:
        assert dataset.colormap(1)[1] == (0xC0, 0xA0, 0x60, 255)
    names = ElementTree.parse(f"{path}.aux.xml").findall("PAMRasterBand/CategoryNames/Category")
    assert [name.text for name in names] == ["water", "bare land", "trees"]
    style = ElementTree.parse(path.with_suffix(".qml")).findall(".//paletteEntry")
    assert [(entry.get("value"), entry.get("label")) for entry in style][1] == ("1", "bare land")


GCPS = tuple(GroundControlPoint(row, col, 350000 + col, 2780000 - row, 0) for row in (0, 700) for col in (0, 1100))


@pytest.mark.parametrize(
    "place",
    [
        UTM,
        Georeference((0.5, 0.0, 350000.0, 0.0, 0.5, 2780000.0), (), CRS.from_epsg(32640)),
        Georeference((0.4, 0.3, 350000.0, 0.3, -0.4, 2780000.0), (), None),
        Georeference(IDENTITY, (), None),
        Georeference(IDENTITY, GCPS, CRS.from_epsg(32640)),
        Georeference(IDENTITY, GCPS, None),
        Georeference(IDENTITY, GCPS[:1], CRS.from_epsg(32640)),
    ],
    ids=["north up", "south up", "rotated, no CRS", "nowhere", "control points", "without CRS", "a single point"],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_map_lies_where_the_raster_does(tmp_path: Path, layer: Layer, place: Georeference) -> None:
    with rasterio.open(written(tmp_path / "map.tif", layer, place)) as dataset:
        points, points_crs = dataset.gcps
        assert tuple(dataset.transform)[:6] == pytest.approx(place.transform)
        assert (points_crs if place.gcps else dataset.crs) == place.crs
        assert [(p.row, p.col, p.x, p.y) for p in points] == [(p.row, p.col, p.x, p.y) for p in place.gcps]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_after_an_interruption_nothing_is_left(tmp_path: Path, layer: Layer, error: type[BaseException]) -> None:
    with pytest.raises(error):
        interrupted(tmp_path / "map.tif", layer, error)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_the_map_that_was_there(tmp_path: Path, layer: Layer) -> None:
    path = written(tmp_path / "map.tif", layer)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        interrupted(path, layer, KeyboardInterrupt)
    assert path.read_bytes() == before


def test_nothing_lies_beside_the_finished_map_but_its_names_and_style(tmp_path: Path, layer: Layer) -> None:
    written(tmp_path / "map.tif", layer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.qml", "map.tif", "map.tif.aux.xml"]


def test_a_map_without_classes_has_neither(tmp_path: Path) -> None:
    written(tmp_path / "doubt.tif", Layer("uncertainty"))
    assert [path.name for path in tmp_path.iterdir()] == ["doubt.tif"]


def test_a_file_that_cannot_be_begun_is_closed_again(tmp_path: Path, layer: Layer, monkeypatch) -> None:
    begun = []

    def refuse(dataset, *_arguments) -> None:
        begun.append(dataset)
        raise OSError("the disk is gone")

    monkeypatch.setattr(rasterio.io.DatasetWriter, "set_band_description", refuse, raising=False)
    with pytest.raises(TerrafineError, match="disk is gone"):
        MapWriter(tmp_path / "map.tif", GRID, UTM, layer)
    assert begun[0].closed
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path, layer: Layer) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        MapWriter(tmp_path / "nix" / "map.tif", GRID, UTM, layer)


def test_a_disk_that_is_too_full_is_noticed_before_work_begins(tmp_path: Path, layer: Layer, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(OutOfMemory, match="1 MB left"):
        MapWriter(tmp_path / "map.tif", GRID, UTM, layer)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_maps_name_is_noticed_before_work_begins(tmp_path: Path, layer: Layer) -> None:
    (tmp_path / "map.tif").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        MapWriter(tmp_path / "map.tif", GRID, UTM, layer)
    assert [path.name for path in tmp_path.iterdir()] == ["map.tif"]


def test_what_the_disk_refuses_is_an_error_that_names_the_map(tmp_path: Path, layer: Layer) -> None:
    with pytest.raises(TerrafineError, match=r"map\.tif"), MapWriter(tmp_path / "map.tif", GRID, UTM, layer):
        (tmp_path / "map.tif").mkdir()  # nothing can be moved over a folder
    assert [path.name for path in tmp_path.iterdir()] == ["map.tif"]


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])  # of the file: in its first blocks, its last, its overviews
def test_a_disk_that_fills_up_leaves_no_map(tmp_path: Path, layer: Layer, share: float) -> None:
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(0).integers(0, 3, CLASSES.shape, np.uint8)
    with MapWriter(tmp_path / "whole.tif", GRID, UTM, layer) as writer:
        writer.write(WHOLE, noise)
    before = sorted(tmp_path.iterdir())
    size = int((tmp_path / "whole.tif").stat().st_size * share)
    refused = pytest.raises(TerrafineError, match="cannot be written")
    with limited(resource, size), refused, MapWriter(tmp_path / "map.tif", GRID, UTM, layer) as writer:
        writer.write(WHOLE, noise)
    assert sorted(tmp_path.iterdir()) == before


@contextmanager
def limited(resource, file_bytes: int) -> Iterator[None]:
    """No file of this process can grow beyond `file_bytes`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_wide_map_is_complete_with_all_its_overviews(tmp_path: Path, layer: Layer) -> None:
    with MapWriter(tmp_path / "map.tif", Grid(36_000, 2), UTM, layer) as writer:
        writer.write(Window(0, 0, 9, 2), CLASSES[:2, :9])
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert len(dataset.overviews(1)) == 8


def test_a_style_made_by_hand_stays_and_ours_is_renewed(tmp_path: Path, layer: Layer) -> None:
    style = tmp_path / "map.qml"
    style.write_text("<qgis>mine</qgis>")
    written(tmp_path / "map.tif", layer)
    assert style.read_text() == "<qgis>mine</qgis>"
    style.unlink()
    written(tmp_path / "map.tif", layer)
    written(tmp_path / "map.tif", Layer("land cover", layer.classes[:2]))
    assert len(ElementTree.parse(style).findall(".//paletteEntry")) == 2


@pytest.mark.filterwarnings("error")
def test_a_raster_without_a_place_is_nothing_to_warn_of(tmp_path: Path, layer: Layer) -> None:
    written(tmp_path / "map.tif", layer, Georeference(IDENTITY, (), None))
