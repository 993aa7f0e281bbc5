from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from terrafine.server.rasters.contents import ContentStore
from terrafine.server.rasters.pixels import BlockStore
from terrafine.shared.errors import BadRequest
from terrafine.shared.geo import Window, blocks, slices
from terrafine.shared.patch import Patch, digest

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 700, 1100), np.uint8)
VALID = IMAGE[0] > 20
RASTER = Window(0, 0, 1100, 700)
BLOCK = Window(0, 0, 512, 512)


def part(window: Window) -> Patch:
    rows, cols = slices(window, RASTER)
    return Patch(window, IMAGE[:, rows, cols], VALID[rows, cols])


def filled(store: BlockStore) -> BlockStore:
    for block in blocks(RASTER, 512):
        store.put(part(block))
    return store


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20, 1 << 30])
def test_what_was_put_is_read_back_whether_in_memory_or_on_disk(info_of, memory_bytes: int) -> None:
    contents = ContentStore(memory_bytes)
    store = filled(BlockStore(info_of(IMAGE), contents))
    for window in (RASTER, Window(500, 500, 30, 30), Window(1099, 699, 1, 1)):
        got, expected = store.read(window), part(window)
        np.testing.assert_array_equal(got.array, expected.array)
        np.testing.assert_array_equal(got.valid, expected.valid)
    contents.close()


def test_missing_blocks_are_those_under_the_window_that_were_not_put(info_of) -> None:
    store = BlockStore(info_of(IMAGE), ContentStore())
    store.put(part(Window(512, 0, 512, 512)))
    assert store.missing(Window(400, 100, 200, 500)) == [
        Window(0, 0, 512, 512),
        Window(0, 512, 512, 188),
        Window(512, 512, 512, 188),
    ]


def test_put_says_whether_it_replaced_another_content(info_of) -> None:
    store = BlockStore(info_of(IMAGE), ContentStore())
    brighter = replace(part(BLOCK), array=part(BLOCK).array + 1)
    assert [store.put(patch) for patch in (part(BLOCK), part(BLOCK), brighter, part(BLOCK))] == [
        False,
        False,
        True,
        True,
    ]


def test_an_offer_takes_over_what_another_store_has_and_names_the_rest(info_of) -> None:
    contents = ContentStore()
    sender, other = BlockStore(info_of(IMAGE), contents), BlockStore(info_of(IMAGE), contents)
    sender.put(part(BLOCK))
    windows = blocks(RASTER, 512)
    rest = [window for window in windows if window != BLOCK]
    assert other.offer(windows, [digest(part(window)) for window in windows]) == (rest, False)
    assert other.missing(RASTER) == rest
    sender.close()
    np.testing.assert_array_equal(other.read(BLOCK).array, part(BLOCK).array)
    np.testing.assert_array_equal(other.read(BLOCK).valid, part(BLOCK).valid)


def test_equal_content_in_two_places_is_one_content(info_of) -> None:
    store = BlockStore(info_of(np.zeros((3, 700, 1100), np.uint8)), ContentStore())
    flat = Patch(BLOCK, np.zeros((3, 512, 512), np.uint8), np.ones((512, 512), bool))
    store.put(flat)
    beside = Window(512, 0, 512, 512)
    assert store.offer([beside], [digest(flat)]) == ([], False)
    store.put(part(BLOCK))
    assert not store.read(beside).array.any()


def test_an_offer_says_whether_it_replaced_another_content(info_of) -> None:
    contents = ContentStore()
    store, other = BlockStore(info_of(IMAGE), contents), BlockStore(info_of(IMAGE), contents)
    brighter = replace(part(BLOCK), array=part(BLOCK).array + 1)
    store.put(part(BLOCK))
    other.put(brighter)
    assert [store.offer([BLOCK], [digest(patch)]) for patch in (part(BLOCK), brighter)] == [([], False), ([], True)]
    np.testing.assert_array_equal(store.read(BLOCK).array, brighter.array)


@pytest.mark.parametrize(
    "image",
    [IMAGE[:2], IMAGE.astype(np.uint16), IMAGE[:, :500, :500]],
    ids=["bands", "dtype", "size"],
)
def test_content_that_does_not_fit_the_raster_is_missing(info_of, image: np.ndarray) -> None:
    contents = ContentStore()
    BlockStore(info_of(IMAGE), contents).put(part(BLOCK))
    store = BlockStore(info_of(image), contents)
    (block,) = blocks(store.info.grid.window, 512)[:1]
    assert store.offer([block], [digest(part(BLOCK))]) == ([block], False)
    assert store.missing(block) == [block]


def test_an_offer_with_a_wrong_window_keeps_nothing(info_of) -> None:
    contents = ContentStore()
    sender, store = BlockStore(info_of(IMAGE), contents), BlockStore(info_of(IMAGE), contents)
    sender.put(part(BLOCK))
    with pytest.raises(BadRequest):
        store.offer([BLOCK, Window(0, 0, 512, 511)], [digest(part(BLOCK))] * 2)
    assert store.missing(BLOCK) == [BLOCK]


@pytest.mark.parametrize(
    "window", [Window(0, 0, 511, 512), Window(1, 0, 512, 512), Window(0, 0, 1024, 512), Window(5, 5, 0, 0)]
)
def test_only_whole_blocks_of_the_upload_grid_are_taken(info_of, window: Window) -> None:
    with pytest.raises(BadRequest):
        BlockStore(info_of(IMAGE), ContentStore()).put(part(window))


def test_a_block_outside_the_raster_is_refused(info_of) -> None:
    outside = Patch(Window(1536, 0, 512, 512), np.zeros((3, 512, 512), np.uint8), np.ones((512, 512), bool))
    with pytest.raises(BadRequest):
        BlockStore(info_of(IMAGE), ContentStore()).put(outside)


@pytest.mark.parametrize("array", [np.zeros((2, 512, 512), np.uint8), np.zeros((3, 512, 512), np.uint16)])
def test_bands_and_dtype_must_be_the_rasters(info_of, array: np.ndarray) -> None:
    with pytest.raises(BadRequest, match="3 bands of uint8"):
        BlockStore(info_of(IMAGE), ContentStore()).put(Patch(Window(0, 0, 512, 512), array, np.ones((512, 512), bool)))
