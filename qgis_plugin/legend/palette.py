"""Colours of classes that any kind of colour vision tells apart: Paul Tol's schemes "bright" and "muted"."""

from __future__ import annotations

from typing import Sequence

COLORS = (
    "#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#332288",
    "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#bbbbbb",
)  # fmt: skip


def fresh(used: Sequence[str]) -> str:
    """The colour of the palette that is farthest from all those in use, "#rrggbb" each."""
    return max(COLORS, key=lambda color: min((_distance(color, other) for other in used), default=0))


def _distance(one: str, other: str) -> int:
    """Squared, between two colours in RGB."""
    return sum((a - b) ** 2 for a, b in zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:])))
