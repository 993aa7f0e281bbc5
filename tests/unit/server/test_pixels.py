from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from terrafine.server import pixels
from terrafine.server.pixels import BlockStore
from terrafine.shared.errors import BadRequest, OutOfMemory
from terrafine.shared.geo import Window, blocks, slices
from terrafine.shared.patch import Patch

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 700, 1100), np.uint8)
VALID = IMAGE[0] > 20
RASTER = Window(0, 0, 1100, 700)


def part(window: Window) -> Patch:
    rows, cols = slices(window, RASTER)
    return Patch(window, IMAGE[:, rows, cols], VALID[rows, cols])


def filled(store: BlockStore) -> BlockStore:
    for block in blocks(RASTER, 512):
        store.put(part(block))
    return store


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20, 1 << 30])
def test_what_was_put_is_read_back_whether_in_memory_or_on_disk(info_of, memory_bytes: int) -> None:
    store = filled(BlockStore(info_of(IMAGE), memory_bytes))
    for window in (RASTER, Window(500, 500, 30, 30), Window(1099, 699, 1, 1)):
        got, expected = store.read(window), part(window)
        np.testing.assert_array_equal(got.array, expected.array)
        np.testing.assert_array_equal(got.valid, expected.valid)
    store.close()


def test_missing_blocks_are_those_under_the_window_that_were_not_put(info_of) -> None:
    store = BlockStore(info_of(IMAGE))
    store.put(part(Window(512, 0, 512, 512)))
    assert store.missing(Window(400, 100, 200, 500)) == [
        Window(0, 0, 512, 512),
        Window(0, 512, 512, 188),
        Window(512, 512, 512, 188),
    ]


def test_put_says_whether_it_replaced_a_block(info_of) -> None:
    for memory_bytes in (0, 1 << 30):
        store = BlockStore(info_of(IMAGE), memory_bytes)
        assert [store.put(part(Window(0, 0, 512, 512))) for _ in range(2)] == [False, True]


@pytest.mark.parametrize(
    "window", [Window(0, 0, 511, 512), Window(1, 0, 512, 512), Window(0, 0, 1024, 512), Window(5, 5, 0, 0)]
)
def test_only_whole_blocks_of_the_upload_grid_are_taken(info_of, window: Window) -> None:
    with pytest.raises(BadRequest):
        BlockStore(info_of(IMAGE)).put(part(window))


def test_a_block_outside_the_raster_is_refused(info_of) -> None:
    outside = Patch(Window(1536, 0, 512, 512), np.zeros((3, 512, 512), np.uint8), np.ones((512, 512), bool))
    with pytest.raises(BadRequest):
        BlockStore(info_of(IMAGE)).put(outside)


@pytest.mark.parametrize("array", [np.zeros((2, 512, 512), np.uint8), np.zeros((3, 512, 512), np.uint16)])
def test_bands_and_dtype_must_be_the_rasters(info_of, array: np.ndarray) -> None:
    with pytest.raises(BadRequest, match="3 bands of uint8"):
        BlockStore(info_of(IMAGE)).put(Patch(Window(0, 0, 512, 512), array, np.ones((512, 512), bool)))


def test_files_are_gone_when_the_store_closes(info_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = filled(BlockStore(info_of(IMAGE), 0))
    assert list(tmp_path.rglob("*.npy"))
    store.close()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_not_filled_further(info_of, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=pixels.DISK_RESERVE_BYTES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    store = BlockStore(info_of(IMAGE), 0)
    with pytest.raises(OutOfMemory, match="no room"):
        store.put(part(Window(0, 0, 512, 512)))
    store.close()
