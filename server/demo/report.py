"""What the demonstration shows at the end: one picture and one table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from terrafine.models import metrics
from terrafine.shared.annotation import Annotation
from terrafine.shared.spec import NODATA_CLASS, LandCover

PANEL_PX, GAP_PX, TEXT_PX = 640, 16, 20
PAPER, INK = (255, 255, 255), (40, 40, 40)
Classes = NDArray[np.uint8]


@dataclass(frozen=True)
class Score:
    """Shares of 1, over the pixels that the truth speaks of; mIoU over the counted classes that occur in it."""

    accuracy: float
    miou: float


@dataclass(frozen=True)
class ClickCost:
    """What a mark costs: seconds until its last refreshed patch is there, bytes sent to the server."""

    p50_s: float
    p95_s: float
    bytes_mean: float
    bytes_max: int


@dataclass(frozen=True)
class Summary:
    """The table; `before` and `after` are None without truth, `click` where nothing was found to mark."""

    raster: str
    origin: str
    analyst: str
    model: str
    pixels: tuple[int, int]
    marks: int
    before: Optional[Score]
    after: Optional[Score]
    first_map_s: float
    click: Optional[ClickCost]
    warnings: tuple[str, ...] = ()


def score(prediction: Classes, truth: Classes, legend: Sequence[LandCover]) -> Score:
    """How right a map is; classes named "unlabelled …" count for nothing in the mean."""
    matrix = metrics.confusion(truth, prediction, len(legend))
    counted = [c.id for c in legend if not c.name.lower().startswith("unlabelled") and matrix[c.id].any()]
    return Score(metrics.accuracy(matrix), float(metrics.iou(matrix)[counted].mean()))


def write(summary: Summary, folder: Path) -> None:
    """summary.md for people and summary.json for programs."""
    (folder / "summary.json").write_text(json.dumps(asdict(summary), indent=2) + "\n", "utf-8")
    (folder / "summary.md").write_text(to_markdown(summary), "utf-8")


def to_markdown(summary: Summary) -> str:
    width, height = summary.pixels
    head = [
        f"- Raster: `{summary.raster}`, {width} x {height} pixels: {summary.origin}",
        f"- Model: {summary.model}",
        f"- Analyst: {summary.analyst}",
        *(f"- {warning}" for warning in summary.warnings),
        "",
        f"| | before | after {summary.marks} marks |",
        "|---|---|---|",
    ]
    return "\n".join(["# Terrafine demo", "", *head, *(f"| {' | '.join(row)} |" for row in _rows(summary)), ""])


def _rows(summary: Summary) -> Iterator[tuple[str, str, str]]:
    before, after, click = summary.before, summary.after, summary.click
    if before and after:
        yield "accuracy", f"{before.accuracy:.1%}", f"{after.accuracy:.1%}"
        yield "mIoU", f"{before.miou:.1%}", f"{after.miou:.1%}"
    yield "time to the map", f"{summary.first_map_s:.1f} s", ""
    if click:
        yield "time a click, p50", "", f"{click.p50_s:.2f} s"
        yield "time a click, p95", "", f"{click.p95_s:.2f} s"
        yield "bytes sent a click, mean", "", f"{click.bytes_mean:.0f}"
        yield "bytes sent a click, most", "", f"{click.bytes_max}"


def captions(summary: Summary) -> tuple[str, str, str, str]:
    """Captions of the picture's panels: image, marks, before, after."""
    image = "image (made up)" if summary.origin.startswith("MADE UP") else "image"
    if summary.before is None or summary.after is None:
        return image, f"{summary.marks} marks (scripted)", "before", "after"
    scores = [f"accuracy {at.accuracy:.1%}, mIoU {at.miou:.1%}" for at in (summary.before, summary.after)]
    return image, f"{summary.marks} marks", f"before: {scores[0]}", f"after: {scores[1]}"


def draw(
    image: NDArray[np.float32],
    before: Classes,
    after: Classes,
    marks: Sequence[Annotation],
    legend: Sequence[LandCover],
    captions: Sequence[str],
) -> Image.Image:
    """Four panels: the image and the marks on it, the map before and after; the legend below.

    image          float32 (bands, rows, columns) in [0, 1]; the first three are shown, or one in grey
    before, after  uint8 (rows, columns)
    marks          in pixels of these arrays
    captions       of image, marks, before, after
    """
    shown_bands = image[[0, 1, 2] if len(image) > 2 else [0, 0, 0]]
    photo = Image.fromarray((shown_bands.transpose(1, 2, 0) * 255).astype(np.uint8))
    scale = PANEL_PX / max(photo.size)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    shown = photo.resize(size, Image.Resampling.LANCZOS)
    maps = [_coloured(classes, legend).resize(size, Image.Resampling.BOX) for classes in (before, after)]
    panels = [shown, _with_marks(shown, marks, legend, scale), *maps]
    return _sheet(panels, captions, legend)


def _coloured(classes: Classes, legend: Sequence[LandCover]) -> Image.Image:
    colours = np.full((256, 3), PAPER, np.uint8)
    for entry in legend:
        colours[entry.id] = _rgb(entry.color)
    colours[NODATA_CLASS] = PAPER
    return Image.fromarray(colours[classes])


def _with_marks(
    photo: Image.Image, marks: Sequence[Annotation], legend: Sequence[LandCover], scale: float
) -> Image.Image:
    panel = Image.blend(photo, Image.new("RGB", photo.size, PAPER), 0.35)
    brush = ImageDraw.Draw(panel)
    for mark in marks:
        for x, y in mark.vertices:
            for radius, colour in ((10, INK), (8, PAPER), (6, _rgb(legend[mark.class_id].color))):
                brush.ellipse(_circle(x * scale, y * scale, radius), fill=colour)
    return panel


def _sheet(panels: Sequence[Image.Image], captions: Sequence[str], legend: Sequence[LandCover]) -> Image.Image:
    width, height = panels[0].size
    step = (width + GAP_PX, height + 2 * TEXT_PX + GAP_PX)
    sheet = Image.new("RGB", (2 * step[0] + GAP_PX, 2 * step[1] + 3 * TEXT_PX), PAPER)
    brush, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT_PX)
    for index, (panel, caption) in enumerate(zip(panels, captions)):
        left, top = GAP_PX + index % 2 * step[0], GAP_PX + index // 2 * step[1]
        brush.text((left, top), caption, INK, font)
        sheet.paste(panel, (left, top + round(1.6 * TEXT_PX)))
    left, top = GAP_PX, sheet.height - 2 * TEXT_PX
    for entry in legend:
        brush.rectangle((left, top, left + TEXT_PX, top + TEXT_PX), fill=_rgb(entry.color), outline=INK)
        brush.text((left + 1.5 * TEXT_PX, top), entry.name, INK, font)
        left += round(3 * TEXT_PX + font.getlength(entry.name))
    return sheet


def _circle(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
