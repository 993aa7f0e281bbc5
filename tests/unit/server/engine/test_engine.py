from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafine.models.certainty.uncertainty import entropy
from terrafine.models.infer import Predictor
from terrafine.models.registry import build
from terrafine.server.engine import engine
from terrafine.server.engine.caches import ByteLru
from terrafine.server.engine.engine import missing_pixels, predict
from terrafine.server.engine.session import Caches, Session
from terrafine.server.engine.work import Work
from terrafine.server.rasters.contents import ContentStore
from terrafine.server.rasters.pixels import BlockStore
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.errors import Cancelled
from terrafine.shared.geo import Grid, Window, contains, slices
from terrafine.shared.messages import Done, Progress
from terrafine.shared.patch import Patch

SCALES = [1.0, 3.0, 0.4]
TILE_BYTES = 64 * 64 * 3 * 2  # of a tile's logits in the cache


def point(name: str, x: float, y: float, class_id: int) -> Annotation:
    return Annotation(name, "point", ((x, y),), class_id)


def painted(session: Session, onto: np.ndarray | None = None, **options) -> np.ndarray:
    """The raster's map, uint8 (bands, rows, columns): 77 where nothing was sent, unless there is one to paint on."""
    raster = session.info.grid.window
    window = options.pop("window", raster)
    out = np.full((2 if options.get("method") else 1, *raster.shape), 77, np.uint8) if onto is None else onto.copy()
    for item in predict(session, window, **options):
        if isinstance(item, Patch):
            out[(slice(None), *slices(item.window, raster))] = item.array
    return out


def test_the_map_is_the_brightest_band(make_session, noise) -> None:
    image = noise(70, 90)
    np.testing.assert_array_equal(painted(make_session(image))[0], image.argmax(axis=0))


@pytest.mark.parametrize("scale", SCALES)
def test_the_map_does_not_depend_on_the_window(make_session, noise, scale: float) -> None:
    whole = painted(make_session(noise(150, 130), gsd_m=0.5 * scale))
    for window in (Window(0, 0, 1, 1), Window(40, 50, 37, 60), Window(129, 149, 1, 1), Window(-20, 100, 60, 300)):
        part = painted(make_session(noise(150, 130), gsd_m=0.5 * scale), window=window)
        seen = part != 77
        assert seen.sum() == (min(130, window.col_end) - max(0, window.col)) * (min(150, window.row_end) - window.row)
        np.testing.assert_array_equal(part[seen], whole[seen])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("mark", [point("a", 60.5, 70.5, 2), point("a", 0.0, 0.0, 1), point("a", 129.9, 149.9, 0)])
def test_a_refreshed_map_is_the_map_from_scratch(make_session, noise, scale: float, mark: Annotation) -> None:
    session = make_session(noise(150, 130), gsd_m=0.5 * scale)
    before = painted(session)
    session.change(AnnotationLog().add(mark))
    refreshed = painted(session, onto=before, changed_since=0)
    fresh = make_session(noise(150, 130), gsd_m=0.5 * scale)
    fresh.replace((mark,), 1)
    np.testing.assert_array_equal(refreshed, painted(fresh))
    assert session.changed_tiles(0)


def test_a_real_network_refreshes_to_the_map_from_scratch_bit_for_bit(make_session, noise, spec) -> None:
    network = build(spec)
    mark = point("a", 60.5, 70.5, 2)
    first, second = (make_session(noise(150, 130), predictor=Predictor(spec, network)) for _ in range(2))
    before = painted(first, method="entropy")
    first.change(AnnotationLog().add(mark))
    second.replace((mark,), 1)
    refreshed = painted(first, onto=before, changed_since=0, method="entropy")
    np.testing.assert_array_equal(refreshed, painted(second, method="entropy"))


def test_undo_brings_back_the_map_and_decodes_nothing(make_session, noise) -> None:
    session, log = make_session(noise(150, 130)), AnnotationLog()
    before = painted(session)
    session.change(log.add(point("a", 60.5, 70.5, 2)))
    after = painted(session, onto=before, changed_since=0)
    decoded = session.predictor.decoded
    session.change(log.undo())
    np.testing.assert_array_equal(painted(session, onto=after, changed_since=1), before)
    assert session.predictor.decoded == decoded


