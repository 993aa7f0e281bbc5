"""An analyst at work, over real ZeroMQ with a real server process."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest
import rasterio

from terrafine.models import registry
from terrafine.server.cli import main
from terrafine.server.rasters.raster_io import Raster, open_raster
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.client import Client
from terrafine.shared.geo import slices

UTM = {"crs": "EPSG:32640"}


def test_a_click_heals_the_map_and_undo_brings_it_back(client: Client, raster: Raster, mapped) -> None:
    log, name = AnnotationLog(), str(uuid.uuid4())
    client.open_session(name, "tiny", raster.info)
    before = mapped(client, name, raster)
    assert len(np.unique(before)) > 1
    x, y = 310.5, 150.5
    other = (int(before[150, 310]) + 1) % 3
    reply = client.change_annotations(name, log.add(Annotation("a", "point", ((x, y),), other)))
    after = mapped(client, name, raster, before, since=0)
    assert after[150, 310] == other
    outside = np.ones(after.shape, bool)
    outside[slices(reply.changed, raster.info.grid.window)] = False
    np.testing.assert_array_equal(after[outside], before[outside])
    client.change_annotations(name, log.undo())
    np.testing.assert_array_equal(mapped(client, name, raster, after, since=1), before)


def test_the_refreshed_map_is_the_map_from_scratch(client: Client, raster: Raster, mapped) -> None:
    log, name, fresh = AnnotationLog(), str(uuid.uuid4()), str(uuid.uuid4())
    client.open_session(name, "tiny", raster.info)
    refreshed = mapped(client, name, raster)
    for number, (x, y) in enumerate([(310.5, 150.5), (96.0, 96.0), (0.2, 299.9), (400.0, 100.0)]):
        since = log.revision
        stroke = Annotation(str(number), "stroke", ((x, y), (x + 30, y + 10)), number % 3, 3.0)
        client.change_annotations(name, log.add(stroke))
        refreshed = mapped(client, name, raster, refreshed, since)
    client.open_session(fresh, "tiny", raster.info)
    client.set_annotations(fresh, log.marks, log.revision)
    np.testing.assert_array_equal(refreshed, mapped(client, fresh, raster))


def test_a_click_sends_less_than_2_kilobytes(client: Client, raster: Raster, mapped) -> None:
    name = str(uuid.uuid4())
    client.open_session(name, "tiny", raster.info)
    before = mapped(client, name, raster)
    sent = client.bytes_sent
    client.change_annotations(name, AnnotationLog().add(Annotation(str(uuid.uuid4()), "point", ((90.1, 80.2),), 1)))
    mapped(client, name, raster, before, since=0)
    assert client.bytes_sent - sent < 2000


def test_a_second_session_on_a_raster_does_not_send_its_pixels_again(
    client: Client, models: Path, tmp_path: Path, write, scene, mapped
) -> None:
    path, sent, maps = write(tmp_path / "new.tif", scene(310, 610), **UTM), [client.bytes_sent], []
    with open_raster(path, registry.describe(models / "tiny")) as raster:
        for _ in range(2):
            name = str(uuid.uuid4())
            client.open_session(name, "tiny", raster.info)
            maps.append(mapped(client, name, raster))
            sent.append(client.bytes_sent)
    first, second = np.diff(sent)
    assert second < 0.05 * first
    np.testing.assert_array_equal(*maps)


KINDS = {
    "1 x 1": lambda scene: (scene(1, 1), {}),
    "smaller than a tile": lambda scene: (scene(40, 70), {}),
    "a single row": lambda scene: (scene(1, 300), {}),
    "grey": lambda scene: (scene(90, 80)[:1], {}),
    "south up": lambda scene: (scene(90, 80), {**UTM, "transform": rasterio.Affine(0.5, 0, 35e4, 0, 0.5, 278e4)}),
    "rotated": lambda scene: (scene(90, 80), {**UTM, "transform": rasterio.Affine(0.4, 0.3, 35e4, 0.3, -0.4, 278e4)}),
    "finer": lambda scene: (scene(90, 80), {**UTM, "transform": rasterio.Affine(0.2, 0, 35e4, 0, -0.2, 278e4)}),
    "coarser": lambda scene: (scene(90, 80), {**UTM, "transform": rasterio.Affine(1.5, 0, 35e4, 0, -1.5, 278e4)}),
    "nodata": lambda scene: (np.where(np.arange(80) < 30, 0, scene(90, 80)).astype(np.uint8), {"nodata": 0}),
    "16 bits": lambda scene: (scene(90, 80).astype(np.uint16) * 50, {}),
    "NaN": lambda scene: (np.where(np.arange(80) < 30, np.nan, scene(90, 80)).astype(np.float32), {}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_every_kind_of_raster_gives_the_map_that_terrafine_predict_writes(
    client: Client, models: Path, tmp_path: Path, write, scene, mapped, kind: str
) -> None:
    image, profile = KINDS[kind](scene)
    path, out, name = write(tmp_path / "ä raster.tif", image, **profile), tmp_path / "map.tif", str(uuid.uuid4())
    assert main(["predict", str(path), str(out), "--model", "tiny", "--models", str(models)]) == 0
    with open_raster(path, registry.describe(models / "tiny")) as raster, rasterio.open(out) as written:
        client.open_session(name, "tiny", raster.info)
        result = mapped(client, name, raster)
        np.testing.assert_array_equal(result, written.read(1))
        np.testing.assert_array_equal(result == 255, ~raster.read(raster.info.grid.window).valid)
