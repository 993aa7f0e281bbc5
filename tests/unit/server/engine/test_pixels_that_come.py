"""Maps that are made while their pixels come: `after` of engine.steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from terrafine.server.engine.batches import Wanted
from terrafine.server.engine.caches import ByteLru
from terrafine.server.engine.engine import LACKED, missing_pixels, steps
from terrafine.server.engine.session import Caches, Session
from terrafine.server.rasters.contents import ContentStore
from terrafine.server.rasters.pixels import BlockStore
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Grid, Window, slices
from terrafine.shared.messages import Done, MissingPixels, Progress
from terrafine.shared.patch import Patch

SHAPE = 600, 1100
BLOCKS = [Window(col, row, min(512, 1100 - col), min(512, 600 - row)) for row in (0, 512) for col in (0, 512, 1024)]
TILE_BYTES = 64 * 64 * 3 * 2
MARKS = (
    Annotation("a", "point", ((60.5, 70.5),), 2),
    Annotation("b", "point", ((1090.5, 590.5),), 1),
)


class Uploading:
    """A session whose pixels come block by block."""

    def __init__(
        self, make_session: Callable[..., Session], info_of: Callable, image: np.ndarray, gsd_m: float
    ) -> None:
        self.image = image
        self.session = make_session(image, gsd_m=gsd_m)
        self.session.source = BlockStore(info_of(image, gsd_m), ContentStore())
        self.session.replace(MARKS, 1)

    def put(self, *blocks: Window) -> None:
        for block in blocks:
            part = self.image[(slice(None), *slices(block, self.session.info.grid.window))]
            self.session.source.put(Patch(block, part, np.ones(block.shape, bool)))

    def steps(self, after: int | None, **options) -> list:
        found = steps(self.session, self.session.info.grid.window, after=after, **options)
        return [step for step in found if not isinstance(step, Wanted)]


@pytest.fixture
def uploading(make_session, info_of, noise) -> Callable[..., Uploading]:
    return lambda gsd_m=0.5: Uploading(make_session, info_of, noise(*SHAPE), gsd_m)


def patches(found: Sequence) -> list[tuple]:
    return [(step.window, step.array.tobytes(), step.valid.tobytes()) for step in found if isinstance(step, Patch)]


@pytest.mark.parametrize("options", [{}, {"changed_since": 0}, {"method": "entropy"}, {"method": "margin"}])
@pytest.mark.parametrize("gsd_m", [0.5, 1.5, 0.2])
def test_a_map_made_as_pixels_come_has_the_patches_of_one_made_at_once(uploading, gsd_m: float, options) -> None:
    at_once, bit_by_bit = uploading(gsd_m), uploading(gsd_m)
    at_once.put(*BLOCKS)
    found, after, lacking = [], 0, list(BLOCKS)
    while lacking:
        bit_by_bit.put(lacking[0])
        *made, last = bit_by_bit.steps(after, **options)
        found += made
        after = [step.done for step in made if isinstance(step, Progress)][-1]
        lacking = list(last.windows) if isinstance(last, MissingPixels) else []
    assert isinstance(last, Done)
    assert patches(found) == patches(at_once.steps(None, **options))


def test_what_can_be_made_comes_before_the_blocks_that_the_next_patches_lack(uploading) -> None:
    some = uploading()
    some.put(BLOCKS[0], BLOCKS[1])
    first, *made, last = some.steps(0)
    assert first == Progress(0, first.total)
    assert patches(made)
    assert isinstance(last, MissingPixels)
    assert list(last.windows) == [BLOCKS[2], BLOCKS[3], BLOCKS[4], BLOCKS[5]]
    assert "total" in last.seconds


def test_pixels_that_come_between_two_steps_are_used_at_once(uploading) -> None:
    some = uploading()
    some.put(BLOCKS[0])
    going, found = steps(some.session, some.session.info.grid.window, after=0), []
    for step in going:
        found.append(step)
        if isinstance(step, Progress):
            some.put(*BLOCKS[1:])
    assert isinstance(found[-1], Done)


def test_progress_goes_on_from_the_patches_before(uploading) -> None:
    some = uploading()
    some.put(*BLOCKS[:3])
    *_, before, _ = some.steps(0)
    some.put(*BLOCKS[3:])
    first, *_, last, done = some.steps(before.done)
    assert isinstance(before, Progress)
    assert first == Progress(before.done, before.total)
    assert last == Progress(before.total, before.total)
    assert isinstance(done, Done)


def test_missing_pixels_are_named_panel_by_panel_as_the_map_is_walked(uploading) -> None:
    some = uploading()
    some.session.caches = Caches(ByteLru(0), ByteLru(2 * (12 + 2) * TILE_BYTES))  # a panel of 12 tiles: 576 pixels
    columns = [block.col for block in missing_pixels(some.session, some.session.info.grid.window)]
    assert columns == [0, 512, 0, 512, 1024, 1024]


def test_of_a_huge_raster_no_more_blocks_are_named_than_come_soon(make_session, noise, info_of) -> None:
    predictor = make_session(noise(8, 8)).predictor
    predictor.spec = replace(predictor.spec, tile_px=512, overlap_px=128)
    info = replace(info_of(noise(8, 8)), grid=Grid(36000, 18000))
    session = Session(info, BlockStore(info, ContentStore()), predictor)
    *_, last = steps(session, info.grid.window, after=0)
    assert len(last.windows) == LACKED
