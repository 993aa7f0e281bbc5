from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafine.models.encoding.encode import encode, marked_pixels
from terrafine.server.rasters.tiling import (
    Tiling,
    cell,
    choose_scale,
    homes,
    influence,
    pieces,
    sampled,
    tiles_of,
    touched,
)
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Grid, Window, contains, intersection, intersects, slices
from terrafine.shared.spec import EncodingSpec


def tilings(largest: int) -> st.SearchStrategy[Tiling]:
    return st.builds(
        Tiling,
        width=st.integers(1, largest),
        height=st.integers(1, largest),
        scale=st.sampled_from([1.0, 0.3, 1 / 16, 2.5, 3.7]),
        tile_px=st.just(64),
        overlap_px=st.sampled_from([0, 16, 30]),
        reach_px=st.just(4.0),
    )


TILINGS = tilings(300)
PLACES = st.tuples(st.floats(-50, 350), st.floats(-50, 350))
STROKES = st.builds(
    Annotation,
    st.just("a"),
    st.just("stroke"),
    st.lists(PLACES, min_size=1, max_size=4).map(tuple),
    st.just(0),
    st.sampled_from([0.0, 3.0, 90.0]),
)
SMALL = Tiling(200, 150, 1.0, 64, 16, 4.0)


def point(x: float, y: float) -> Annotation:
    return Annotation("a", "point", ((x, y),), 0)


@given(TILINGS)
def test_the_cells_of_all_tiles_cover_the_raster_once(tiling: Tiling) -> None:
    covered = np.zeros(tiling.raster.shape, int)
    for tile in tiles_of(tiling, tiling.raster):
        covered[slices(cell(tiling, tile), tiling.raster)] += 1
    assert (covered == 1).all()


@given(TILINGS)
def test_a_cell_needs_no_tile_after_its_own(tiling: Tiling) -> None:
    order = tiles_of(tiling, tiling.raster)
    for place, tile in enumerate(order):
        part = cell(tiling, tile)
        assert part.is_empty or max(order.index(needed) for needed in tiles_of(tiling, part)) <= place


@given(TILINGS, st.integers(0, 299), st.integers(0, 299))
def test_a_tile_influences_every_pixel_that_is_made_from_it(tiling: Tiling, col: int, row: int) -> None:
    pixel = Window(min(col, tiling.width - 1), min(row, tiling.height - 1), 1, 1)
    assert all(contains(influence(tiling, tile), pixel) for tile in tiles_of(tiling, pixel))


@given(TILINGS, st.integers(1, 5))
def test_pieces_cover_the_window_once_whatever_the_panels(tiling: Tiling, panel_tiles: int) -> None:
    covered = np.zeros(tiling.raster.shape, int)
    for piece in pieces(tiling, tiling.raster, panel_tiles):
        covered[slices(piece, tiling.raster)] += 1
    assert (covered == 1).all()


@given(tilings(120), st.data())
def test_pieces_of_dirty_tiles_hold_every_pixel_made_from_them(tiling: Tiling, data: st.DataObject) -> None:
    every = tiles_of(tiling, tiling.raster)
    dirty = frozenset(data.draw(st.lists(st.sampled_from(every), max_size=3)))
    covered = np.zeros(tiling.raster.shape, bool)
    for piece in pieces(tiling, tiling.raster, 3, dirty):
        covered[slices(piece, tiling.raster)] = True
    for row, col in np.argwhere(~covered):
        assert not dirty & set(tiles_of(tiling, Window(int(col), int(row), 1, 1)))


def test_nothing_dirty_gives_no_pieces() -> None:
    assert pieces(SMALL, SMALL.raster, 3, frozenset()) == []


def test_two_distant_changes_give_no_piece_between_them() -> None:
    large = Tiling(20000, 20000, 1.0, 64, 16, 4.0)
    dirty = touched(large, point(30.0, 30.0)) | touched(large, point(19990.0, 19990.0))
    assert sum(piece.pixels for piece in pieces(large, large.raster, 3, dirty)) == sum(
        influence(large, tile).pixels for tile in dirty
    )


def test_a_mark_touches_only_tiles_within_its_reach() -> None:
    reached = Window(96, 96, 9, 9)
    assert touched(SMALL, point(100.5, 100.5)) == {t for t in tiles_of(SMALL, SMALL.raster) if intersects(t, reached)}


