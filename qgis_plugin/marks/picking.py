"""Which marks lie under the eraser, which regions under the cursor: plain geometry in pixel coordinates."""

from __future__ import annotations

import math
from typing import Iterable, Iterator

from terrafine.shared.annotation import Annotation

Vertex = tuple[float, float]


def marks_near(marks: Iterable[Annotation], at: Vertex, reach_px: float) -> tuple[str, ...]:
    """Ids of the marks within `reach_px` of a position; half a stroke's width counts as the stroke."""
    around = (mark for mark in marks if _is_around(mark, at, reach_px + mark.width_px / 2))
    return tuple(mark.id for mark in around if _distance(mark, at) <= reach_px + mark.width_px / 2)


def regions_at(regions: Iterable[Annotation], at: Vertex) -> tuple[str, ...]:
    """Ids of the polygons that a position lies in."""
    return tuple(region.id for region in regions if _crossings(region, at) % 2)


def _is_around(mark: Annotation, at: Vertex, reach_px: float) -> bool:
    """Is the position in the box around the mark? That is soon said of many thousand marks."""
    x, y = at
    if len(mark.vertices) == 1:
        (mark_x, mark_y), *_ = mark.vertices
        return abs(mark_x - x) <= reach_px and abs(mark_y - y) <= reach_px
    xs, ys = zip(*mark.vertices)
    return min(xs) - reach_px <= x <= max(xs) + reach_px and min(ys) - reach_px <= y <= max(ys) + reach_px


def _crossings(region: Annotation, at: Vertex) -> int:
    """How many of the polygon's sides a ray from `at` to the right crosses."""
    sides = ((a, b) for a, b in _segments(region) if (a[1] > at[1]) != (b[1] > at[1]))
    return sum(at[0] < a[0] + (at[1] - a[1]) * (b[0] - a[0]) / (b[1] - a[1]) for a, b in sides)


def _distance(mark: Annotation, at: Vertex) -> float:
    """How far `at` is from the mark's nearest line or point; the line's width does not count."""
    return min(_to_segment(at, start, end) for start, end in _segments(mark))


def _segments(mark: Annotation) -> Iterator[tuple[Vertex, Vertex]]:
    if len(mark.vertices) == 1:
        yield mark.vertices[0], mark.vertices[0]
    yield from zip(mark.vertices, mark.vertices[1:])
    if mark.kind == "polygon":
        yield mark.vertices[-1], mark.vertices[0]


def _to_segment(at: Vertex, start: Vertex, end: Vertex) -> float:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dy * dy
    along = 0.0 if length == 0.0 else ((at[0] - start[0]) * dx + (at[1] - start[1]) * dy) / length
    along = min(1.0, max(0.0, along))
    return math.hypot(at[0] - start[0] - along * dx, at[1] - start[1] - along * dy)
