"""Colours of classes that any kind of colour vision tells apart: Paul Tol's schemes "bright" and "muted"."""

from __future__ import annotations

from itertools import product
from typing import Iterable, Sequence

COLORS = (
    "#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#332288",
    "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#bbbbbb",
)  # fmt: skip
MORE = tuple("#" + bytes(levels).hex() for levels in product(range(24, 241, 36), repeat=3))  # for very long legends
NEAR = 40**2  # two colours of that distance are hardly told apart


def fresh(used: Sequence[str]) -> str:
    """A colour far from all those in use, "#rrggbb" each: of the palette, or any where the palette is used up."""
    color = _farthest(COLORS, used)
    return color if not used or _to_nearest(color, used) > NEAR else _farthest(MORE, used)


def _farthest(colors: Iterable[str], used: Sequence[str]) -> str:
    return max(colors, key=lambda color: _to_nearest(color, used))


def _to_nearest(color: str, used: Sequence[str]) -> int:
    return min((_distance(color, other) for other in used), default=0)


def _distance(one: str, other: str) -> int:
    """Squared, between two colours in RGB."""
    return sum((a - b) ** 2 for a, b in zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:])))