def test_a_click_decodes_the_tiles_it_touches_and_looks_at_no_image(make_session, noise) -> None:
    session = make_session(noise(300, 300))
    painted(session)
    decoded, looked_at = session.predictor.decoded, session.predictor.looked_at
    session.change(AnnotationLog().add(point("a", 80.5, 80.5, 2)))  # the middle of one tile
    painted(session, changed_since=0)
    assert (session.predictor.decoded - decoded, session.predictor.looked_at - looked_at) == (1, 0)


def test_a_click_sends_only_what_it_can_change(make_session, noise) -> None:
    session = make_session(noise(300, 300))
    changed = session.change(AnnotationLog().add(point("a", 60.5, 60.5, 2)))
    sent = [
        item.window for item in predict(session, session.info.grid.window, changed_since=0) if isinstance(item, Patch)
    ]
    assert sum(window.pixels for window in sent) == changed.pixels
    assert all(contains(changed, window) for window in sent)


def test_nothing_is_sent_when_nothing_changed(make_session, noise) -> None:
    session = make_session(noise(100, 100))
    items = list(predict(session, session.info.grid.window, changed_since=0))
    assert [type(item) for item in items] == [Progress, Done]


def test_a_forgotten_revision_brings_everything(make_session, noise) -> None:
    session = make_session(noise(100, 100))
    assert (painted(session, changed_since=41) != 77).all()


@given(st.lists(st.tuples(st.floats(0, 99.9), st.floats(0, 79.9), st.integers(0, 2)), max_size=6))
def test_a_mark_is_obeyed_even_by_a_network_that_is_deaf_to_it(make_session, clicks) -> None:
    session = make_session(np.zeros((3, 80, 100), np.uint8))
    session.predictor.deaf = True
    session.replace(tuple(point(str(i), x, y, c) for i, (x, y, c) in enumerate(clicks)), 1)
    expected = np.zeros((80, 100), np.uint8)
    for x, y, class_id in clicks:
        expected[math.floor(y), math.floor(x)] = class_id
    np.testing.assert_array_equal(painted(session)[0], expected)


@pytest.mark.parametrize("scale", SCALES)
def test_pixels_without_data_have_no_class(make_session, noise, scale: float) -> None:
    valid = np.random.default_rng(1).random((80, 90)) < 0.5
    session = make_session(noise(80, 90), valid, gsd_m=0.5 * scale)
    session.replace((point("a", *np.argwhere(~valid)[5][::-1].astype(float), 1),), 1)
    np.testing.assert_array_equal(painted(session)[0] == 255, ~valid)


def test_what_lies_under_nodata_does_not_matter(make_session, noise) -> None:
    valid = np.ones((80, 90), bool)
    valid[20:60, 30:50] = False
    other = noise(80, 90)
    other[:, ~valid] = 0
    results = [painted(make_session(image, valid, gsd_m=0.2)) for image in (noise(80, 90), other)]
    np.testing.assert_array_equal(*results)


def test_tiles_without_data_are_never_looked_at(make_session, noise) -> None:
    valid = np.zeros((300, 300), bool)
    valid[:10, :10] = True
    session = make_session(noise(300, 300), valid)
    assert (painted(session)[0] == 255).sum() == 300 * 300 - 100
    assert session.predictor.looked_at == 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 200), (3, 2)])
@pytest.mark.parametrize("scale", SCALES)
def test_a_raster_of_any_size_is_classified(make_session, height: int, width: int, scale: float) -> None:
    image = np.zeros((3, height, width), np.uint8)
    image[2] = 200
    assert (painted(make_session(image, gsd_m=0.5 * scale)) == 2).all()


def test_at_another_gsd_an_object_stays_where_it_is(make_session) -> None:
    image = np.zeros((3, 120, 120), np.uint8)
    image[0], image[1, 40:80, 60:100] = 100, 200
    result = painted(make_session(image, gsd_m=0.1))[0] == 1
    rows, cols = np.nonzero(result)
    assert (abs(rows.mean() - 59.5), abs(cols.mean() - 79.5)) < (1.0, 1.0)
    assert abs(result.sum() - 1600) < 120


