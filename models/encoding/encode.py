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
from itertools import chain
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from terrafine.models.encoding.cells import Cells, measured
from terrafine.models.encoding.context import IN_CONTEXT, Context
from terrafine.models.encoding.lines import Indices, Lines, interiors
from terrafine.models.encoding.marks import POINT, Columns, Marks
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window, slices
from terrafine.shared.spec import EncodingSpec

UNMARKED = -1
HAIRLINE_PX = 1.0  # a stroke obeys on a line at least one pixel wide
ON_EDGE = 1e-9  # of a pixel: a centre so near to a mark's border lies on it, whatever the roundings
SHARP = ("binary", "onehot")  # encodings of 0 and 1, whose edges tell every rounding
BATCH_PX = 1 << 16  # around points that are computed at once: they fit into the processor's cache

Floats = NDArray[np.float32]


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
    columns = Marks.of(marks).columns
    columns = columns.where(columns.class_ids < classes)
    channels = Cells.zeros(classes, window, np.float32)
    _reach_of_shapes(channels, columns, spec, scale)
    if spec.kind == "onehot":
        places, rows, cols = _point_pixels(columns, window, scale)
        channels.image[columns.class_ids[places], rows, cols] = 1.0
    else:
        _reach_of_points(channels.image, columns, window, spec, scale)
    found = np.ascontiguousarray(channels.image)
    return _in_context(found, spec, context) if spec.kind in IN_CONTEXT else found


def _reach_of_shapes(channels: Cells, columns: Columns, spec: EncodingSpec, scale: float) -> None:
    """Write f(d) of strokes and polygons."""
    lines, class_ids = _shapes(columns, scale, spec.kind == "onehot"), columns.class_ids.astype(np.int64)
    dtype = np.float64 if spec.kind in SHARP else np.float32
    for _, keys, distances in measured(channels, lines, class_ids[lines.owners], _reach(spec), True, dtype):
        channels.raise_to(keys, _falloff(distances, spec))
    for places, rows, cols in interiors(columns, scale, channels.window):
        channels.image[class_ids[places], rows, cols] = 1.0


def _reach_of_points(channels: Floats, columns: Columns, window: Window, spec: EncodingSpec, scale: float) -> None:
    """Write f(d) of the points, many at once: alone, most of a point's time would be Python's.

    Each has a square of pixels around it. What is subtracted is absolute: no window may change a rounding.
    """
    side = math.floor(2 * spec.radius_px) + 1  # pixels in a row whose centres can lie within reach
    is_point = columns.kinds == POINT
    xs, ys = (columns.vertices[np.repeat(is_point, columns.counts)] * scale).T
    cols, rows = (np.ceil(values - 0.5 - spec.radius_px).astype(np.int64) for values in (xs, ys))
    class_ids, steps = columns.class_ids[is_point], np.arange(side) + 0.5
    near = (cols < window.col_end) & (cols + side > window.col) & (rows < window.row_end) & (rows + side > window.row)
    for some in _batches(np.flatnonzero(near), max(1, BATCH_PX // side**2)):
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


def marked_pixels(marks: Sequence[Annotation], window: Window) -> NDArray[np.int16]:
    """Return the class of every raster pixel that a mark covers, int16 (rows, columns), UNMARKED (−1) elsewhere."""
    marked = np.full(window.shape, np.int16(UNMARKED))
    obey(marked, marks, window)
    return marked


def obey(classes: NDArray[Any], marks: Sequence[Annotation], window: Window) -> None:
    """Write the class of every raster pixel that a mark covers into `classes`, (rows, columns) of `window`.

    A point covers the pixel it lies in, a stroke the pixels whose centres lie within half its width, a polygon those
    whose centres it holds. Later marks win.
    """
    columns, part = _within(Marks.of(marks).columns, window)
    if part.is_empty:
        return
    newest = Cells.zeros(1, part, np.int32)  # the number, from 1, of the last mark on each pixel
    lines, (image,) = _shapes(columns, 1.0, True), newest.image
    for some, keys, distances in measured(newest, lines, np.zeros_like(lines.owners), ON_EDGE, False, np.float64):
        numbers = lines.owners[some].astype(np.int32)[:, None, None] + 1
        newest.raise_to(keys, np.where(distances <= ON_EDGE, numbers, 0))
    for places, rows, cols in chain(interiors(columns, 1.0, part), [_point_pixels(columns, part, 1.0)]):
        image[rows, cols] = np.maximum(image[rows, cols], places + 1)  # they come in their order: the last is kept
    is_marked = image > 0
    classes[slices(part, window)][is_marked] = columns.class_ids[image[is_marked] - 1]


def _within(columns: Columns, window: Window) -> tuple[Columns, Window]:
    """The marks that may cover a raster pixel of `window`, and the part of it that these may cover."""
    lows, highs = columns.boxes(HAIRLINE_PX)
    corner, end = np.array([[window.col, window.row], [window.col_end, window.row_end]])
    firsts, ends = np.floor(np.maximum(lows, corner)), np.floor(np.minimum(highs, end - 1)) + 1
    is_near = (firsts < ends).all(axis=1)
    if not is_near.any():
        return columns.where(is_near), Window(window.col, window.row, 0, 0)
    (col, row), (col_end, row_end) = firsts[is_near].min(axis=0), ends[is_near].max(axis=0)
    return columns.where(is_near), Window(int(col), int(row), int(col_end - col), int(row_end - row))


def _shapes(columns: Columns, scale: float, is_cover: bool) -> Lines:
    """The lines of strokes, as wide as they reach or, for what they cover, as they obey; the borders of polygons."""
    lines = Lines.of(columns, scale, HAIRLINE_PX if is_cover else 0.0)
    return lines[np.flatnonzero(columns.kinds[lines.owners] != POINT)]


def _falloff(distances: NDArray[np.floating[Any]], spec: EncodingSpec) -> Floats:
    if spec.kind in SHARP:
        return (distances <= _reach(spec)).astype(np.float32)
    values = distances / -spec.radius_px
    values += 1.0
    return np.maximum(values, 0.0, out=values).astype(np.float32, copy=False)


def _reach(spec: EncodingSpec) -> float:
    """From a mark's border, in model pixels."""
    return (0.0 if spec.kind == "onehot" else spec.radius_px) + ON_EDGE


def _point_pixels(columns: Columns, window: Window, scale: float) -> tuple[Indices, Indices, Indices]:
    """Of the points that lie in the window, in their order: their places among the marks, rows and columns."""
    vertices = columns.vertices[np.repeat(columns.kinds == POINT, columns.counts)] * scale
    cols, rows = (np.floor(vertices).astype(np.int64) - (window.col, window.row)).T
    inside = (rows >= 0) & (rows < window.height) & (cols >= 0) & (cols < window.width)
    return np.flatnonzero(columns.kinds == POINT)[inside], rows[inside], cols[inside]


def _batches(items: Indices, size: int) -> Iterator[Indices]:
    return (items[start : start + size] for start in range(0, len(items), size))
