"""Borders, faces and their simplification, against rasterio's features and shapely."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import features

from terrafine.qgis_plugin.finish.borders import NO_CLASS, find_borders
from terrafine.qgis_plugin.finish.faces import find_faces
from terrafine.qgis_plugin.finish.simplify import simplify
from terrafine.shared.geo import Window


@st.composite
def maps(draw, values=(NO_CLASS, 0, 1, 7)) -> np.ndarray:
    """Class rasters of up to 12 x 12 pixels and of two or more of `values`, as rough as can be."""
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    seed, count = draw(st.integers(0, 10**6)), draw(st.integers(2, len(values)))
    return np.random.default_rng(seed).choice(values[:count], (rows, columns)).astype(np.int32)


def polygons(classes: np.ndarray, tolerance_px: float = 0.0, col: int = 0, row: int = 0) -> list:
    """(class, polygon) of every face; the raster is read in strips of two rows."""
    rows, columns = classes.shape
    strips = (classes[start : start + 2] for start in range(0, rows, 2))
    borders = find_borders(strips, Window(col, row, columns, rows))
    kept = simplify(borders, tolerance_px)
    rings = lambda face: [np.column_stack([borders.x, borders.y])[ring[kept[ring]]] for ring in face.rings]  # noqa: E731
    shapes = ((face.class_id, rings(face)) for face in find_faces(borders))
    return [(class_id, shapely.Polygon(outer, holes)) for class_id, (outer, *holes) in shapes]


def rasterised(shapes: list, shape: tuple[int, int]) -> np.ndarray:
    marked = [(polygon, class_id) for class_id, polygon in shapes]
    return features.rasterize(marked, shape, fill=NO_CLASS, dtype="int32") if marked else np.full(shape, NO_CLASS)


@given(maps())
@settings(max_examples=60)
def test_polygons_cover_exactly_their_pixels(classes):
    shapes = polygons(classes)
    assert all(polygon.is_valid for _, polygon in shapes)
    np.testing.assert_array_equal(rasterised(shapes, classes.shape), classes)


@given(maps())
@settings(max_examples=40)
def test_pixels_that_touch_at_a_corner_only_are_regions_of_their_own(classes):
    found = features.shapes(classes, mask=classes != NO_CLASS, connectivity=4)
    assert len(polygons(classes)) == sum(1 for _ in found)


@given(maps(), st.floats(0.1, 10.0))
@settings(max_examples=80)
def test_simplified_polygons_are_valid_and_neither_overlap_nor_vanish(classes, tolerance_px):
    shapes = [polygon for _, polygon in polygons(classes, tolerance_px)]
    assert len(shapes) == len(polygons(classes))
    assert all(polygon.is_valid and polygon.area > 0 for polygon in shapes)
    assert shapely.union_all(shapes).area == pytest.approx(sum(polygon.area for polygon in shapes))


@given(maps(values=(0, 1, 7)), st.floats(0.1, 10.0))
@settings(max_examples=40)
def test_simplified_polygons_of_a_full_map_leave_no_gaps(classes, tolerance_px):
    together = shapely.union_all([polygon for _, polygon in polygons(classes, tolerance_px)])
    assert together.geom_type == "Polygon"
    assert not together.interiors


def test_a_staircase_becomes_a_slope():
    classes = np.tri(20, 20, dtype=np.int32)
    (_, upper), (_, lower) = polygons(classes, tolerance_px=2.0)
    assert all(len(polygon.exterior.coords) < 8 for polygon in (upper, lower))


def test_detail_above_the_tolerance_stays():
    classes = np.zeros((20, 20), np.int32)
    classes[5:15, 5:15] = 1
    assert [polygon.area for _, polygon in polygons(classes, tolerance_px=5.0)] == [300.0, 100.0]


def test_a_place_is_simplified_alike_whatever_part_of_the_map_is_taken():
    y, x = np.mgrid[:60, :60]
    classes = ((x - 30) ** 2 + (y - 30) ** 2 < 150).astype(np.int32)
    whole = dict(polygons(classes, 1.5))[1]
    part = dict(polygons(classes[10:50, 15:55], 1.5, col=15, row=10))[1]
    assert part.equals(whole)


def test_a_hole_knows_its_region_across_other_holes():
    classes = np.zeros((7, 16), np.int32)
    classes[2:5, 2:4], classes[3, 6:8], classes[2:5, 10:12] = 1, 1, 1
    assert sorted(len(polygon.interiors) for _, polygon in polygons(classes)) == [0, 0, 0, 3]


def test_a_map_without_any_class_has_no_polygons():
    assert polygons(np.full((3, 4), NO_CLASS, np.int32), tolerance_px=2.0) == []


def test_a_wall_one_pixel_thick_keeps_its_ends():
    classes = np.zeros((20, 60), np.int32)
    classes[10, 5:55] = 1
    assert [polygon.area for _, polygon in polygons(classes, tolerance_px=1.5)] == [1150.0, 50.0]