def test_work_stops_between_tiles_when_it_is_cancelled(make_session, noise) -> None:
    session = make_session(noise(300, 300))
    answers = iter([False] * 10 + [True] * 1000)
    with pytest.raises(Cancelled):
        list(predict(session, session.info.grid.window, work=Work(lambda: next(answers))))
    assert 0 < session.predictor.looked_at < 10


def test_progress_counts_patches_up_to_all_of_them(make_session, noise) -> None:
    session = make_session(noise(150, 130))
    items = list(predict(session, session.info.grid.window))
    progress = [item for item in items if isinstance(item, Progress)]
    patches = sum(isinstance(item, Patch) for item in items)
    assert [item.done for item in progress] == list(range(patches + 1))
    assert {item.total for item in progress} == {patches}


def test_the_first_patch_comes_before_the_second_tile_is_decoded(make_session, noise) -> None:
    session = make_session(noise(300, 300))
    first = next(item for item in predict(session, session.info.grid.window) if isinstance(item, Patch))
    assert first.window == Window(0, 0, 48, 48)
    assert session.predictor.decoded == 1


def test_done_says_how_long_each_stage_took(make_session, noise) -> None:
    session = make_session(noise(100, 100))
    *_, done = predict(session, session.info.grid.window)
    assert set(done.seconds) == {*engine.STAGES, "total"}
    assert 0 < sum(done.seconds[stage] for stage in engine.STAGES) <= done.seconds["total"]


@pytest.mark.parametrize("budget", [0, 3 * TILE_BYTES, 1 << 30])
def test_no_budget_of_the_caches_changes_the_map(make_session, noise, budget: int) -> None:
    session = make_session(noise(200, 300))
    session.caches = Caches(ByteLru(budget), ByteLru(budget))
    np.testing.assert_array_equal(painted(session)[0], noise(200, 300).argmax(axis=0))


def test_with_room_for_two_rows_of_tiles_none_is_decoded_twice(make_session, noise) -> None:
    session = make_session(noise(300, 300))
    session.caches = Caches(ByteLru(0), ByteLru(2 * 8 * TILE_BYTES))
    painted(session)
    assert session.predictor.decoded == 6 * 6


def test_a_panel_is_as_wide_as_two_rows_of_it_fit_the_cache(make_session, noise) -> None:
    session = make_session(noise(9 * 48 + 16, 13 * 48 + 16))
    session.caches = Caches(ByteLru(0), ByteLru(2 * (6 + 2) * TILE_BYTES))
    painted(session)
    assert session.predictor.decoded <= 9 * (13 + 2)  # panels of 6, 6 and 1; two begin with a column decoded before


def test_missing_pixels_are_the_blocks_that_tiles_under_the_window_see(make_session, noise, info_of) -> None:
    session = make_session(noise(600, 600))
    session.source = BlockStore(info_of(noise(600, 600)), ContentStore())
    assert missing_pixels(session, Window(0, 0, 20, 20)) == [Window(0, 0, 512, 512)]
    assert missing_pixels(session, Window(490, 0, 1, 1)) == [Window(0, 0, 512, 512), Window(512, 0, 88, 512)]


def test_two_distant_changes_need_no_pixels_between_them(make_session, noise, info_of) -> None:
    session = make_session(noise(70, 1700))
    session.source = BlockStore(info_of(noise(70, 1700)), ContentStore())
    session.replace((point("a", 1690.5, 9.5, 1), point("b", 9.5, 9.5, 1)), 1)
    ends = [Window(0, 0, 512, 70), Window(1536, 0, 164, 70)]
    assert missing_pixels(session, session.info.grid.window, changed_since=0) == ends


