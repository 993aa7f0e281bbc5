"""Rasters that are read where they lie: those in the roots, those that the client means, and no others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
import rasterio

from terrafine.server.dispatch import Dispatcher
from terrafine.server.journal.folder import StateFolder
from terrafine.server.rasters.shared_files import DataRoots
from terrafine.server.zoo import Zoo
from terrafine.shared.client import Client
from terrafine.shared.errors import BadRequest, ConfigError, NotFound, TerrafineError, UnusableRaster
from terrafine.shared.files import paths_in_roots, sample_windows, share_file
from terrafine.shared.geo import Grid, Window, slices
from terrafine.shared.patch import Patch
from terrafine.shared.transport import LocalTransport

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
SIZE = Window(0, 0, 600, 200)


@pytest.fixture
def image(noise) -> np.ndarray:
    return noise(*SIZE.shape)


@pytest.fixture
def root(tmp_path: Path, write_raster, image) -> Path:
    """A folder to share, with a raster in it; beside it is one that is nobody's business."""
    folder = tmp_path / "imagery"
    (folder / "2024").mkdir(parents=True)
    write_raster(folder / "2024" / "scene.tif", image)
    shutil.copy(folder / "2024" / "scene.tif", tmp_path / "secret.tif")
    return folder


@pytest.fixture
def start(zoo: Zoo, root: Path, tmp_path: Path) -> Iterator[Callable[[], Client]]:
    """start(): a client of an engine with that root; the engine of before is left as it is, as if it had died."""
    dispatchers = []

    def started() -> Client:
        state = StateFolder(tmp_path / "state")
        dispatchers.append(Dispatcher(zoo, state, DataRoots([root])))
        return Client(LocalTransport(dispatchers[-1].handle))

    yield started
    for dispatcher in dispatchers:
        dispatcher.close()


def reader(image: np.ndarray) -> Callable[[Window], Patch]:
    return lambda window: Patch(window, image[(slice(None), *slices(window, SIZE))], np.ones(window.shape, bool))


def unread(_window: Window) -> Patch:
    raise AssertionError("the server asks for pixels that it can read")


def mapped(client: Client, read=unread) -> np.ndarray:
    out = np.full(SIZE.shape, 77, np.uint8)
    for item in client.predict("s", SIZE, read):
        if isinstance(item, Patch):
            out[slices(item.window, SIZE)] = item.array[0]
    return out


def open_it(client: Client, path: Path, image: np.ndarray, name: str = "imagery/2024/scene.tif") -> None:
    samples = [reader(image)(window) for window in sample_windows(Grid(SIZE.width, SIZE.height))]
    client.open_file("s", name, path.stat().st_size, samples)


@pytest.fixture
def scene(root: Path) -> Path:
    return root / "2024" / "scene.tif"


@pytest.fixture
def client(start, image, info_of) -> Client:
    client = start()
    client.open_session("s", "tiny", info_of(image))
    return client


def test_nothing_travels_and_the_map_is_the_same(client: Client, scene: Path, image, info_of) -> None:
    open_it(client, scene, image)
    shared, sent = mapped(client), client.bytes_sent
    assert sent < 20_000
    client.close_session("s")
    client.open_session("s", "tiny", info_of(image))
    np.testing.assert_array_equal(mapped(client, reader(image)), shared)


def test_a_client_finds_the_file_wherever_it_is_mounted(client: Client, scene: Path, image, tmp_path) -> None:
    assert client.hello().roots == ("imagery",)
    grid = Grid(SIZE.width, SIZE.height)
    for place in ("mnt/imagery/2024/scene.tif", "media/2024/scene.tif", "2024/scene.tif"):
        (tmp_path / "here" / place).parent.mkdir(parents=True)
        shutil.copy(scene, tmp_path / "here" / place)
        assert share_file(client, "s", grid, tmp_path / "here" / place, ("imagery",), reader(image))
    other = shutil.copy(scene, tmp_path / "other.tif")
    assert not share_file(client, "s", grid, other, ("imagery",), reader(image))
    assert not share_file(client, "s", grid, f"/vsizip/{other}", ("imagery",), unread)
    assert not share_file(client, "s", grid, tmp_path / "here" / place, (), unread)


