"""All that a network is told besides the image: marks as `encode.py` has them, and side information.

Points of side information lie in pixels; those that share one are averaged. Channels are the normalised numbers, and 1
where there are any, for a number may be 0. A pixel's value depends on the points in it alone, so what holds of
`encode` holds here: of a sub-window it is the sub-window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np

from terrafine.models.encoding.context import Context
from terrafine.models.encoding.encode import Floats, encode
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window
from terrafine.shared.side import NOWHERE, SideFields, SideInformation
from terrafine.shared.spec import ModelSpec


def count(spec: ModelSpec) -> int:
    """How many channels a model has besides the image's: one a class for marks, and those of side information."""
    return len(spec.classes) + spec.side.channels


def channels_of(
    spec: ModelSpec,
    marks: Sequence[Annotation],
    window: Window,
    scale: float = 1.0,
    context: Optional[Context] = None,
    side: SideInformation = NOWHERE,
) -> Floats:
    """Marks and side information in `window`: float32 (count(spec), rows, columns); arguments as of `encode`."""
    marked = encode(marks, window, spec.encoding, len(spec.classes), scale, context)
    return np.concatenate([marked, side_channels(side, spec.side, window, scale)]) if spec.side.channels else marked


def side_channels(side: SideInformation, fields: SideFields, window: Window, scale: float = 1.0) -> Floats:
    """The points in `window`, float32 (fields.channels, rows, columns), 0 where there are none."""
    sums = np.zeros((fields.channels, *window.shape))
    if len(side):
        cols, rows = np.floor(side.points.astype(np.float64) * scale).astype(np.int64).T - [[window.col], [window.row]]
        inside = (rows >= 0) & (rows < window.height) & (cols >= 0) & (cols < window.width)
        numbers = (side.values[inside] - np.asarray(fields.mean)) / np.asarray(fields.std)
        for channel, values in zip(sums, (*numbers.T, np.ones(len(numbers)))):
            np.add.at(channel, (rows[inside], cols[inside]), values)
    return (sums / np.maximum(sums[-1:], 1.0)).astype(np.float32)
