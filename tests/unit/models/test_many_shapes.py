"""Many strokes and polygons at once, against GEOS one by one."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafine.models.encoding import cells, lines
from terrafine.models.encoding.cells import CELL, Cells
from terrafine.models.encoding.encode import UNMARKED, encode, marked_pixels
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window
from terrafine.shared.spec import EncodingSpec

CLASSES = 3
WINDOW = Window(-7, 3, 45, 34)  # ends within a cell
CENTRES = shapely.points(*np.meshgrid(np.arange(-7, 38) + 0.5, np.arange(3, 37) + 0.5))
NEAR_AN_EDGE = 1e-4  # pixels: a rounding may decide there


def shapes(seed: int, count: int) -> list[Annotation]:
    """Strokes of one to five vertices, some very wide, and polygons, some of which cross themselves."""
    rng, marks = np.random.default_rng(seed), []
    for number in range(count):
        kind = ("stroke", "polygon")[int(rng.integers(2))]
        centre, size = rng.uniform(-30, 60, 2), rng.uniform(1, 40)
        vertices = centre + rng.uniform(-size, size, (rng.integers(1 if kind == "stroke" else 3, 6), 2))
        width = float(rng.choice([0.0, 0.6, 3.0, 14.0])) if kind == "stroke" else 0.0
        marks.append(Annotation(str(number), kind, tuple(map(tuple, vertices.tolist())), number % CLASSES, width))
    return marks


def slow_distance(mark: Annotation, scale: float = 1.0) -> np.ndarray:
    """From each pixel of the window to the mark, and how far it is within half its width."""
    vertices = np.array(mark.vertices) * scale
    if mark.kind == "polygon":
        return shapely.distance(shapely.make_valid(shapely.Polygon(vertices)), CENTRES)
    line = shapely.LineString(vertices) if len(vertices) > 1 else shapely.Point(vertices[0])
    return shapely.distance(line, CENTRES) - mark.width_px * scale / 2


def nearest(marks: list[Annotation], scale: float = 1.0) -> np.ndarray:
    found = np.full((CLASSES, *WINDOW.shape), np.inf)
    for mark in marks:
        found[mark.class_id] = np.minimum(found[mark.class_id], slow_distance(mark, scale))
    return np.maximum(found, 0.0)


few_or_many = st.integers(0, 40)
seeds = st.integers(0, 10_000)


@settings(max_examples=15)
@given(seeds, few_or_many, st.sampled_from([1.0, 6.0, 16.0]), st.floats(0.3, 3))
def test_a_channel_is_the_distance_to_the_nearest_shape_of_its_class(seed, count, radius, scale):
    marks = shapes(seed, count)
    expected = np.maximum(1 - nearest(marks, scale) / radius, 0)
    found = encode(marks, WINDOW, EncodingSpec("distance", radius), CLASSES, scale)
    assert np.allclose(found, expected, rtol=0, atol=1e-5)


@settings(max_examples=15)
@given(seeds, few_or_many, st.sampled_from([1.0, 6.0, 16.0]))
def test_disks_end_where_the_distance_does(seed, count, radius):
    marks = shapes(seed, count)
    distance = nearest(marks)
    found = encode(marks, WINDOW, EncodingSpec("binary", radius), CLASSES)
    certain = np.abs(distance - radius) > NEAR_AN_EDGE
    assert np.array_equal(found[certain], (distance <= radius)[certain])


@settings(max_examples=15)
@given(seeds, few_or_many)
def test_marked_pixels_are_of_the_last_shape_that_covers_them(seed, count):
    marks = shapes(seed, count)
    expected, certain = np.full(WINDOW.shape, UNMARKED), np.ones(WINDOW.shape, bool)
    for mark in marks:
        least = 0.0 if mark.kind == "polygon" else max(0.0, (1 - mark.width_px) / 2)
        beyond = slow_distance(mark) - least
        expected[beyond <= 0] = mark.class_id
        border = mark.kind == "stroke" or shapely.distance(shapely.LinearRing(mark.vertices), CENTRES) < NEAR_AN_EDGE
        certain &= (np.abs(beyond) > NEAR_AN_EDGE) | ~np.asarray(border)
    assert np.array_equal(marked_pixels(marks, WINDOW)[certain], expected[certain])


def test_a_centre_on_the_border_of_a_polygon_is_marked():
    """Whichever way the border runs: GEOS says so, too."""
    ring = ((0.5, 3.5), (12.5, 6.5), (9.5, 15.5), (0.5, 12.5))
    marked = marked_pixels([Annotation("a", "polygon", ring, 1)], WINDOW) == 1
    assert np.array_equal(marked, shapely.intersects(shapely.Polygon(ring), CENTRES))


@pytest.mark.parametrize("name", ["MEASURED", "PAIRED"])
def test_shapes_are_encoded_alike_however_many_are_looked_at_at_once(monkeypatch, name):
    marks, spec = shapes(1, 30), EncodingSpec("distance", 9.0)
    together, marked = encode(marks, WINDOW, spec, CLASSES), marked_pixels(marks, WINDOW)
    monkeypatch.setattr(cells, name, 3)
    monkeypatch.setattr(lines, "PIXELS", 50)
    assert np.array_equal(encode(marks, WINDOW, spec, CLASSES), together)
    assert np.array_equal(marked_pixels(marks, WINDOW), marked)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), seeds)
def test_cells_keep_the_largest_of_all_that_goes_into_them(keys, seed):
    keys, canvas = np.sort(keys), Cells.zeros(1, Window(0, 0, 3 * CELL, 2 * CELL), np.float32)
    values = np.random.default_rng(seed).normal(size=(len(keys), CELL, CELL)).astype(np.float32)
    expected = np.zeros((6, CELL, CELL), np.float32)
    for key, value in zip(keys, values):
        expected[key] = np.maximum(expected[key], value)
    canvas.raise_to(keys, values)
    assert np.array_equal(canvas.cells.reshape(6, CELL, CELL), expected)
    assert np.array_equal(canvas.image[0, CELL:, CELL : 2 * CELL], expected[4])
