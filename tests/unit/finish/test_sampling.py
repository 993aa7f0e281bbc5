from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafine.qgis_plugin.finish.sampling import (
    EQUAL,
    MINIMUM,
    PROPORTIONAL,
    allocate,
    choose_ranks,
    find_pixels,
    shuffled,
)
from terrafine.shared.geo import Window, blocks, slices

PIXELS = {0: 6450, 1: 3200, 2: 150, 3: 200}


def test_equal_shares():
    assert allocate(PIXELS, 402, EQUAL, 0) == {0: 101, 1: 101, 2: 100, 3: 100}


def test_proportional_shares():
    assert allocate(PIXELS, 640, PROPORTIONAL, 0) == {0: 413, 1: 205, 2: 9, 3: 13}


def test_rare_classes_get_the_minimum_and_the_others_share_the_rest():
    assert allocate(PIXELS, 640, MINIMUM, 75) == {0: 328, 1: 162, 2: 75, 3: 75}


def test_a_class_with_few_pixels_gets_no_more_than_it_has():
    assert allocate({0: 1000, 1: 10}, 200, MINIMUM, 50) == {0: 150, 1: 10}


@given(st.dictionaries(st.integers(0, 9), st.integers(1, 10**6), min_size=1), st.integers(0, 5000))
def test_proportional_shares_add_up(pixels, total):
    shares = allocate(pixels, total, PROPORTIONAL, 0)
    there = sum(pixels.values())
    assert sum(shares.values()) == min(total, there)
    wanted = {class_id: min(total, there) * count / there for class_id, count in pixels.items()}
    assert all(abs(share - wanted[class_id]) < 1 for class_id, share in shares.items())


@pytest.fixture
def drawn():
    classes = np.random.default_rng(3).integers(0, 3, (40, 50))
    parts = [(block, classes[slices(block, Window(0, 0, 50, 40))]) for block in blocks(Window(0, 0, 50, 40), 16)]
    pixels = {class_id: int((classes == class_id).sum()) for class_id in range(3)}
    return classes, find_pixels(parts, choose_ranks(pixels, {0: 30, 1: 7, 2: pixels[2]}, seed=1))


def test_samples_lie_in_their_class_and_no_pixel_is_taken_twice(drawn):
    classes, found = drawn
    assert all(classes[row, col] == class_id for col, row, class_id in found)
    assert len(set(found)) == len(found)
    assert [sum(1 for *_, class_id in found if class_id == wanted) for wanted in range(3)] == [
        30,
        7,
        (classes == 2).sum(),
    ]


def test_every_pixel_of_a_class_is_as_likely_as_any_other():
    hits = np.zeros(20)
    for seed in range(2000):
        hits[choose_ranks({5: 20}, {5: 5}, seed)[5]] += 1
    assert (np.abs(hits / 2000 - 0.25) < 0.045).all()


def test_the_same_seed_draws_the_same_samples():
    first, again = (choose_ranks({0: 1000}, {0: 9}, seed=4)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (choose_ranks({0: 1000}, {0: 9}, seed=5)[0] != first).any()


def test_the_order_of_samples_does_not_tell_their_class():
    pixels = [(col, 0, class_id) for class_id in range(2) for col in range(100)]
    order = [class_id for *_, class_id in shuffled(pixels, 0)]
    assert sorted(shuffled(pixels, 0)) == sorted(pixels)
    assert 30 < sum(order[:100]) < 70
