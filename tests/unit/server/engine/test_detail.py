"""Maps of more detail in the engine: MagNet's progressive inference on tiles."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from terrafine.models.certainty.uncertainty import margin
from terrafine.models.detail.selection import best, merged
from terrafine.server.dispatch import Dispatcher
from terrafine.server.engine.detail import GROUP, DetailRunner, runner_of
from terrafine.server.engine.engine import missing_pixels, predict
from terrafine.server.engine.session import Caches, Session
from terrafine.server.engine.tile_runner import UNMARKED, TileRunner
from terrafine.server.engine.work import Work
from terrafine.server.journal.folder import StateFolder
from terrafine.server.rasters.contents import ContentStore
from terrafine.server.rasters.pixels import BlockStore
from terrafine.server.rasters.tiling import coarser, influence, tiles_of
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.client import Client
from terrafine.shared.errors import BadRequest, Cancelled
from terrafine.shared.geo import Window, slices
from terrafine.shared.messages import Predict
from terrafine.shared.patch import Patch
from terrafine.shared.spec import Detail
from terrafine.shared.transport import LocalTransport

SCALES = [1.0, 2.5, 0.5]
MARK = Annotation("a", "point", ((150.5, 70.5),), 2)


@pytest.fixture
def predictor(make_session, noise, spec):
    """The session's stand-in for a predictor, with a refinement that is worked out by hand: the mean of both maps, and
    a little of what is around, so that order and neighbours count.
    """

    def make(detail: Detail):
        found = make_session(noise(9, 9)).predictor
        found.spec = replace(spec, detail=detail)
        found.refined = lambda coarse, fine: refine(coarse, fine)
        return found

    return make


def refine(coarse: np.ndarray, fine: np.ndarray) -> np.ndarray:
    return (0.25 * coarse + 0.5 * fine + 0.25 * np.roll(fine, 1, axis=1)).astype(np.float32)


def painted(session: Session, detail: str, onto: np.ndarray | None = None, **options) -> np.ndarray:
    """The map and its entropy, uint8 (2, rows, columns); 77 where nothing was sent, unless there is one to paint on."""
    raster = session.info.grid.window
    out = np.full((2, *raster.shape), 77, np.uint8) if onto is None else onto.copy()
    for item in predict(session, options.pop("window", raster), method="entropy", detail=detail, **options):
        if isinstance(item, Patch):
            out[(slice(None), *slices(item.window, raster))] = item.array
    return out


# ---- what it is ----------------------------------------------------------------------------------------------------


def test_a_raster_of_one_tile_is_refined_from_scale_to_scale(make_session, noise, predictor) -> None:
    """By hand: bring the map so far to the next grid, refine it, keep the pixels with the highest score."""
    detail = Detail((4, 2, 1), pixels=0.3)
    session = make_session(noise(64, 64), predictor=predictor(detail))
    so_far = plain_tile(session, 4)
    for factor in (2, 1):
        size = 64 // factor
        so_far = doubled(so_far[:, : size // 2, : size // 2])
        refined = refine(padded(so_far), plain_tile(session, factor))[:, :size, :size]
        so_far = merged(so_far, refined, 0.3, 1.0).astype(np.float16).astype(np.float32)
    found = DetailRunner(session, Work(), detail).logits(Window(0, 0, 64, 64))
    np.testing.assert_allclose(found, so_far, atol=2e-2)


def plain_tile(session: Session, factor: int) -> np.ndarray:
    """The first tile's logits on a coarser grid."""
    runner = TileRunner(session, Work(), UNMARKED, coarser(session.tiling, factor))
    return runner.tile_logits(Window(0, 0, 64, 64)).float().numpy()


def padded(logits: np.ndarray) -> np.ndarray:
    """A whole tile of it; what lies beyond the raster plays no part."""
    missing = 64 - logits.shape[1]
    return np.pad(logits, ((0, 0), (0, missing), (0, missing)), mode="edge")


def doubled(logits: np.ndarray) -> np.ndarray:
    """Twice the size, bilinear between the centres of pixels; a slow loop."""
    size = logits.shape[1]
    out = np.empty((3, 2 * size, 2 * size), np.float32)
    for y in range(2 * size):
        for x in range(2 * size):
            v, u = (y + 0.5) / 2 - 0.5, (x + 0.5) / 2 - 0.5
            top, left = int(np.floor(v)), int(np.floor(u))
            rows, cols = ([max(i, 0), min(i + 1, size - 1)] for i in (top, left))
            near = logits[:, rows][:, :, cols]
            down, right = v - top, u - left
            out[:, y, x] = np.einsum("cyx,y,x->c", near, [1 - down, down], [1 - right, right])
    return out


