"""The encoder against slow loops over pixels, and its key property: sub-windows encode to sub-windows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafine.models.encoding.context import context_of, guided_filter
from terrafine.models.encoding.encode import UNMARKED, encode, marked_pixels, obey
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window, slices
from terrafine.shared.spec import EncodingSpec, LandCover, ModelSpec, Normalisation

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


specs = st.builds(EncodingSpec, st.sampled_from(["distance", "binary", "onehot"]), st.floats(0.5, 20))


@settings(max_examples=60)
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


@settings(max_examples=60)
@given(annotations())
def test_one_hot_channels_hold_the_pixels_that_a_mark_covers(mark):
    window = Window(-7, 3, 40, 32)
    channels = encode([mark], window, EncodingSpec("onehot", 1.0), CLASSES)
    covered = marked_pixels([mark], window) != UNMARKED
    assert np.array_equal(channels[mark.class_id] == 1.0, covered)
    assert channels.sum() == covered.sum()


points = st.builds(
    lambda x, y, class_id: Annotation("p", "point", ((x, y),), class_id),
    st.floats(-30, 70), st.floats(-30, 70), st.integers(0, CLASSES),
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(points, max_size=30), st.sampled_from(["distance", "binary"]), st.floats(0.5, 20), st.floats(0.3, 3))
def test_many_points_are_the_distance_to_the_nearest_of_their_class(marks, kind, radius, scale):
    window = Window(-7, 3, 40, 32)
    channels = encode(marks, window, EncodingSpec(kind, radius), CLASSES, scale)
    x, y = np.meshgrid(np.arange(-7, 33) + 0.5, np.arange(3, 35) + 0.5)
    for class_id, channel in enumerate(channels):
        centres = [mark.vertices[0] for mark in marks if mark.class_id == class_id]
        nearest = np.min([np.hypot(x - scale * px, y - scale * py) for px, py in centres], 0, initial=np.inf)
        expected = nearest <= radius if kind == "binary" else np.maximum(1 - nearest / radius, 0)
        certain = np.abs(nearest - radius) > 1e-4  # within a rounding of the edge of a disk
        assert np.allclose(channel[certain], expected[certain], rtol=0, atol=1e-5)


def test_points_are_encoded_alike_however_many_are_computed_at_once(monkeypatch):
    rng, window, spec = np.random.default_rng(0), Window(0, 0, 40, 40), EncodingSpec("distance", 6.0)
    marks = [point(*rng.uniform(-5, 45, 2), class_id) for class_id in (0, 1, 2) * 20]
    together = encode(marks, window, spec, CLASSES)
    monkeypatch.setattr("terrafine.models.encoding.encode.BATCH_PX", 1)
    assert np.array_equal(encode(marks, window, spec, CLASSES), together)


def test_a_one_hot_hairline_is_a_pixel_wide_whatever_the_scale():
    line = Annotation("s", "stroke", ((0.0, 22.0), (80.0, 22.0)), 1, width_px=1.0)
    channels = encode([line], Window(0, 0, 20, 20), EncodingSpec("onehot", 1.0), CLASSES, 0.25)
    assert channels[1].sum(axis=0).tolist() == [1.0] * 20


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


def test_what_no_mark_covers_stays_as_it_was():
    classes, marks = np.full((4, 5), 7, np.uint8), [Annotation("p", "point", ((22.5, 11.5),), 3)]
    obey(classes, [*marks, Annotation("far", "point", ((90.0, 11.0),), 1)], Window(20, 10, 5, 4))
    assert classes[1, 2] == 3
    assert (classes == 7).sum() == 19


@settings(max_examples=40)
@given(st.lists(annotations(), max_size=4))
def test_marked_pixels_of_a_sub_window_are_the_sub_window_of_marked_pixels(marks):
    full, sub = Window(-5, -5, 40, 40), Window(3, 7, 9, 11)
    assert np.array_equal(marked_pixels(marks, sub), marked_pixels(marks, full)[slices(sub, full)])


# ---- encodings that look around a mark ------------------------------------------------------------------------------


def slow_guided_filter(values, guide, radius, smooth):
    """He et al. 2010, algorithm 1, window by window."""
    rows, cols = values.shape
    window = {
        (r, c): (slice(max(0, r - radius), r + radius + 1), slice(max(0, c - radius), c + radius + 1))
        for r in range(rows) for c in range(cols)
    }  # fmt: skip
    slope, shift, result = np.zeros(values.shape), np.zeros(values.shape), np.zeros(values.shape)
    for place, part in window.items():
        i, p = guide[part], values[part]
        slope[place] = (np.mean(i * p) - i.mean() * p.mean()) / (i.var() + smooth)
        shift[place] = p.mean() - slope[place] * i.mean()
    for place, part in window.items():
        result[place] = slope[part].mean() * guide[place] + shift[part].mean()
    return result


@pytest.mark.parametrize("radius", [1, 3])
def test_the_guided_filter_agrees_with_a_slow_loop(radius):
    rng = np.random.default_rng(0)
    values, guide = rng.random((9, 13)), rng.random((9, 13))
    assert np.allclose(guided_filter(values, guide, radius, 0.01), slow_guided_filter(values, guide, radius, 0.01))


def point(x, y, class_id=0):
    return Annotation("p", "point", ((x, y),), class_id)


def distance(mark, window, radius):
    return encode([mark], window, EncodingSpec("distance", radius), 1)[0]


def test_a_guided_mark_stays_on_its_side_of_an_edge():
    window, image = Window(0, 0, 24, 24), np.zeros((2, 24, 24), np.float32)
    image[:, :, 13:] = 0.8
    guided = encode([point(11.5, 11.5)], window, EncodingSpec("guided", 6.0), 1, context=image)[0]
    plain = distance(point(11.5, 11.5), window, 6.0)
    assert (guided[:, :13] > 0.9 * plain[:, :13])[plain[:, :13] > 0].all()
    assert (guided[:, 13:] < 0.1).all()
    assert plain[:, 13:].max() > 0.5


def test_on_a_flat_image_a_guided_mark_is_the_distance_transform():
    window, mark = Window(0, 0, 30, 20), Annotation("s", "stroke", ((4.0, 5.0), (20.0, 9.0)), 0, width_px=2.0)
    guided = encode([mark], window, EncodingSpec("guided", 7.0), 1, context=np.full((3, 20, 30), 0.4, np.float32))
    assert np.allclose(guided[0], distance(mark, window, 7.0), atol=1e-6)


def test_a_component_is_what_the_map_leads_to_from_the_mark():
    """Class 1 is an L; its far end is in reach of the mark as the crow flies, and hangs together with it."""
    classes = np.array(
        [
            [1, 0, 1, 1, 1],
            [1, 0, 1, 0, 1],
            [1, 1, 1, 0, 0],
            [0, 0, 0, 0, 1],
        ]
    )
    window, spec = Window(0, 0, 5, 4), EncodingSpec("component", 50.0)
    kept = encode([point(0.5, 0.5, 2)], window, spec, 3, context=classes)
    expected = classes == 1
    expected[3, 4] = False
    assert np.array_equal(kept[2], distance(point(0.5, 0.5), window, 50.0) * expected)
    assert not kept[:2].any()


def slow_component(values, classes, radius):
    """Flood from every pixel within 0.75 of the mark."""
    core = {tuple(place) for place in np.argwhere((values > 0) & (values >= 1 - 0.75 / radius))}
    seen, waiting = set(core), list(core)
    while waiting:
        row, col = waiting.pop()
        for near in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
            inside = 0 <= near[0] < values.shape[0] and 0 <= near[1] < values.shape[1]
            if inside and near not in seen and values[near] > 0 and classes[near] == classes[row, col]:
                seen.add(near)
                waiting.append(near)
    kept = np.zeros_like(values)
    for place in seen:
        kept[place] = values[place]
    return kept


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.lists(annotations(), min_size=1, max_size=3), st.floats(1, 20))
def test_components_agree_with_a_slow_flood(seed, marks, radius):
    window, classes = Window(0, 0, 24, 20), np.random.default_rng(seed).integers(0, 2, (20, 24))
    plain = encode(marks, window, EncodingSpec("distance", radius), CLASSES)
    kept = encode(marks, window, EncodingSpec("component", radius), CLASSES, context=classes)
    for values, channel in zip(plain, kept):
        assert np.array_equal(channel, slow_component(values, classes, radius))


contexts = st.integers(0, 10_000).map(lambda seed: np.random.default_rng(seed))


@settings(max_examples=30)
@given(st.lists(annotations(), min_size=1, max_size=3), contexts)
def test_a_guided_sub_window_is_the_sub_window_away_from_its_border(marks, rng):
    full, sub = Window(0, 0, 40, 36), Window(7, 5, 25, 24)
    image, (rows, cols) = rng.random((3, 36, 40)).astype(np.float32), slices(sub, full)
    spec = EncodingSpec("guided", 4.0)
    whole = encode(marks, full, spec, CLASSES, context=image)[:, rows, cols]
    part = encode(marks, sub, spec, CLASSES, context=image[:, rows, cols])
    assert np.allclose(part[:, 7:-7, 7:-7], whole[:, 7:-7, 7:-7], atol=1e-6)


@settings(max_examples=30)
@given(st.lists(annotations(), min_size=1, max_size=3), contexts)
def test_a_component_in_a_sub_window_is_never_more_than_in_the_whole(marks, rng):
    full, sub = Window(0, 0, 40, 36), Window(7, 5, 25, 24)
    classes, (rows, cols) = rng.integers(0, 2, (36, 40)), slices(sub, full)
    spec = EncodingSpec("component", 12.0)
    whole = encode(marks, full, spec, CLASSES, context=classes)[:, rows, cols]
    assert (encode(marks, sub, spec, CLASSES, context=classes[rows, cols]) <= whole).all()


@pytest.mark.parametrize("kind", ["guided", "component"])
def test_an_encoding_that_lacks_its_context_is_refused_and_far_marks_need_none(kind):
    window, spec = Window(0, 0, 8, 8), EncodingSpec(kind, 4.0)
    with pytest.raises(ValueError, match=kind):
        encode([point(4.0, 4.0)], window, spec, 1)
    assert not encode([point(400.0, 4.0)], window, spec, 1).any()


def test_the_context_is_the_image_in_its_own_units_or_the_plain_map():
    classes = tuple(LandCover(i, str(i), "#000000") for i in range(2))
    normalisation = Normalisation((0.5, 0.2), (0.5, 0.25))
    unit = np.random.default_rng(0).random((2, 3, 4)).astype(np.float32)
    image = (unit - np.array([[[0.5]], [[0.2]]], np.float32)) / np.array([[[0.5]], [[0.25]]], np.float32)
    logits = np.random.default_rng(1).random((2, 3, 4)).astype(np.float32)
    found = {}
    for kind in ("guided", "component", "distance"):
        spec = ModelSpec("a", "A", "x", "y", ("red", "nir"), classes, 1.0, normalisation, EncodingSpec(kind))
        found[kind] = context_of(spec, image, lambda: logits)
    assert np.allclose(found["guided"], unit, atol=1e-6)
    assert np.array_equal(found["component"], logits.argmax(0))
    assert found["distance"] is None
