"""`terrafine predict --server`: the map is that of predict here, whichever side stops meanwhile."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from terrafine.server.cli import main, remote
from terrafine.server.cli.output import Output
from terrafine.server.gateway import keys
from terrafine.shared.transport import public_key
from terrafine.shared.upload import Upload

SIZE = (300, 620)


@pytest.fixture
def image(write, scene, tmp_path: Path) -> Path:
    folder = tmp_path / "imagery"
    folder.mkdir()
    place = {"crs": "EPSG:32640", "transform": rasterio.Affine(0.5, 0, 350000, 0, -0.5, 2780000)}
    return write(folder / "scene.tif", scene(*SIZE), **place)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    shape = {"type": "Point", "coordinates": [350100.25, 2779900.25]}
    crs = {"type": "name", "properties": {"name": "EPSG:32640"}}
    mark = {"type": "Feature", "geometry": shape, "properties": {"class_id": 2}}
    (tmp_path / "marks.geojson").write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [mark]}))
    return tmp_path / "marks.geojson"


@pytest.fixture(autouse=True)
def _small_chunks_and_short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "CHUNK_PX", 200)
    monkeypatch.setattr(remote, "PAUSE_S", 0.2)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list]:
    """taken(at, what): the windows of patches as they come; at so many, `what` is called once."""

    def watch(at: int = 10**9, what: Callable[[], None] = lambda: None) -> list:
        windows: list = []
        take = Output.take

        def taking(written: Output, window, bands) -> None:
            take(written, window, bands)
            windows.append(window)
            if len(windows) == at:
                what()

        monkeypatch.setattr(Output, "take", taking)
        return windows

    return watch


def predict(image: Path, out: Path, *words: object) -> int:
    return main(["predict", str(image), str(out), "--model", "tiny", *map(str, words)])


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def stop() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def expected(models: Path, image: Path, tmp_path: Path) -> np.ndarray:
    assert predict(image, tmp_path / "here.tif", "--models", models) == 0
    return pixels(tmp_path / "here.tif")


@pytest.mark.parametrize("method", ["entropy", "margin"])
def test_the_map_its_marks_and_its_uncertainty_are_those_of_a_run_here(
    address, models, image, marks, tmp_path, method: str
) -> None:
    words = ("--marks", marks, "--gsd", "0.7", "--uncertainty", method)
    assert predict(image, tmp_path / "a.tif", *words, tmp_path / "a_doubt.tif", "--models", models) == 0
    assert predict(image, tmp_path / "b.tif", *words, tmp_path / "b_doubt.tif", "--server", address) == 0
    np.testing.assert_array_equal(pixels(tmp_path / "b.tif"), pixels(tmp_path / "a.tif"))
    np.testing.assert_array_equal(pixels(tmp_path / "b_doubt.tif"), pixels(tmp_path / "a_doubt.tif"))
    assert pixels(tmp_path / "b.tif")[200, 200] == 2


def test_a_client_that_was_stopped_goes_on(address, image, expected, tmp_path: Path, taken) -> None:
    windows = taken(5, stop)
    assert predict(image, tmp_path / "map.tif", "--server", address) == 130
    assert (tmp_path / "map.tif.part").exists()
    assert predict(image, tmp_path / "map.tif", "--server", address) == 0
    assert len(set(windows)) == len(windows)
    np.testing.assert_array_equal(pixels(tmp_path / "map.tif"), expected)


def test_a_server_that_is_killed_and_started_again_goes_on(
    start_server, image, expected, tmp_path: Path, taken, monkeypatch
) -> None:
    words = ("--exit-with-stdin", "--threads", "1", "--state-dir", str(tmp_path / "state"))
    servers = [start_server(*words)]
    address = json.loads(servers[0].stdout.readline())["address"]

    def start_again() -> None:
        servers[0].kill()
        servers[0].wait()
        servers.append(start_server(*words, "--port", address.rpartition(":")[2]))

    windows = taken(5, start_again)
    assert predict(image, tmp_path / "map.tif", "--server", address) == 0
    assert len(servers) == 2
    assert len(set(windows)) == len(windows)
    np.testing.assert_array_equal(pixels(tmp_path / "map.tif"), expected)
    servers[1].stdin.close()
    assert servers[1].wait(60) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a file in use cannot be changed there")
def test_from_shared_storage_and_with_keys_no_pixel_travels(
    start_server, image, expected, tmp_path: Path, monkeypatch
) -> None:
    server = keys.write_pair(tmp_path / "keys" / "server")
    mine = keys.write_pair(tmp_path / "alice")
    keys.ClientList(tmp_path / "keys").add("alice", mine)
    words = ("--keys", str(tmp_path / "keys"), "--data-root", str(image.parent))
    process = start_server("--exit-with-stdin", "--threads", "1", *words)
    address = json.loads(process.stdout.readline())["address"]
    monkeypatch.setattr(Upload, "add", lambda *_: pytest.fail("pixels travel"))
    own = ("--server-key", tmp_path / "keys" / "server.pub", "--key", tmp_path / "alice.key")
    assert predict(image, tmp_path / "map.tif", "--server", address, *own) == 0
    np.testing.assert_array_equal(pixels(tmp_path / "map.tif"), expected)
    assert public_key((tmp_path / "alice.key").read_text().strip()) == mine != server
    process.stdin.close()
    assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--key", "alice.key"), 2, "--server-key"),
        (("--uncertainty", "nix", "doubt.tif"), 2, "It has entropy, margin"),
        (("--ray", "local"), 2, "not by both"),
        (("--model", "nix"), 1, "The server has no model"),
    ],
)
def test_what_cannot_be_is_said(address, image, tmp_path: Path, capsys, words, code: int, said: str) -> None:
    assert predict(image, tmp_path / "map.tif", "--server", address, *words) == code
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("map*"))


def test_a_server_that_does_not_come_back_is_given_up(
    start_server, image, tmp_path: Path, taken, monkeypatch, capsys
) -> None:
    process = start_server("--exit-with-stdin", "--threads", "1")
    address = json.loads(process.stdout.readline())["address"]
    monkeypatch.setattr(remote, "PATIENCE_S", 0.5)
    taken(3, process.kill)
    assert predict(image, tmp_path / "map.tif", "--server", address) == 1
    assert (tmp_path / "map.tif.part").exists()
    assert not (tmp_path / "map.tif").exists()
    process.wait()
