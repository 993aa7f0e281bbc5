"""Against the worked example of Olofsson et al. (2014), section 5, and against a simulation."""

from __future__ import annotations

import numpy as np
import pytest

from terrafine.qgis_plugin.finish.olofsson import Z_95, assess

# deforestation, forest gain, stable forest, stable non-forest
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
WEIGHTS = np.array([0.020, 0.015, 0.320, 0.645])
HECTARES = 10_000_000 * 0.09  # pixels of 30 m


@pytest.fixture(scope="module")
def example():
    return assess(COUNTS, WEIGHTS)


def test_the_paper_s_overall_accuracy(example):
    assert round(float(example.overall.value), 2) == 0.95
    assert round(float(example.overall.margin), 2) == 0.02


def test_the_paper_s_user_s_accuracies(example):
    np.testing.assert_array_equal(example.users.value.round(2), [0.88, 0.73, 0.93, 0.96])
    np.testing.assert_array_equal(example.users.margin.round(2), [0.07, 0.10, 0.04, 0.02])


def test_the_paper_s_producer_s_accuracies(example):
    np.testing.assert_array_equal(example.producers.value.round(2), [0.75, 0.85, 0.93, 0.96])
    np.testing.assert_array_equal(example.producers.margin.round(2), [0.21, 0.25, 0.03, 0.02])


def test_the_paper_s_areas(example):
    np.testing.assert_array_equal((example.areas.value * HECTARES).round(), [21158, 11686, 285770, 581386])
    np.testing.assert_array_equal((example.areas.margin * HECTARES).round(), [6158, 3756, 15510, 16282])


def test_errors_are_those_of_the_formulas_written_out_class_by_class(example):
    """Equations 5 to 10 as the paper prints them, in loops and in pixels."""
    pixels, totals, classes = WEIGHTS * 10_000_000, COUNTS.sum(axis=1), range(4)
    for j in classes:
        u = COUNTS[j, j] / totals[j]
        assert example.users.error[j] ** 2 == pytest.approx(u * (1 - u) / (totals[j] - 1))
        n_j = sum(pixels[i] / totals[i] * COUNTS[i, j] for i in classes)
        p = pixels[j] * u / n_j
        own = pixels[j] ** 2 * (1 - p) ** 2 * u * (1 - u) / (totals[j] - 1)
        parts = {i: COUNTS[i, j] / totals[i] for i in classes if i != j}
        rest = sum(pixels[i] ** 2 * part * (1 - part) / (totals[i] - 1) for i, part in parts.items())
        assert example.producers.value[j] == pytest.approx(p)
        assert example.producers.error[j] ** 2 == pytest.approx((own + p**2 * rest) / n_j**2)
        cells = [WEIGHTS[i] * COUNTS[i, j] / totals[i] for i in classes]
        variance = sum((WEIGHTS[i] * cells[i] - cells[i] ** 2) / (totals[i] - 1) for i in classes)
        assert example.areas.error[j] == pytest.approx(variance**0.5)
    users = [COUNTS[i, i] / totals[i] for i in classes]
    variance = sum(WEIGHTS[i] ** 2 * users[i] * (1 - users[i]) / (totals[i] - 1) for i in classes)
    assert example.overall.error == pytest.approx(variance**0.5)


def test_confidence_intervals_hold_the_truth_19_times_out_of_20():
    """Stratified samples are drawn again and again from a map whose truth is known."""
    rng = np.random.default_rng(0)
    truth = np.array([[0.9, 0.1, 0.0], [0.15, 0.8, 0.05], [0.05, 0.1, 0.85]])  # of each map class, by reference class
    weights = np.array([0.2, 0.3, 0.5])
    areas, held = weights @ truth, np.zeros(3)
    for _ in range(500):
        found = assess(np.array([rng.multinomial(120, row) for row in truth]), weights).areas
        held += np.abs(found.value - areas) <= Z_95 * found.error
    assert (np.abs(held / 500 - 0.95) < 0.035).all()


def test_a_class_that_only_the_reference_has_gets_an_area_but_no_user_s_accuracy():
    found = assess([[8, 0, 2], [1, 9, 0], [0, 0, 0]], [0.5, 0.5, 0.0])
    assert found.areas.value[2] == pytest.approx(0.1)
    assert found.producers.value[2] == 0.0
    assert np.isnan(found.users.value[2])


def test_a_class_that_no_sample_confirms_has_no_producer_s_accuracy():
    found = assess([[0, 5], [0, 5]], [0.5, 0.5])
    assert np.isnan(found.producers.value[0])
    assert found.users.value[0] == 0.0


def test_a_class_with_one_sample_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        assess([[9, 1], [0, 1]], [0.5, 0.5])