def test_the_likeliest_path_is_tried_first() -> None:
    assert paths_in_roots(PurePosixPath("/mnt/imagery/2024/a.tif"), ("imagery", "drones"))[0] == "imagery/2024/a.tif"
    windows = paths_in_roots(PureWindowsPath("Z:\\2024\\a.tif"), ("imagery",))
    assert windows == ["imagery/2024/a.tif", "imagery/a.tif"]
    assert len(paths_in_roots(PurePosixPath("/" + "x/" * 90 + "a.tif"), ("imagery",))) == 8


def test_without_roots_nothing_is_read_or_asked() -> None:
    assert paths_in_roots(PurePosixPath("/a/b.tif"), ()) == []


def link(root: Path, name: str, target: Path) -> str:
    try:
        (root / name).symlink_to(target)
    except OSError:
        pytest.skip("links cannot be made here")
    return f"imagery/{name}"


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "imagery", "imagery/", "imagery/2024", "imagery//2024/scene.tif", "imagery/./2024/scene.tif",
        "imagery/../secret.tif", "imagery/2024/../../secret.tif", "../imagery/2024/scene.tif", "{tmp}/secret.tif",
        "imagery/{tmp}/secret.tif", "elsewhere/2024/scene.tif", "imagery\\2024\\scene.tif", "imagery/2024/scene.tif\0",
        "imagery/..\\secret.tif", "imagery/2024/nothing.tif", "imagery/" + "x" * 5000, "imagery/\ud800",
        "/vsicurl/http://127.0.0.1:1/scene.tif", "imagery//vsizip/x.zip/a.tif", "GTIFF_DIR:1:imagery/2024/scene.tif",
        "imagery/2024/scene.tif/x",
    ],
)  # fmt: skip
def test_what_is_not_a_file_in_a_root_is_not_found(client: Client, tmp_path: Path, scene: Path, image, path) -> None:
    with pytest.raises((NotFound, BadRequest)):
        open_it(client, scene, image, path.replace("{tmp}", str(tmp_path)))


def test_links_that_lead_out_are_not_followed_and_others_are(
    client: Client, root: Path, tmp_path: Path, scene: Path, image
) -> None:
    for name, target in (("a.tif", tmp_path / "secret.tif"), ("b", tmp_path), ("c.tif", root / "c.tif")):
        path = link(root, name, target)
        with pytest.raises(NotFound):
            open_it(client, scene, image, path if name != "b" else f"{path}/secret.tif")
    open_it(client, scene, image, link(root, "d.tif", scene))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files here")
def test_what_is_no_plain_file_is_not_opened(client: Client, root: Path, scene: Path, image) -> None:
    os.mkfifo(root / "pipe.tif")
    with pytest.raises(NotFound):
        open_it(client, scene, image, "imagery/pipe.tif")


def test_a_file_that_names_another_one_is_none(client: Client, root: Path, tmp_path: Path, image) -> None:
    mosaic = root / "mosaic.vrt"
    source = f'<SimpleSource><SourceFilename relativeToVRT="0">{tmp_path}/secret.tif</SourceFilename>'
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{n}">{source}<SourceBand>{n}</SourceBand></SimpleSource></VRTRasterBand>'
        for n in (1, 2, 3)
    )
    mosaic.write_text(f'<VRTDataset rasterXSize="{SIZE.width}" rasterYSize="{SIZE.height}">{bands}</VRTDataset>')
    with rasterio.open(mosaic) as read:
        np.testing.assert_array_equal(read.read(), image)
    with pytest.raises(UnusableRaster, match="none of GTiff"):
        open_it(client, mosaic, image, "imagery/mosaic.vrt")


