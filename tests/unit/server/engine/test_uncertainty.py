from __future__ import annotations

import numpy as np
import pytest
import torch

from terrafine.models.certainty.uncertainty import entropy, margin
from terrafine.models.infer import Predictor
from terrafine.models.registry import build
from terrafine.server.engine.learning import set_legend
from terrafine.server.engine.session import Session
from terrafine.server.engine.uncertainty import covered, measure
from terrafine.server.engine.work import Work
from terrafine.shared.annotation import Annotation, AnnotationLog
from terrafine.shared.errors import BadRequest, Cancelled
from terrafine.shared.geo import Window, slices
from terrafine.shared.messages import Done, Progress
from terrafine.shared.patch import Patch


def measured(session: Session, window: Window | None = None, method: str = "entropy", factor: int = 1) -> np.ndarray:
    """The map of uncertainty, float (rows, columns) in [0, 1], NaN where nothing was sent or there is no data."""
    raster = session.info.grid.window
    whole = Window(0, 0, -(-raster.width // factor), -(-raster.height // factor))
    out = np.full(whole.shape, np.nan)
    for item in measure(session, window or raster, method, factor):
        if isinstance(item, Patch):
            assert np.isnan(out[slices(item.window, whole)]).all(), "patches overlap"
            np.testing.assert_array_equal(item.array[0] == 255, ~item.valid)
            out[slices(item.window, whole)] = np.where(item.valid, item.array[0] / 254, np.nan)
    return out


def logits_of(image: np.ndarray) -> torch.Tensor:
    """What the tests' network makes of an image without marks."""
    return torch.from_numpy(image / np.float32(255)).half().float()


@pytest.mark.parametrize(("method", "function"), [("entropy", entropy), ("margin", margin)])
def test_measures_of_the_logits_are_those_of_the_blended_map(make_session, noise, method: str, function) -> None:
    image = noise(90, 130)
    expected = function(logits_of(image)).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(measured(make_session(image), method=method), expected, atol=0.51 / 254)


@pytest.mark.parametrize("factor", [2, 7, 100, 256])
def test_a_reduced_value_is_the_mean_of_the_valid_pixels_of_its_square(make_session, noise, factor: int) -> None:
    image = noise(90, 130)
    valid = np.random.default_rng(1).random((90, 130)) < 0.5
    valid[:40, :40] = False
    full = np.where(valid, entropy(logits_of(image)).numpy(), np.nan)
    reduced = measured(make_session(image, valid), factor=factor)
    for row in range(reduced.shape[0]):
        for col in range(reduced.shape[1]):
            square = full[row * factor : (row + 1) * factor, col * factor : (col + 1) * factor]
            expected = np.nan if np.isnan(square).all() else np.nanmean(square)
            assert reduced[row, col] == pytest.approx(expected, abs=0.51 / 254, nan_ok=True)


@pytest.mark.parametrize("scale", [1.0, 0.4])
@pytest.mark.parametrize("factor", [1, 3, 32])
def test_the_result_does_not_depend_on_the_window(make_session, noise, scale: float, factor: int) -> None:
    session = make_session(noise(150, 130), gsd_m=0.5 * scale)
    whole = measured(session, factor=factor)
    for window in (Window(0, 0, 1, 1), Window(41, 50, 37, 60), Window(129, 149, 1, 1), Window(-20, 100, 60, 300)):
        part = measured(session, window, factor=factor)
        asked = Window(max(0, window.col), window.row, window.col_end - max(0, window.col), window.height)
        first, last = asked.row // factor, -(-min(150, asked.row_end) // factor)
        left, right = asked.col // factor, -(-min(130, asked.col_end) // factor)
        seen = np.zeros(whole.shape, bool)
        seen[first:last, left:right] = True
        np.testing.assert_array_equal(part, np.where(seen, whole, np.nan))


@pytest.mark.parametrize("window", [Window(500, 10, 9, 9), Window(5, 5, 0, 3), Window(-9, 0, 9, 9)])
@pytest.mark.parametrize("factor", [1, 4])
def test_outside_the_raster_there_is_nothing_to_measure(make_session, noise, window: Window, factor: int) -> None:
    session = make_session(noise(90, 130))
    items = list(measure(session, window, factor=factor))
    assert [type(item) for item in items] == [Progress, Done]
    assert covered(session, window, 64).is_empty


def test_it_follows_the_marks(make_session) -> None:
    session = make_session(np.zeros((3, 80, 90), np.uint8))
    assert measured(session).min() == 1.0  # all classes alike
    session.change(AnnotationLog().add(Annotation("a", "point", ((40.5, 30.5),), 1)))
    assert measured(session)[30, 40] < 0.1


class Looking:
    """The tests' network with a measure of its own: the tile's first band."""

    def __init__(self, inner) -> None:
        self.inner, self.spec, self.network, self.measured = inner, inner.spec, inner.network, 0
        self.features, self.halves = inner.features, inner.halves
        self.device, self.batch = inner.device, inner.batch

    def uncertainty(self, method: str, features, images: np.ndarray, marks: np.ndarray, shown) -> torch.Tensor:
        assert (method, images.shape[0], marks.shape[1]) == ("odin", 1, 3)
        self.measured += 1
        return torch.from_numpy(images[:, 0]) / len(shown(torch.zeros(3, 1)))


def test_a_measure_that_looks_into_the_network_is_blended_from_its_tiles_and_kept(make_session, noise) -> None:
    image = noise(90, 130)
    predictor = Looking(make_session(image).predictor)
    session = make_session(image, predictor=predictor)
    np.testing.assert_allclose(measured(session, method="odin"), image[0] / 255 / 3, atol=0.01)
    asked = predictor.measured
    np.testing.assert_allclose(measured(session, method="odin", factor=130), [[image[0].mean() / 765]], atol=0.01)
    assert predictor.measured == asked == 2 * 3


def test_a_measure_that_looks_into_the_network_follows_the_legend(make_session, noise) -> None:
    image = noise(20, 30)
    session = make_session(image, predictor=Looking(make_session(image).predictor))
    for revision, (becomes, shown) in enumerate([((0, 1, 2), 3), ((0, 0, 2), 2)]):
        set_legend(session, revision, revision + 1, session.legend.classes, becomes)
        np.testing.assert_allclose(measured(session, method="odin"), image[0] / 255 / shown, atol=0.01)
    set_legend(session, 2, 3, session.legend.classes, (0, 0, -1))
    assert not measured(session, method="odin").any()  # one class alone is certain


def test_a_method_that_the_model_lacks_is_refused(make_session, noise) -> None:
    with pytest.raises(BadRequest, match="entropy"):
        measured(make_session(noise(9, 9)), method="astrology")


def test_work_stops_between_tiles_when_it_is_cancelled(make_session, noise) -> None:
    session = make_session(noise(300, 300))
    answers = iter([False] * 10 + [True] * 1000)
    with pytest.raises(Cancelled):
        list(measure(session, session.info.grid.window, work=Work(lambda: next(answers))))
    assert 0 < session.predictor.looked_at < 10


def test_progress_counts_patches_and_the_end_says_how_long_it_took(make_session, noise) -> None:
    session = make_session(noise(150, 1100))
    *items, done = measure(session, session.info.grid.window)
    assert [(item.done, item.total) for item in items if isinstance(item, Progress)] == [(0, 2), (1, 2), (2, 2)]
    assert isinstance(done, Done)
    assert done.seconds["uncertainty"] > 0


@pytest.mark.parametrize("method", ["entropy", "margin", "odin"])
def test_a_real_network_has_all_its_methods(make_session, noise, spec, method: str) -> None:
    session = make_session(noise(70, 90), predictor=Predictor(spec, build(spec)))
    values = measured(session, method=method)
    assert ((values >= 0) & (values <= 1)).all()
    assert values.std() > 0