def test_of_fast_only_the_most_doubtful_tiles_are_looked_at(make_session, noise, predictor) -> None:
    detail = Detail((2, 1), pixels=1.0, patches=0.25)
    session = make_session(noise(208, 208), predictor=predictor(detail))
    looked_at = []
    session.predictor.refined = lambda coarse, fine: looked_at.append(coarse) or refine(coarse, fine)
    painted(session, "fast")
    tiles = session.tiling.grid.plan(session.info.grid.window)
    assert len(tiles) == GROUP**2
    assert len(looked_at) == len(tiles) // 4
    doubts = [doubt_of(session, tile) for tile in tiles]
    expected = [tile for tile, chosen in zip(tiles, best(np.array(doubts), 0.25)) if chosen]
    runner = runner_of(session, Work(), "fast")
    everywhere = DetailRunner(session, Work(), replace(detail, patches=1.0))
    same = [np.array_equal(*(x._refined.tile_logits(tile) for x in (runner, everywhere))) for tile in tiles]
    assert [tile for tile, refined in zip(tiles, same) if refined] == expected


def doubt_of(session: Session, tile: Window) -> float:
    """The mean margin, at every fourth pixel around the tile, of all tiles of half the size; all pixels have data."""
    half = TileRunner(session, Work(), UNMARKED, coarser(session.tiling, 2))
    cols, rows = ((max(at // 2 - 1, 0), min((at + 64) // 2 + 1, 104)) for at in (tile.col, tile.row))
    found = []
    for other in half.lattice.grid.plan(half.lattice.model_window):
        left, right = max(cols[0], other.col), min(cols[1], other.col_end)
        top, bottom = max(rows[0], other.row), min(rows[1], other.row_end)
        unsure = margin(half.tile_logits(other).float())
        found += [unsure[y - other.row, x - other.col] for y in range(top, bottom, 4) for x in range(left, right, 4)]
    return float(np.mean(found))


def test_where_fast_does_not_look_again_its_map_is_the_plain_one(make_session, noise, predictor) -> None:
    detail = Detail((1, 0.5), pixels=1.0, patches=1 / 16)
    session = make_session(noise(208, 208), predictor=predictor(detail))
    runner, whole = DetailRunner(session, Work(), detail), session.info.grid.window
    near = np.zeros(whole.shape, bool)
    for tile in tiles_of(runner._refined.lattice, whole):
        if runner._refined._is_doubtful(tile):
            near[slices(influence(runner._refined.lattice, tile), whole)] = True
    same = (runner.logits(whole) == TileRunner(session, Work()).logits(whole)).all(axis=0)
    assert (~near).mean() > 0.5
    assert same[~near].all()
    assert not same[near].all()


def test_where_a_tile_that_is_looked_at_ends_it_fades_into_the_plain_map(make_session, noise, predictor) -> None:
    """By hand: with one map 0 and the other 1 everywhere, what is left is the tiles' weights."""
    detail = Detail((1, 0.5), pixels=1.0, patches=1 / 16)
    session = make_session(noise(208, 208), predictor=predictor(detail))
    refined, whole = DetailRunner(session, Work(), detail)._refined, session.info.grid.window
    refined._so_far.tile_logits = lambda tile: torch.zeros(3, 64, 64).half()
    refined.tile_logits = lambda tile: torch.ones(3, 64, 64).half()
    refined._is_doubtful = lambda tile: tile == Window(96, 48, 64, 64)
    grid = refined.lattice.grid
    weights = np.zeros((416, 416), np.float32)
    weights[48:112, 96:160] = grid.weights(Window(96, 48, 64, 64))
    expected = weights.reshape(208, 2, 208, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(refined.blended(whole), np.broadcast_to(expected, (3, 208, 208)), atol=1e-6)


def test_where_all_pixels_and_tiles_are_looked_at_fast_is_fine(make_session, noise, predictor) -> None:
    session = make_session(noise(150, 130), predictor=predictor(Detail((2, 1), patches=1.0)))
    np.testing.assert_array_equal(painted(session, "fast"), painted(session, "fine"))


def test_tiles_without_data_are_never_the_most_doubtful(make_session, noise, predictor) -> None:
    valid = np.zeros((210, 210), bool)
    valid[:64, :64] = True
    session = make_session(noise(210, 210), valid, predictor=predictor(Detail((2, 1), patches=1 / 16)))
    runner = runner_of(session, Work(), "fast")
    looked_at = []
    session.predictor.refined = lambda coarse, fine: looked_at.append(1) or refine(coarse, fine)
    assert runner.logits(Window(0, 0, 64, 64)).any()
    assert looked_at
    assert (painted(session, "fast")[0][~valid] == 255).all()


# ---- what holds for every map --------------------------------------------------------------------------------------


@pytest.mark.parametrize("detail", ["fine", "fast"])
@pytest.mark.parametrize("scale", SCALES)
def test_the_map_does_not_depend_on_the_window(make_session, noise, predictor, scale: float, detail: str) -> None:
    image, how = noise(210, 190), predictor(Detail((2, 1, 0.5), 0.5))
    whole = painted(make_session(image, gsd_m=0.5 * scale, predictor=how), detail)
    for window in (Window(0, 0, 1, 1), Window(100, 90, 37, 60), Window(189, 209, 1, 1)):
        session = make_session(image, gsd_m=0.5 * scale, predictor=how)
        part = painted(session, detail, window=window)
        seen = part != 77
        assert seen[0].sum() == window.pixels
        np.testing.assert_array_equal(part[seen], whole[seen])


@pytest.mark.parametrize("detail", ["fine", "fast"])
@pytest.mark.parametrize("scale", SCALES)
def test_a_refreshed_map_is_the_map_from_scratch(make_session, noise, predictor, scale: float, detail: str) -> None:
    image, how = noise(210, 190), predictor(Detail((2, 1, 0.5), 0.5))
    session = make_session(image, gsd_m=0.5 * scale, predictor=how)
    before = painted(session, detail)
    session.change(AnnotationLog().add(MARK))
    refreshed = painted(session, detail, onto=before, changed_since=0)
    fresh = make_session(image, gsd_m=0.5 * scale, predictor=how)
    fresh.replace((MARK,), 1)
    np.testing.assert_array_equal(refreshed, painted(fresh, detail))
    assert (refreshed != before).any()


def test_a_mark_is_obeyed_and_refines_nothing_anew(make_session, noise, predictor) -> None:
    session = make_session(noise(210, 190), predictor=predictor(Detail()))
    painted(session, "fine")
    session.predictor.refined = None
    session.change(AnnotationLog().add(MARK))
    assert painted(session, "fine", changed_since=0)[0, 70, 150] == 2


def test_marks_add_to_the_refined_map_what_they_add_to_the_plain_one(make_session, noise, predictor) -> None:
    detail, whole = Detail(pixels=1.0), Window(0, 0, 64, 64)
    session = make_session(noise(64, 64), predictor=predictor(detail))
    plain, fine = TileRunner(session, Work()).logits(whole), DetailRunner(session, Work(), detail).logits(whole)
    session.replace((Annotation("a", "point", ((30.5, 30.5),), 1),), 1)
    heard = TileRunner(session, Work()).logits(whole) - plain
    found = DetailRunner(session, Work(), detail).logits(whole)
    assert heard[1, 30, 30] > 5
    np.testing.assert_allclose(found, fine + heard, atol=2e-2)


@pytest.mark.parametrize("detail", ["fine", "fast"])
def test_the_pixels_that_are_missing_are_those_that_it_reads(make_session, noise, spec, predictor, detail: str) -> None:
    source = make_session(noise(1400, 1300)).source
    whole = make_session(noise(1400, 1300))
    session = Session(
        whole.info, BlockStore(whole.info, ContentStore()), predictor(Detail((4, 1))), Caches()
    )  # fmt: skip
    window = Window(700, 650, 20, 20)
    for block in missing_pixels(session, window, detail=detail):
        session.source.put(source.read(block))
    assert missing_pixels(session, window, detail=detail) == []
    part = painted(session, detail, window=window)
    full = painted(make_session(noise(1400, 1300), predictor=session.predictor), detail, window=window)
    np.testing.assert_array_equal(part, full)


def test_a_model_without_a_module_offers_plain_maps_alone(make_session, noise) -> None:
    session = make_session(noise(20, 20))
    for detail in ("fine", "fast", "sharp"):
        with pytest.raises(BadRequest):
            list(predict(session, Window(0, 0, 9, 9), detail=detail))


def test_work_that_is_to_stop_stops(make_session, noise, predictor) -> None:
    session = make_session(noise(150, 130), predictor=predictor(Detail()))
    with pytest.raises(Cancelled):
        list(predict(session, session.info.grid.window, work=Work(lambda: True), detail="fine"))


def test_a_client_gets_the_detail_that_it_asks_for(make_session, noise, predictor, info_of, tmp_path) -> None:
    image = noise(90, 70)
    model, info = predictor(Detail()), info_of(image)
    zoo = SimpleNamespace(
        device="cpu", predictor=lambda name: model, specs=lambda: (model.spec,), digest=lambda name: "d"
    )
    dispatcher = Dispatcher(zoo, StateFolder(tmp_path / "state"))
    client = Client(LocalTransport(dispatcher.handle))
    client.open_session("s", "tiny", info)
    expected = painted(make_session(image, predictor=model), "fine")[0]
    found = np.full(expected.shape, 77, np.uint8)
    whole = Patch(info.grid.window, image, np.ones(expected.shape, bool))
    for item in client.predict("s", info.grid.window, lambda window: whole, detail="fine"):
        if isinstance(item, Patch):
            found[slices(item.window, info.grid.window)] = item.array[0]
    dispatcher.close()
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="sharp"):
        Predict("s", info.grid.window, detail="sharp")