def test_another_raster_of_that_name_is_refused_and_nothing_changes(
    client: Client, root: Path, scene: Path, image, noise, write_raster
) -> None:
    other = image.copy()
    other[1, 150, 580] ^= 1  # one pixel of 120000
    for name, pixels in (("wide", noise(200, 700)), ("pixel", other), ("bands", image[:2]), ("type", image + 0.0)):
        write_raster(root / f"{name}.tif", pixels)
        with pytest.raises(UnusableRaster):
            open_it(client, root / f"{name}.tif", image, f"imagery/{name}.tif")
    with pytest.raises(UnusableRaster, match="another size"):
        open_it(client, root / "wide.tif", image)
    mapped(client, reader(image))


def test_a_file_is_opened_with_a_proof_only(client: Client, scene: Path, image) -> None:
    size, block = scene.stat().st_size, reader(image)(Window(0, 0, 20, 20))
    for samples in ([], [block] * 65, [replace(block, window=Window(590, 0, 20, 20))]):
        with pytest.raises(BadRequest):
            client.open_file("s", "imagery/2024/scene.tif", size, samples)


def test_a_file_beside_the_raster_does_not_change_what_is_read(client: Client, scene: Path, image) -> None:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(scene, "r+") as dataset:
        dataset.write_mask(np.zeros(SIZE.shape, bool))
    assert scene.with_name("scene.tif.msk").exists()
    open_it(client, scene, image)
    assert mapped(client).max() < 255


def test_an_engine_that_died_finds_the_file_again(client: Client, start, scene: Path, image) -> None:
    open_it(client, scene, image)
    before = mapped(client)
    np.testing.assert_array_equal(mapped(start()), before)


@pytest.mark.parametrize("dies", [False, True])
def test_a_file_that_changed_is_read_no_more_and_the_pixels_are_sent(
    client: Client, start, scene: Path, image, noise, write_raster, dies: bool
) -> None:
    open_it(client, scene, image)
    before = mapped(client)
    write_raster(scene, noise(*SIZE.shape, 9))
    client = start() if dies else client
    np.testing.assert_array_equal(mapped(client, reader(image)), before)


def test_a_file_that_is_gone_is_asked_for(client: Client, scene: Path, image) -> None:
    open_it(client, scene, image)
    before = mapped(client)
    scene.unlink()
    np.testing.assert_array_equal(mapped(client, reader(image)), before)


def test_roots_that_cannot_be_are_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "a" / "same").mkdir(parents=True)
    (tmp_path / "b" / "same").mkdir(parents=True)
    for folders in ([tmp_path / "nix"], [tmp_path / "a" / "same", tmp_path / "b" / "same"], [Path("/")]):
        with pytest.raises(ConfigError):
            DataRoots(folders)


def test_a_server_without_roots_says_what_to_do(zoo: Zoo, image, info_of) -> None:
    dispatcher = Dispatcher(zoo)
    client = Client(LocalTransport(dispatcher.handle))
    client.open_session("s", "tiny", info_of(image))
    with pytest.raises(TerrafineError, match="--data-root"):
        client.open_file("s", "imagery/scene.tif", 9, [reader(image)(Window(0, 0, 9, 9))])
    dispatcher.close()


@pytest.mark.parametrize("size", [(1, 1), (512, 513), (50_000, 50_000), (100, 9000)])
def test_samples_are_blocks_from_the_first_to_the_last(size: tuple[int, int]) -> None:
    grid = Grid(*size)
    windows = sample_windows(grid)
    assert 1 <= len(windows) <= 16
    assert (windows[0].col, windows[0].row) == (0, 0)
    assert (windows[-1].col_end, windows[-1].row_end) == size
    assert len(set(windows)) == len(windows)
    assert all(window.col % 512 == window.row % 512 == 0 for window in windows)
