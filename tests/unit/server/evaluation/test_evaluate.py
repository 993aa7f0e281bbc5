"""The evaluation on a network that one can foresee: class 0, but within a mark's reach the marked class."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from terrafine.models.metrics import VOID
from terrafine.server.evaluation.annotator import Annotator
from terrafine.server.evaluation.evaluate import annotate, summarise
from terrafine.server.evaluation.refinement import Refinement, Subject
from terrafine.shared.geo import Grid
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import EncodingSpec, LandCover, ModelSpec, Normalisation

SIZE = 48
SPEC = ModelSpec(
    "foreseen", "Foreseen", "none", "none", ("grey",),
    (LandCover(0, "a", "#000000"), LandCover(1, "b", "#ffffff")), 1.0, Normalisation((0.5,), (0.5,)),
    EncodingSpec("binary", 4.0), tile_px=64, overlap_px=0,
)  # fmt: skip


class Foreseen:
    spec = SPEC
    is_same_in_threads = True
    device, batch = torch.device("cpu"), 1

    def features(self, images):
        return [_Nothing() for _ in images]

    def halves(self, features, marks):
        return list(torch.from_numpy((marks + np.array([0.5, 0.0])[:, None, None]).astype(np.float16)))


class _Nothing:
    nbytes = 0


class Grey:
    def read(self, window):
        return Patch(window, np.zeros((1, *window.shape), np.uint8), np.ones(window.shape, bool))

    def missing(self, window):
        return []

    def close(self):
        pass


def subject(truth):
    info = RasterInfo(Grid(SIZE, SIZE, gsd_m=1.0), "uint8", (1,), ((0.0, 255.0),))
    return Subject("grey", info, Grey(), truth)


def steps(truth, clicks):
    refinement = Refinement(subject(truth), Foreseen())
    return list(annotate(refinement, clicks, Annotator(), np.random.default_rng(0)))


@pytest.fixture
def truth():
    truth = np.zeros((SIZE, SIZE), np.uint8)
    truth[10:17, 20:27] = 1
    truth[40, 40] = VOID
    return truth


def test_the_first_step_is_the_map_without_marks(truth):
    first = steps(truth, 0)[0]
    assert first.clicks == 0
    assert np.array_equal(first.confusion, [[SIZE * SIZE - 50, 0], [49, 0]])


def test_a_click_corrects_and_breaks_what_the_network_changes(truth):
    click = steps(truth, 1)[1]
    disk = sum((x**2 + y**2) <= 16 for x in range(-4, 5) for y in range(-4, 5))
    inside = sum((x**2 + y**2) <= 16 for x in range(-3, 4) for y in range(-3, 4))
    assert (click.corrected, click.broken) == (inside, disk - inside)


def test_marked_pixels_are_obeyed_and_left_out_where_asked(truth):
    click = steps(truth, 1)[1]
    assert click.obeyed
    assert click.confusion[1, 1] - click.unmarked[1, 1] == 1
    assert click.confusion.sum() - click.unmarked.sum() == 1


def test_nobody_clicks_where_there_is_no_data(truth, monkeypatch):
    def half(self, window):
        valid = np.ones(window.shape, bool)
        valid[:, : 24 - window.col] = False
        return Patch(window, np.zeros((1, *window.shape), np.uint8), valid)

    monkeypatch.setattr(Grey, "read", half)
    result = steps(truth, 3)
    assert result[0].confusion.sum() == SIZE * (SIZE - 24) - 1
    assert all(step.obeyed for step in result)


def test_where_nothing_is_wrong_the_last_map_is_repeated():
    result = steps(np.zeros((SIZE, SIZE), np.uint8), 3)
    assert [step.clicks for step in result] == [0, 0, 0, 0]
    assert np.array_equal(result[0].confusion, result[3].confusion)


def test_the_curve_pools_all_rasters(truth):
    runs = [steps(truth, 2), steps(np.zeros((SIZE, SIZE), np.uint8), 2)]
    curve = summarise(runs, 2)
    pixels = 2 * SIZE * SIZE - 1
    assert curve.miou[0] == pytest.approx((pixels - 49) / pixels / 2)
    assert curve.accuracy.shape == (2, 3)
    assert curve.miou[2] > curve.miou[0]
    assert curve.obeyed
