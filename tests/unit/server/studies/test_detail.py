"""The study of ways to draw a map, and what it measures by."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from terrafine.models import registry
from terrafine.models.metrics import VOID
from terrafine.models.networks.magnet import Refiner
from terrafine.server.evaluation import boundaries, crf
from terrafine.server.evaluation.boundaries import accuracy_within, distances, mean_boundary_accuracy
from terrafine.server.studies import detail, study
from terrafine.server.studies.run import Place, run
from terrafine.shared.errors import ConfigError
from terrafine.shared.spec import Detail

maps = arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 1, 2, VOID]))

# ---- boundaries ----------------------------------------------------------------------------------------------------


def at_boundary(truth: np.ndarray, y: int, x: int) -> bool:
    near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    inside = [truth[v, u] for v, u in near if 0 <= v < truth.shape[0] and 0 <= u < truth.shape[1]]
    return truth[y, x] != VOID and any(other not in (VOID, truth[y, x]) for other in inside)


@given(maps)
def test_distances_are_those_of_a_slow_search(truth: np.ndarray) -> None:
    places = [(y, x) for y in range(6) for x in range(7) if at_boundary(truth, y, x)]
    found = distances(truth)
    for y in range(6):
        for x in range(7):
            expected = min((np.hypot(y - v, x - u) for v, u in places), default=np.inf)
            assert found[y, x] == pytest.approx(expected)


def test_only_pixels_near_a_boundary_count() -> None:
    truth = np.repeat([[0, 0, 0, 1, 1, 1]], 4, 0).astype(np.uint8)
    drawn = np.repeat([[1, 0, 0, 0, 1, 1]], 4, 0).astype(np.uint8)  # one column at the boundary is wrong, one far off
    assert accuracy_within(truth, drawn, (1, 2, 9)) == pytest.approx([1 / 2, 3 / 4, 4 / 6])
    assert np.isnan(accuracy_within(np.zeros_like(truth), drawn, (3,))).all()


def test_void_is_neither_a_boundary_nor_counted() -> None:
    truth = np.array([[0, 0, VOID, 1, 1, 0]], np.uint8)
    assert accuracy_within(truth, np.array([[0, 0, 1, 1, 1, 1]], np.uint8), (1,)) == [0.5]


def test_mean_boundary_accuracy_is_the_mean_over_classes_and_radii(monkeypatch) -> None:
    monkeypatch.setattr(boundaries, "RADII", 2)
    truth = np.repeat(np.array([[0] * 20 + [1] * 20], np.uint8), 1160, 0)  # (40 + 1160) / 300 = 4 pixels
    drawn = truth.copy()
    drawn[:, 18:20] = 1
    expected = np.mean([1 - 2 / 6, 1 - 2 / 8])  # less than 3 and 4 pixels: 6 and 8 columns, the same for both classes
    assert mean_boundary_accuracy(truth, drawn, 2) == pytest.approx(expected)
    assert mean_boundary_accuracy(truth, truth, 2) == 1.0


# ---- the conditional random field ----------------------------------------------------------------------------------


def test_a_pixel_listens_to_neighbours_of_its_colour_alone() -> None:
    """Two halves of different colours; a few pixels of the left one are wrongly and weakly called the right one's."""
    image = np.zeros((3, 24, 24), np.float32)
    image[:, :, 12:] = 1.0
    logits = np.zeros((2, 24, 24), np.float32)
    logits[0, :, :12], logits[1, :, 12:] = 2.0, 2.0
    logits[:, 10:13, 9:12] = np.array([0.0, 1.0])[:, None, None]
    found = crf.refined(logits, image).argmax(0)
    np.testing.assert_array_equal(found, np.repeat([[0] * 12 + [1] * 12], 24, 0))


def test_one_step_is_that_of_a_slow_loop(monkeypatch) -> None:
    monkeypatch.setattr(crf, "STEPS", 1)
    rng = np.random.default_rng(0)
    logits, image = rng.normal(size=(2, 9, 9)).astype("f4"), rng.random((3, 9, 9)).astype("f4")
    believed, found = torch.from_numpy(logits).softmax(0).numpy(), crf.refined(logits, image)
    for y, x in [(0, 0), (4, 4), (8, 3)]:
        told, total = np.zeros(2), 0.0
        for v in range(y % 3, 9, 3):
            for u in range(x % 3, 9, 3):
                if (v, u) != (y, x) and max(abs(v - y), abs(u - x)) <= 9:
                    apart = ((v - y) ** 2 + (u - x) ** 2) / (2 * crf.SPACE_PX**2)
                    unlike = ((image[:, v, u] - image[:, y, x]) ** 2).sum() / (2 * crf.COLOUR**2)
                    weight = np.exp(-apart - unlike)
                    told, total = told + weight * believed[:, v, u], total + weight
        np.testing.assert_allclose(found[:, y, x], logits[:, y, x] + crf.STRENGTH * told / total, rtol=1e-4)


# ---- the study -----------------------------------------------------------------------------------------------------


def test_the_catalogue_compares_all_ways() -> None:
    assert {row.way for row in study.find("detail").rows} == set(detail.WAYS)


def test_every_way_is_measured_with_the_seeds_own_module(tmp_path, spec, noise, write_raster) -> None:
    image = noise(200, 180)
    write_raster(tmp_path / "a.tif", image)
    write_raster(tmp_path / "a_labels.tif", image.argmax(axis=0)[None].astype(np.uint8))
    torch.manual_seed(0)
    network = registry.build(spec)
    for seed in (1, 2):
        registry.save(tmp_path / f"model{seed}", spec, network)
        registry.save_refiner(tmp_path / f"model{seed}", always(class_id=seed), Detail((2, 1), 1.0, 1.0))
    wanted = study.changed(study.find("detail"), 2, str(tmp_path / "model{seed}"))
    base = {"data": {"images": ".", "labels": ".", "test": ["a"], "gsd_m": 0.5}}
    *_, results = run(wanted, Place(base, tmp_path, tmp_path / "out"), lambda *_: None)
    by_row = {(result.row, result.seed): result for result in results}
    assert len(results) == 5 + 2 * 2
    for seed in (1, 2):
        share = float((image.argmax(axis=0) == seed).mean())
        assert by_row["MagNet", seed].curves["accuracy"][-1] == pytest.approx(share)
        assert by_row["MagNet-Fast", seed].curves == by_row["MagNet", seed].curves
    assert by_row["patches", 1].figures.keys() >= {"mIoU %", "mBA %", "seconds", "IoU water %"}


def always(class_id: int) -> Refiner:
    """A module that sees one class everywhere."""
    refiner = Refiner(3)
    refiner.head.bias.data[class_id] = 50.0
    return refiner


def test_a_way_that_nobody_knows_is_refused(tmp_path) -> None:
    row = study.Row("x", way="by hand")
    with pytest.raises(ConfigError, match="by hand"):
        detail.measure(type("Task", (), {"row": row})())
