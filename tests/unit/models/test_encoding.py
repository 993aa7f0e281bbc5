"""The encoder against a slow loop over pixels, and its key property: sub-windows encode to sub-windows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafine.models.encoding import UNMARKED, encode, marked_pixels
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window, slices
from terrafine.shared.spec import EncodingSpec

CLASSES = 3
coordinate = st.floats(-20, 60, allow_nan=False)
vertex = st.tuples(coordinate, coordinate)


@st.composite
def annotations(draw):
    kind = draw(st.sampled_from(["point", "stroke", "polygon"]))
    few, many = {"point": (1, 1), "stroke": (1, 5), "polygon": (3, 6)}[kind]
    vertices = tuple(draw(st.lists(vertex, min_size=few, max_size=many)))
    width = draw(st.floats(0, 8)) if kind == "stroke" else 0.0
    return Annotation("m", kind, vertices, draw(st.integers(0, CLASSES - 1)), width)


specs = st.builds(EncodingSpec, st.sampled_from(["distance", "binary"]), st.floats(0.5, 20))


@settings(deadline=None, max_examples=60)
@given(st.lists(annotations(), max_size=4), specs, st.floats(0.3, 3), st.data())
def test_the_encoding_of_a_sub_window_is_the_sub_window_of_the_encoding(marks, spec, scale, data):
    full = Window(-7, 3, 40, 32)
    width, height = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 32))
    col, row = data.draw(st.integers(0, 40 - width)), data.draw(st.integers(0, 32 - height))
    sub = Window(full.col + col, full.row + row, width, height)
    rows, cols = slices(sub, full)
    whole = encode(marks, full, spec, CLASSES, scale)
    assert np.array_equal(encode(marks, sub, spec, CLASSES, scale), whole[:, rows, cols])


def slow_encode(mark, window, spec):
    """Distances by GEOS, one pixel at a time."""
    shape = {"point": shapely.Point, "stroke": shapely.LineString, "polygon": shapely.Polygon}[mark.kind]
    geometry = shape(mark.vertices[0] if mark.kind == "point" else mark.vertices)
    values = np.zeros(window.shape)
    for row in range(window.height):
        for col in range(window.width):
            centre = shapely.Point(window.col + col + 0.5, window.row + row + 0.5)
            distance = max(0.0, geometry.distance(centre) - mark.width_px / 2)
            near = distance <= spec.radius_px
            values[row, col] = max(0.0, 1 - distance / spec.radius_px) if spec.kind == "distance" else near
    return values


@pytest.mark.parametrize("kind", ["distance", "binary"])
@pytest.mark.parametrize(
    "mark",
    [
        Annotation("p", "point", ((5.2, 7.9),), 1),
        Annotation("s", "stroke", ((2.0, 3.0), (14.5, 9.0), (4.0, 18.0)), 1, width_px=3.0),
        Annotation("a", "polygon", ((3.0, 3.0), (15.0, 5.0), (9.0, 16.0)), 1),
    ],
    ids=lambda mark: getattr(mark, "kind", mark),
)
def test_it_agrees_with_a_slow_loop_over_pixels(mark, kind):
    window, spec = Window(-2, 1, 24, 20), EncodingSpec(kind, 6.0)
    channels = encode([mark], window, spec, CLASSES)
    assert np.allclose(channels[1], slow_encode(mark, window, spec), atol=1e-6)
    assert not channels[[0, 2]].any()


def test_where_marks_of_a_class_meet_the_nearer_counts():
    spec, window = EncodingSpec("distance", 8.0), Window(0, 0, 16, 1)
    left, right = (Annotation(x, "point", ((float(x), 0.5),), 0) for x in ("3", "11"))
    both = encode([left, right], window, spec, 1)
    assert np.array_equal(both, np.maximum(encode([left], window, spec, 1), encode([right], window, spec, 1)))


def test_marks_scale_with_the_raster():
    spec = EncodingSpec("distance", 8.0)
    stroke = Annotation("s", "stroke", ((4.0, 4.0), (10.0, 6.0)), 0, width_px=2.0)
    doubled = Annotation("s", "stroke", ((8.0, 8.0), (20.0, 12.0)), 0, width_px=4.0)
    window = Window(0, 0, 30, 30)
    assert np.array_equal(encode([stroke], window, spec, 1, scale=2.0), encode([doubled], window, spec, 1))


def test_a_mark_in_the_first_row_and_column_counts():
    channels = encode([Annotation("p", "point", ((0.0, 0.0),), 0)], Window(0, 0, 4, 4), EncodingSpec(), 1)
    assert channels[0, 0, 0] == pytest.approx(1 - math.hypot(0.5, 0.5) / 8)


def test_a_class_that_the_model_lacks_is_left_out():
    assert not encode([Annotation("p", "point", ((1.0, 1.0),), 7)], Window(0, 0, 4, 4), EncodingSpec(), 2).any()


def test_a_point_marks_the_pixel_it_lies_in():
    marked = marked_pixels([Annotation("p", "point", ((2.99, 1.0),), 4)], Window(0, 0, 5, 3))
    assert marked[1, 2] == 4
    assert (marked == UNMARKED).sum() == 14


def test_a_stroke_marks_the_centres_within_half_its_width():
    marked = marked_pixels([Annotation("s", "stroke", ((1.5, 2.5), (4.5, 2.5)), 2, width_px=2.6)], Window(0, 0, 7, 6))
    assert np.array_equal((marked == 2).sum(1), [0, 4, 6, 4, 0, 0])


def test_a_hairline_stroke_leaves_no_gap_along_a_row():
    marked = marked_pixels([Annotation("s", "stroke", ((0.5, 1.3), (6.5, 1.3)), 1)], Window(0, 0, 7, 3))
    assert (marked[1] == 1).all()
    assert (marked[[0, 2]] == UNMARKED).all()


def test_a_polygon_marks_the_centres_it_holds():
    square = Annotation("a", "polygon", ((1.0, 1.0), (4.0, 1.0), (4.0, 3.0), (1.0, 3.0)), 0)
    expected = np.full((5, 6), UNMARKED)
    expected[1:3, 1:4] = 0
    assert np.array_equal(marked_pixels([square], Window(0, 0, 6, 5)), expected)


def test_of_two_marks_on_a_pixel_the_later_wins():
    marks = [Annotation("a", "point", ((1.5, 1.5),), 0), Annotation("b", "point", ((1.2, 1.7),), 3)]
    assert marked_pixels(marks, Window(0, 0, 3, 3))[1, 1] == 3


@settings(deadline=None, max_examples=40)
@given(st.lists(annotations(), max_size=4))
def test_marked_pixels_of_a_sub_window_are_the_sub_window_of_marked_pixels(marks):
    full, sub = Window(-5, -5, 40, 40), Window(3, 7, 9, 11)
    assert np.array_equal(marked_pixels(marks, sub), marked_pixels(marks, full)[slices(sub, full)])
