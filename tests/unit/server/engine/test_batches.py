"""Tiles of several sessions made together: real networks, real sessions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from terrafine.models.infer import Predictor
from terrafine.models.registry import build
from terrafine.server.engine import batches
from terrafine.server.engine.batches import TileOf
from terrafine.server.engine.engine import predict
from terrafine.server.engine.tile_runner import TileRunner
from terrafine.server.engine.work import Work
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.errors import Cancelled
from terrafine.shared.geo import Window, slices
from terrafine.shared.patch import Patch

MARKS = (Annotation("a", "point", ((20.5, 30.5),), 2), Annotation("b", "stroke", ((5.0, 5.0), (60.0, 9.0)), 1, 3.0))


@pytest.fixture
def networks(spec) -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    return {"ours": build(spec).eval(), "theirs": build(spec).eval()}


@pytest.fixture(params=[1, 4], ids=["tile by tile", "in one batch"])
def batch(request) -> int:
    return request.param


@pytest.fixture
def predictor(spec, networks, batch) -> Predictor:
    return of_batch(Predictor(spec, networks["ours"]), batch)


def of_batch(predictor: Predictor, batch: int) -> Predictor:
    vars(predictor)["batch"] = batch
    return predictor


def drawn(session) -> np.ndarray:
    whole = session.info.grid.window
    classes = np.full(whole.shape, 99, np.uint8)
    for item in predict(session, whole):
        if isinstance(item, Patch):
            classes[slices(item.window, whole)] = item.array[0]
    return classes


def tiles_of(session, stopped=lambda: False) -> list[TileOf]:
    runner = TileRunner(session, Work(stopped))
    return [TileOf(runner, tile) for tile in session.tiling.grid.plan(session.tiling.raster)]


def marked(session, mark: Annotation):
    session.change(AnnotationLog().add(mark))
    return session


@pytest.fixture
def pair(make_session, noise, predictor) -> list:
    return [marked(make_session(noise(100, 110, seed), predictor=predictor), MARKS[seed]) for seed in range(2)]


def test_two_sessions_tiles_made_together_give_the_maps_of_each_alone(
    pair, make_session, noise, spec, networks, monkeypatch
) -> None:
    batches.make([one for session in pair for one in tiles_of(session)])
    forbid_networks(monkeypatch)
    together = [drawn(session) for session in pair]
    monkeypatch.undo()
    for seed, found in enumerate(together):
        alone = marked(make_session(noise(100, 110, seed), predictor=Predictor(spec, networks["ours"])), MARKS[seed])
        np.testing.assert_array_equal(found, drawn(alone))
    assert len(np.unique(together)) > 1


def forbid_networks(monkeypatch) -> None:
    """All that a map needs is made."""
    for name in ("features", "halves"):
        monkeypatch.setattr(Predictor, name, lambda *_: pytest.fail("a network ran"))


def test_networks_are_not_mixed(make_session, noise, spec, networks, batch) -> None:
    sessions = [
        make_session(noise(64, 64, 3), predictor=of_batch(Predictor(spec, networks[name]), batch)) for name in networks
    ]
    batches.make([one for session in sessions for one in tiles_of(session)])
    found = [drawn(session) for session in sessions]
    expected = [drawn(make_session(noise(64, 64, 3), predictor=Predictor(spec, net))) for net in networks.values()]
    np.testing.assert_array_equal(found, expected)


def test_a_batch_is_filled_with_the_tiles_of_both(pair, predictor, monkeypatch) -> None:
    seen = []
    decode = predictor.halves
    monkeypatch.setattr(
        predictor, "halves", lambda features, marks: seen.append(len(features)) or decode(features, marks)
    )
    runners = [TileRunner(session, Work()) for session in pair]
    batches.make([TileOf(runner, Window(0, 0, 64, 64)) for runner in runners])
    assert sorted(seen) == ([2] if predictor.batch > 1 else [1, 1])


def test_the_error_of_one_leaves_the_other_its_tiles(pair, predictor) -> None:
    bad, good = pair
    bad.source.read = failing
    tiles = [tiles_of(bad)[0], tiles_of(good)[0]]
    with pytest.raises(OSError, match="a disk"):
        batches.make(tiles)
    batches.make(tiles[1:])
    assert [one.runner.missing([one.tile]) == [] for one in tiles] == [False, True]


def failing(_window: Window) -> Patch:
    raise OSError("a disk")


def test_one_that_is_stopped_leaves_the_other(pair) -> None:
    stopped, other = tiles_of(pair[0], lambda: True)[0], tiles_of(pair[1])[0]
    with pytest.raises(Cancelled):
        batches.make([stopped, other])
    batches.make([other])
    assert not other.runner.missing([other.tile])


def test_tiles_without_data_do_not_meet_the_network(make_session, noise, predictor) -> None:
    valid = np.zeros((64, 160), bool)
    valid[:, :20] = True
    session = make_session(noise(64, 160), valid, predictor=predictor)
    tiles = tiles_of(session)
    batches.make(tiles)
    assert [len(one.runner.tile_logits(one.tile)) for one in tiles] == [3, 0, 0]


def test_as_many_tiles_at_once_as_there_are_places_in_the_threads_batches(predictor) -> None:
    assert batches.at_once(predictor) == torch.get_num_threads() * predictor.batch