@pytest.mark.parametrize("x", [-1e7, -100.0, 206.0, 1e7])
def test_a_mark_outside_whose_reach_ends_there_touches_nothing(x: float) -> None:
    assert touched(SMALL, point(x, 10.0)) == frozenset()


@pytest.mark.parametrize(("x", "col"), [(-3.0, 0), (203.0, 144)])
def test_a_mark_outside_touches_the_tile_whose_pixels_it_reaches(x: float, col: int) -> None:
    assert touched(SMALL, point(x, 5.0)) == {Window(col, 0, 64, 64)}


def test_reach_is_counted_in_model_pixels() -> None:
    coarse = Tiling(2000, 2000, 0.25, 64, 16, 4.0)
    assert len(touched(coarse, point(4 * 44.0, 100.0))) == 2  # the second tile begins at model pixel 48
    assert len(touched(coarse, point(4 * 43.0, 100.0))) == 1


@given(TILINGS, STROKES)
def test_a_stroke_touches_every_tile_with_a_pixel_that_it_colours(tiling: Tiling, mark: Annotation) -> None:
    seen = encode([mark], tiling.model_window, EncodingSpec("binary", tiling.reach_px), 1, tiling.scale)[0]
    coloured = {
        tile
        for tile in tiles_of(tiling, tiling.raster)
        if seen[slices(intersection(tile, tiling.model_window), tiling.model_window)].any()
    }
    assert coloured <= touched(tiling, mark)


@given(TILINGS, STROKES)
def test_the_tile_that_a_pixel_is_at_home_in_sees_the_stroke_that_it_must_obey(
    tiling: Tiling, mark: Annotation
) -> None:
    found, obeying = touched(tiling, mark), marked_pixels([mark], tiling.raster) >= 0
    for tile, home in homes(tiling, tiling.raster):
        assert tile in found or not obeying[slices(home, tiling.raster)].any()


@given(TILINGS, st.integers(0, 299), st.integers(0, 299), st.integers(1, 300), st.integers(1, 300))
def test_every_pixel_is_at_home_in_one_tile(tiling: Tiling, col: int, row: int, width: int, height: int) -> None:
    window = intersection(Window(col, row, width, height), tiling.raster)
    covered = np.zeros(window.shape, int)
    for _, home in homes(tiling, window):
        covered[slices(home, window)] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("steps", [1, 300])
def test_a_diagonal_stroke_touches_the_tiles_along_it_only(steps: int) -> None:
    large = Tiling(6000, 6000, 1.0, 64, 16, 4.0)
    line = tuple((6000.0 * i / steps, 6000.0 * i / steps) for i in range(steps + 1))
    found = touched(large, Annotation("a", "stroke", line, 0, 3.0))
    assert len({tile.row for tile in found}) == 125
    assert len(found) <= 3 * 125


def test_a_stroke_without_end_is_soon_found() -> None:
    far = 2.0**31
    wide = Annotation("a", "stroke", ((-far, -far), (far, far)), 0, far)
    assert len(touched(SMALL, wide)) == len(tiles_of(SMALL, SMALL.raster))
    assert len(touched(SMALL, replace(wide, width_px=1.0))) < len(tiles_of(SMALL, SMALL.raster))


def test_without_a_change_of_scale_samples_are_the_pixels() -> None:
    assert sampled(SMALL, Window(3, 4, 5, 6)) == Window(3, 4, 5, 6)


def test_samples_stay_on_the_model_grid() -> None:
    tiling = Tiling(1, 1, 1 / 16, 64, 16, 4.0)
    assert sampled(tiling, tiling.raster) == Window(0, 0, 1, 1)


def test_a_model_without_a_gsd_takes_every_raster_as_it_is() -> None:
    assert choose_scale(Grid(10, 10, gsd_m=30.0), 0.0) == (1.0, "")


@pytest.mark.parametrize(
    ("gsd_m", "scale", "warns"),
    [
        (0.5, 1.0, False),
        (0.45, 1.0, False),
        (0.132, 0.264, False),
        (1.5, 3.0, False),
        (300.0, 1.0, True),
        (0.01, 1 / 16, True),
        (None, 1.0, True),
    ],
)
def test_the_scale_follows_the_gsd_within_reason(gsd_m: float | None, scale: float, warns: bool) -> None:
    chosen, warning = choose_scale(Grid(10, 10, gsd_m=gsd_m), 0.5)
    assert chosen == pytest.approx(scale)
    assert bool(warning) == warns
