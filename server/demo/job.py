"""The main job from end to end, as the analyst's side of the protocol sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from terrafine.models.normalise import to_unit
from terrafine.models.simulate import moved
from terrafine.server.demo import report, source
from terrafine.server.demo.analyst import Analyst, scripted_truth
from terrafine.server.demo.live import Click, LiveMap, choose_model, connect, local_server
from terrafine.server.demo.source import Source
from terrafine.server.rasters.map_writer import Layer, MapWriter
from terrafine.server.rasters.raster_io import Raster, open_raster
from terrafine.shared.annotation import Annotation
from terrafine.shared.client import Client
from terrafine.shared.geo import Window
from terrafine.shared.spec import NODATA_CLASS, ModelSpec

LARGEST_PX = 2048  # of a larger raster, the middle is classified
KNOWING = "simulated: knows the truth, marks the deepest point of the largest mistake"
SCRIPTED = "scripted: without truth, marks what looks doubtful to the model with the class of its sure surroundings"


@dataclass(frozen=True)
class Outcome:
    """Everything that the demonstration found; marks are in pixels of the window's arrays."""

    spec: ModelSpec
    window: Window
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    truth: Optional[NDArray[np.uint8]]
    marks: Sequence[Annotation]
    first_map_s: float
    clicks: Sequence[Click]
    warnings: Sequence[str]


def run(origin: Source, folder: Path, marks: int, model: str = "", models: Optional[Path] = None) -> report.Summary:
    """Classify, mark and refine; write before.tif, after.tif, demo.png, summary.md and summary.json into `folder`."""
    with local_server(folder / "server.log", models) as address:
        client = connect(address)
        try:
            spec = choose_model(client, model)
            with open_raster(origin.raster, spec) as opened:
                outcome = _refine(client, spec, opened, origin.truth, marks)
                summary = _summary(origin, outcome)
                _write(folder, opened, outcome, summary)
        finally:
            client.close()
    return summary


def _refine(client: Client, spec: ModelSpec, raster: Raster, labels: Optional[Path], count: int) -> Outcome:
    grid = raster.info.grid
    window = middle(grid.window)
    labelled = source.read_truth(labels, window, (grid.width, grid.height), len(spec.classes)) if labels else None
    live = LiveMap(client, spec.name, raster.info, window, raster.read)
    with tqdm(desc="classify", unit="tile", disable=None) as bar:
        first_map_s = live.classify(lambda done, total: _show(bar, done, total))
    before = live.classes.copy()
    truth = None if labelled is None else np.where(before == NODATA_CLASS, np.uint8(NODATA_CLASS), labelled)
    analyst = Analyst(truth if truth is not None else scripted_truth(before, live.uncertainty))
    marks, clicks = _mark(live, analyst, count)
    return Outcome(spec, window, before, live.classes, truth, marks, first_map_s, clicks, live.warnings)


def _mark(live: LiveMap, analyst: Analyst, count: int) -> tuple[list[Annotation], list[Click]]:
    marks: list[Annotation] = []
    clicks: list[Click] = []
    for _ in tqdm(range(count), desc="mark and refine", unit="mark", disable=None):
        mark = analyst.next_mark(live.classes)
        if mark is None:
            break
        marks.append(mark)
        clicks.append(live.mark(moved(mark, live.window.col, live.window.row)))
    return marks, clicks


def middle(window: Window) -> Window:
    """The middle of a window, at most LARGEST_PX pixels a side."""
    width, height = min(window.width, LARGEST_PX), min(window.height, LARGEST_PX)
    return Window(window.col + (window.width - width) // 2, window.row + (window.height - height) // 2, width, height)


def _show(bar: tqdm, done: int, total: int) -> None:
    bar.total, bar.n = total, done
    bar.refresh()


def _summary(origin: Source, outcome: Outcome) -> report.Summary:
    legend, truth = outcome.spec.classes, outcome.truth
    return report.Summary(
        raster=origin.raster.name,
        origin=origin.origin,
        analyst=SCRIPTED if truth is None else KNOWING,
        model=f"{outcome.spec.name} ({outcome.spec.title})",
        pixels=(outcome.window.width, outcome.window.height),
        marks=len(outcome.marks),
        before=None if truth is None else report.score(outcome.before, truth, legend),
        after=None if truth is None else report.score(outcome.after, truth, legend),
        first_map_s=outcome.first_map_s,
        click=_cost(outcome.clicks) if outcome.clicks else None,
        warnings=tuple(outcome.warnings),
    )


def _cost(clicks: Sequence[Click]) -> report.ClickCost:
    p50_s, p95_s = np.percentile([click.seconds for click in clicks], (50, 95))
    sent = [click.bytes_sent for click in clicks]
    return report.ClickCost(float(p50_s), float(p95_s), float(np.mean(sent)), max(sent))


def _write(folder: Path, raster: Raster, outcome: Outcome, summary: report.Summary) -> None:
    for name, classes in (("before", outcome.before), ("after", outcome.after)):
        layer = Layer("land cover", outcome.spec.classes)
        with MapWriter(folder / f"{name}.tif", raster.info.grid, raster.georeference, layer) as writer:
            writer.write(outcome.window, classes)
    image = to_unit(raster.read(outcome.window).array, raster.info)
    picture = report.draw(
        image, outcome.before, outcome.after, outcome.marks, outcome.spec.classes, report.captions(summary)
    )
    picture.save(folder / "demo.png", optimize=True)
    report.write(summary, folder)
