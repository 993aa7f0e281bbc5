"""Charts for reports, as inline SVG: legible in print, and with their numbers written out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Sequence

from terrafine.qgis_plugin.language import significant

ROW, LABELS, PLOT, NUMBERS = 34, 150, 360, 150  # pixels: a class's row, and the three columns
INK, QUIET, GRID = "#222222", "#666666", "#dddddd"
CELL, HEAD = 62, 120  # of the matrix


@dataclass(frozen=True)
class Bar:
    """A value with its margin either side, NaN for none, in a colour."""

    label: str
    color: str
    value: float
    margin: float


def bars(title: str, rows: Sequence[Sequence[Bar]], largest: float, unit: str) -> str:
    """One row for each class, one bar for each of its values, with the confidence interval as a line."""
    height = ROW * len(rows) + 40
    parts = [text(0, 16, title, weight="bold")]
    for step in range(5):
        x = LABELS + PLOT * step / 4
        parts.append(f'<line x1="{x}" y1="26" x2="{x}" y2="{height - 14}" stroke="{GRID}"/>')
        parts.append(
            text(x, height - 2, significant(largest * step / 4, 4) + unit, anchor="middle", color=QUIET, size=10)
        )
    for number, row in enumerate(rows):
        parts.append(_row(row, 30 + ROW * number, largest, unit))
    return svg(LABELS + PLOT + NUMBERS, height, title, parts)


def matrix(title: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Counts, map classes down and reference classes across; the darker, the larger a share of its row."""
    side = HEAD + CELL * len(names)
    parts = [text(0, 16, title, weight="bold")]
    for number, name in enumerate(names):
        place = HEAD + CELL * (number + 0.5)
        parts.append(text(HEAD - 8, place + 4, shortened(name, 16), anchor="end"))
        turned = f'transform="rotate(-45 {place} {HEAD - 8})"'
        parts.append(text(place, HEAD - 8, shortened(name, 14), extra=turned))
    for row, line in enumerate(counts):
        parts += [_cell(row, col, value, value / max(1, sum(line)), row == col) for col, value in enumerate(line)]
    return svg(side + 80, side + 4, title, parts)


def round_up(value: float) -> float:
    """The next number that looks good at the end of an axis."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 6, 8, 10) if power * step >= value * (1 - 1e-9))


def svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">\n{body}\n</svg>'
    )


def text(
    x: float,
    y: float,
    words: str,
    anchor: str = "start",
    color: str = INK,
    size: int = 12,
    weight: str = "normal",
    extra: str = "",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}" font-size="{size}" '
        f'font-weight="{weight}" {extra}>{escape(words)}</text>'
    )


def shortened(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _row(row: Sequence[Bar], top: float, largest: float, unit: str) -> str:
    thick = (ROW - 8) / len(row)
    parts = [text(LABELS - 8, top + ROW / 2, shortened(row[0].label, 20), anchor="end")]
    for number, bar in enumerate(row):
        y = top + thick * number
        if not math.isnan(bar.value):
            parts.append(_bar(bar, y, thick, largest))
        parts.append(text(LABELS + PLOT + 12, y + thick - 2, _words(bar, unit), size=11))
    return "\n".join(parts)


def _bar(bar: Bar, y: float, thick: float, largest: float) -> str:
    scale, middle = PLOT / largest, y + thick / 2
    drawn = f'<rect x="{LABELS}" y="{y + 1:.1f}" width="{bar.value * scale:.1f}" height="{thick - 2:.1f}" '
    drawn += f'fill="{bar.color}" stroke="{QUIET}" stroke-width="0.5"/>'
    if math.isnan(bar.margin):
        return drawn
    low, high = (
        LABELS + scale * min(max(end, 0.0), largest) for end in (bar.value - bar.margin, bar.value + bar.margin)
    )
    ends = "".join(f"M{x:.1f} {middle - 4:.1f}V{middle + 4:.1f}" for x in (low, high))
    return drawn + f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}{ends}" stroke="{INK}" fill="none"/>'


def _words(bar: Bar, unit: str) -> str:
    if math.isnan(bar.value):
        return "–"
    value = significant(bar.value, 4) + unit
    return value if math.isnan(bar.margin) else f"{value} ± {significant(bar.margin, 3)}"


def _cell(row: int, col: int, count: int, share: float, agrees: bool) -> str:
    x, y = HEAD + CELL * col, HEAD + CELL * row
    ink = "#ffffff" if share > 0.6 else INK
    fill = "#1b7837" if agrees else "#b2182b"
    box = f'<rect x="{x}" y="{y}" width="{CELL - 2}" height="{CELL - 2}" fill="{fill}" fill-opacity="{share:.2f}" '
    box += f'stroke="{GRID}"/>'
    return box + text(x + CELL / 2 - 1, y + CELL / 2 + 4, str(count), anchor="middle", color=ink)
