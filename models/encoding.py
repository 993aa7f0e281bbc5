"""Marks become channels: the one encoder, for training and for serving.

A mark's channel is the maximum over the marks of its class of f(d), where d is the distance in model pixels from the
pixel's centre to the point, to the stroke (less half its width) or to the polygon (0 inside), and

    "distance"  f(d) = clip(1 − d / r, 0, 1)     DISIR's distance transform, scaled to the pixels' own range
    "binary"    f(d) = 1 where d ≤ r, else 0     a disk
    "onehot"    1 where the mark covers the pixel, else 0: what `marked_pixels` says, in model pixels, r or not

so a pixel's value depends on the pixel and the marks alone: encode(A, sub) is encode(A, full)[sub], bit for bit.

Two more kinds start from "distance" and look at their context in the window (`context.py`):

    "guided"     fades at the edges of the image          encode(A, sub) is encode(A, full)[sub] but for roundings, for
                                                          pixels at least r + 3 from the border of sub
    "component"  kept where the map without marks leads   encode(A, sub) ≤ encode(A, full)[sub]: what hangs together
                 from the mark to the pixel               outside of sub, or from a mark outside, is not seen

None of them reaches further than r from a mark. A map needs no more: tiles are always encoded whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Optional

import numpy as np
import shapely
from numpy.typing import NDArray

from terrafine.models.context import IN_CONTEXT, Context
from terrafine.models.marks import Columns, Marks
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window, intersection, slices
from terrafine.shared.spec import EncodingSpec

UNMARKED = -1
HAIRLINE_PX = 1.0  # a stroke obeys on a line at least one pixel wide
BATCH_PX = 1 << 16  # around points that are computed at once: they fit into the processor's cache

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


def encode(
    marks: Sequence[Annotation],
    window: Window,
    spec: EncodingSpec,
    classes: int,
    scale: float = 1.0,
    context: Optional[Context] = None,
) -> Floats:
    """Return the marks' channels in `window`: float32 (classes, rows, columns) in [0, 1], 0 where nothing is near.

    `window` lies on the model's grid; marks are in raster pixels, `scale` model pixels each. Marks of a class that the
    model does not have (class_id ≥ classes) are left out. `context` is what `context.context_of` says of the window;
    ValueError where the kind needs it, a mark is near, and it is missing.
    """
    channels, marks = np.zeros((classes, *window.shape), np.float32), Marks.of(marks)
    if spec.kind == "onehot":
        return _cover(channels, marks.columns, window, scale)
    _reach_of_points(channels, marks.columns, window, spec, scale)
    for _, mark in marks.columns.shapes:
        if mark.class_id >= classes or not _near(mark, window, spec.radius_px, scale):
            continue
        for part, distance in _distances(mark, window, spec.radius_px, scale):
            channel = channels[mark.class_id][slices(part, window)]
            np.maximum(channel, _falloff(distance, spec), out=channel)
    return _in_context(channels, spec, context) if spec.kind in IN_CONTEXT else channels


def _reach_of_points(channels: Floats, columns: Columns, window: Window, spec: EncodingSpec, scale: float) -> None:
    """Write f(d) of the points, many at once: alone, most of a point's time would be Python's.

    Each has a square of pixels around it. What is subtracted is absolute: no window may change a rounding.
    """
    side = math.floor(2 * spec.radius_px) + 1  # pixels in a row whose centres can lie within reach
    xs, ys = columns.xs * scale, columns.ys * scale
    cols, rows = (np.ceil(values - 0.5 - spec.radius_px).astype(np.int64) for values in (xs, ys))
    class_ids, steps = columns.class_ids[columns.places], np.arange(side) + 0.5
    near = (cols < window.col_end) & (cols + side > window.col) & (rows < window.row_end) & (rows + side > window.row)
    for some in _batches(np.flatnonzero(near & (class_ids < len(channels))), max(1, BATCH_PX // side**2)):
        dx, dy = (first[some, None] + steps - centre[some, None] for first, centre in ((cols, xs), (rows, ys)))
        squares = (dx**2).astype(np.float32)[:, None, :] + (dy**2).astype(np.float32)[:, :, None]
        values = _falloff(np.sqrt(squares, out=squares), spec)
        corners = zip((rows[some] - window.row).tolist(), (cols[some] - window.col).tolist())
        for value, class_id, corner in zip(values, class_ids[some].tolist(), corners):
            _lay_on(channels[class_id], value, *corner)


def _lay_on(channel: Floats, square: Floats, row: int, col: int) -> None:
    """The larger of both, where a square whose corner lies there, within the channel or not, covers it."""
    part = channel[max(row, 0) : row + len(square), max(col, 0) : col + len(square)]
    above, left = max(-row, 0), max(-col, 0)
    np.maximum(part, square[above : above + part.shape[0], left : left + part.shape[1]], out=part)


def _in_context(channels: Floats, spec: EncodingSpec, context: Optional[Context]) -> Floats:
    if not channels.any():
        return channels
    if context is None:
        raise ValueError(f"the encoding '{spec.kind}' needs its context")
    adapt = IN_CONTEXT[spec.kind]
    return np.stack([adapt(channel, context, spec) if channel.any() else channel for channel in channels])


def _cover(channels: Floats, columns: Columns, window: Window, scale: float) -> Floats:
    inside, rows, cols = _point_pixels(columns, window, scale)
    class_ids = columns.class_ids[columns.places[inside]]
    known = class_ids < len(channels)
    channels[class_ids[known], rows[known], cols[known]] = 1.0
    for _, mark in columns.shapes:
        if mark.class_id < len(channels) and _near(mark, window, HAIRLINE_PX, scale):
            for part, covered in _covered(mark, window, scale):
                channels[mark.class_id][slices(part, window)][covered] = 1.0
    return channels


def marked_pixels(marks: Sequence[Annotation], window: Window) -> NDArray[np.int16]:
    """Return the class of every raster pixel that a mark covers, int16 (rows, columns), UNMARKED (−1) elsewhere.

    A point covers the pixel it lies in, a stroke the pixels whose centres lie within half its width, a polygon those
    whose centres it holds. Later marks win.
    """
    columns = Marks.of(marks).columns
    newest = np.full(window.shape, -1, np.int32)  # the place of the last mark on each pixel
    inside, rows, cols = _point_pixels(columns, window, 1.0)
    newest[rows, cols] = columns.places[inside]  # the last is kept where several are assigned
    for place, mark in columns.shapes:
        if _near(mark, window, HAIRLINE_PX, 1.0):
            for part, covered in _covered(mark, window, 1.0):
                here = newest[slices(part, window)]
                here[covered] = np.maximum(here[covered], place)
    return np.append(columns.class_ids, np.int16(UNMARKED))[newest]


def _covered(mark: Annotation, window: Window, scale: float) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
    """Yield (part of the window, which of its pixels are covered) for every piece of a stroke or a polygon."""
    reach = 0.5 if mark.kind == "polygon" else max(0.0, (HAIRLINE_PX - mark.width_px * scale) / 2)
    for part, distance in _distances(mark, window, reach, scale):
        yield part, distance <= (0.0 if mark.kind == "polygon" else reach)


def _near(mark: Annotation, window: Window, reach: float, scale: float) -> bool:
    """Can any pixel of the window lie within reach of the mark? Cheap, so that far strokes cost nothing."""
    grow = reach + mark.width_px * scale / 2
    xs, ys = zip(*mark.vertices)
    inside_x = min(xs) * scale - grow <= window.col_end and window.col <= max(xs) * scale + grow
    return inside_x and min(ys) * scale - grow <= window.row_end and window.row <= max(ys) * scale + grow


def _falloff(distance: NDArray[np.floating[Any]], spec: EncodingSpec) -> Floats:
    if spec.kind == "binary":
        return (distance <= spec.radius_px).astype(np.float32)
    values = distance / -spec.radius_px
    values += 1.0
    return np.maximum(values, 0.0, out=values).astype(np.float32, copy=False)


def _point_pixels(columns: Columns, window: Window, scale: float) -> tuple[Indices, Indices, Indices]:
    """Of the points that lie in the window: which they are, their rows and columns, in their order."""
    rows = np.floor(columns.ys * scale).astype(np.int64) - window.row
    cols = np.floor(columns.xs * scale).astype(np.int64) - window.col
    inside = np.flatnonzero((rows >= 0) & (rows < window.height) & (cols >= 0) & (cols < window.width))
    return inside, rows[inside], cols[inside]


def _batches(items: Indices, size: int) -> Iterator[Indices]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _distances(
    mark: Annotation, window: Window, reach: float, scale: float
) -> Iterator[tuple[Window, NDArray[np.float64]]]:
    """Yield (part of the window, its pixels' distances to a piece of the mark) for every piece that is near."""
    vertices = np.asarray(mark.vertices, np.float64) * scale
    half_width = mark.width_px * scale / 2 if mark.kind == "stroke" else 0.0
    ends = np.roll(vertices, -1, axis=0) if mark.kind == "polygon" else vertices[1:]
    pieces = list(zip(vertices, ends)) or [(vertices[0], vertices[0])]
    for start, end in pieces:
        part = _around(np.array([start, end]), reach + half_width, window)
        if not part.is_empty:
            yield part, np.maximum(_segment_distance(part, start, end) - half_width, 0.0)
    if mark.kind == "polygon":
        part = _around(vertices, 0.0, window)
        if not part.is_empty:
            yield part, np.where(_inside(part, vertices), 0.0, np.inf)


def _around(points: NDArray[np.float64], reach: float, window: Window) -> Window:
    """The part of `window` within `reach` of the points' bounding box."""
    left, top = (math.floor(value - reach) for value in points.min(axis=0).tolist())
    right, bottom = (math.ceil(value + reach) + 1 for value in points.max(axis=0).tolist())
    return intersection(Window(left, top, right - left, bottom - top), window)


def _centres(window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x as a row and y as a column of the pixels' centres, in absolute coordinates: no window may change a rounding."""
    x = np.arange(window.col, window.col_end, dtype=np.float64) + 0.5
    y = np.arange(window.row, window.row_end, dtype=np.float64) + 0.5
    return x, y[:, None]


def _segment_distance(window: Window, start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = _centres(window)
    along = end - start
    length2 = float(along @ along)
    if length2 == 0.0:
        return np.hypot(x - start[0], y - start[1])
    t = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length2, 0.0, 1.0)
    return np.hypot(x - (start[0] + t * along[0]), y - (start[1] + t * along[1]))


def _inside(window: Window, ring: NDArray[np.float64]) -> NDArray[np.bool_]:
    polygon = shapely.make_valid(shapely.Polygon(ring))
    shapely.prepare(polygon)
    x, y = np.broadcast_arrays(*_centres(window))
    return shapely.intersects_xy(polygon, x, y)