@pytest.mark.parametrize("scale", SCALES)
@given(st.lists(st.tuples(st.floats(400, 600), st.floats(450, 599)), max_size=3), st.none() | st.just(0))
@settings(max_examples=8)
def test_what_is_not_missing_is_not_needed(make_session, noise, info_of, scale: float, places, since) -> None:
    image = noise(600, 900)
    session = make_session(image, gsd_m=0.5 * scale)
    session.source = BlockStore(info_of(image, 0.5 * scale), ContentStore())
    session.replace(tuple(point(str(i), x, y, 1) for i, (x, y) in enumerate(places)), 1)
    window = Window(480, 490, 60, 40)
    for block in missing_pixels(session, window, since):
        rows, cols = slices(block, session.info.grid.window)
        session.source.put(Patch(block, image[:, rows, cols], np.ones(block.shape, bool)))
    painted(session, window=window, changed_since=since)
    assert missing_pixels(session, window, since) == []


@pytest.mark.parametrize("scale", [1.0, 1 / 16])
def test_on_a_huge_raster_what_is_missing_is_known_at_once(make_session, noise, info_of, scale: float) -> None:
    predictor = make_session(noise(8, 8)).predictor
    predictor.spec = replace(predictor.spec, tile_px=512, overlap_px=128)
    info = replace(info_of(noise(8, 8)), grid=Grid(36000, 18000, gsd_m=0.5 * scale))
    session = Session(info, BlockStore(info, ContentStore()), predictor)
    everywhere = Annotation("a", "polygon", ((0.0, 0.0), (36000.0, 0.0), (36000.0, 18000.0), (0.0, 18000.0)), 1)
    session.replace((everywhere,), 1)
    started = time.process_time()
    assert len(missing_pixels(session, Window(9000, 9000, 2000, 1000), 0)) < 600
    assert len(missing_pixels(session, info.grid.window)) == 71 * 36
    assert len(missing_pixels(session, info.grid.window, 0)) == 71 * 36
    assert time.process_time() - started < 3.0  # half a second is usual


def test_the_uncertainty_band_is_empty_where_there_is_no_data(make_session, noise) -> None:
    valid = np.random.default_rng(1).random((80, 90)) < 0.5
    classes, uncertainty = painted(make_session(noise(80, 90), valid), method="entropy")
    np.testing.assert_array_equal(uncertainty == 255, ~valid)
    np.testing.assert_array_equal(classes == 255, ~valid)


def test_the_temperature_divides_the_logits_of_the_uncertainty_and_of_nothing_else(make_session, noise) -> None:
    image = noise(40, 50)
    plain, warm = (make_session(image) for _ in range(2))
    warm.predictor.spec = replace(warm.spec, temperature=0.05)
    (classes, _), (same_classes, uncertainty) = (painted(session, method="entropy") for session in (plain, warm))
    np.testing.assert_array_equal(same_classes, classes)
    expected = 254 * entropy(torch.from_numpy(image / np.float32(255)).half().float(), 0.05).numpy()
    np.testing.assert_allclose(uncertainty.astype(int), expected, atol=1)
    assert expected.std() > 10


PLACES = st.lists(st.tuples(st.floats(-20, 200), st.floats(-20, 170)), min_size=3, max_size=5).map(tuple)
SHAPES = st.tuples(st.sampled_from(["stroke", "polygon"]), PLACES, st.integers(0, 2), st.sampled_from([0.0, 1.0, 9.0]))


@pytest.mark.parametrize("scale", SCALES)
@given(st.lists(SHAPES, min_size=2, max_size=3))
@settings(max_examples=6)
def test_a_map_refreshed_stroke_by_stroke_is_the_map_from_scratch(make_session, noise, scale: float, shapes) -> None:
    session, fresh = (make_session(noise(150, 180), gsd_m=0.5 * scale) for _ in range(2))
    marks = tuple(Annotation(str(i), kind, line, c, width) for i, (kind, line, c, width) in enumerate(shapes))
    log, current = AnnotationLog(), painted(session)
    for revision, mark in enumerate(marks):
        session.change(log.add(mark))
        current = painted(session, onto=current, changed_since=revision)
    fresh.replace(marks, 1)
    np.testing.assert_array_equal(current, painted(fresh))
