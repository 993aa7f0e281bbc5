"""The round trip of a click: through a `terrafine serve` process, over ZeroMQ with CURVE, as an analyst has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from terrafine.models import registry
from terrafine.server.bench import floor
from terrafine.server.bench.place import place
from terrafine.server.demo import source
from terrafine.server.demo.live import Click, LiveMap, choose_model
from terrafine.server.rasters.raster_io import Raster, open_raster
from terrafine.server.zoo import known_folders
from terrafine.shared.annotation import Annotation
from terrafine.shared.client import Client
from terrafine.shared.geo import Window, slices
from terrafine.shared.spec import ModelSpec

COLD = 8
NETWORK = ("features", "decode")  # the stages in which the network itself computes
STROKE_LENGTH_PX, STROKE_WIDTH_PX = 120.0, 8.0


@dataclass(frozen=True)
class ClickFigures:
    """Times in seconds.

    first_map       classifying the whole raster, upload included
    clicks          round trips, seen by the client, on tiles that were looked at
    overheads       those of them less what the network computed
    cold            round trips of first marks in new sessions, where nothing is computed yet; the pixels are there
    strokes         those of them that placed a stroke
    stages          median seconds of each stage of the server's work; cold_stages: likewise of cold clicks
    floor           what a tile without marks would take at the machine's limit
    bytes_up        largest number of bytes sent for one click; bytes_down: received, on average
    changed_share   mean share of the raster that a click could change
    outside         pixels that changed outside of that window, over all clicks (0 is right)
    differs         pixels in which the refreshed map differs from the map from scratch (0 is right)
    """

    size_px: int
    first_map: float
    clicks: Sequence[float]
    overheads: Sequence[float]
    cold: Sequence[float]
    strokes: Sequence[float]
    stages: Mapping[str, float]
    cold_stages: Mapping[str, float]
    floor: float
    bytes_up: int
    bytes_down: float
    changed_share: float
    outside: int
    differs: int


@dataclass(frozen=True)
class _Run:
    """What was seen of a session; see ClickFigures. watched: each click, and the pixels that changed where none may."""

    window: Window
    marks: Sequence[Annotation]
    first_map: float
    watched: Sequence[tuple[Click, int]]
    cold: Sequence[Click]
    received: int
    differs: int


def measure_clicks(
    folder: Path, model: str, models: Path | None, size_px: int, count: int, seed: int, device: str = ""
) -> ClickFigures:
    """Classify a drawn scene of `size_px` pixels a side, then `count` marks at random places, each with a refresh."""
    origin = source.make_up(folder, size_px)
    with place(folder, models, device) as server, closing(server.connect()) as client:
        spec = choose_model(client, model)
        with open_raster(origin.raster, spec) as raster:
            run = _run(client, spec, raster, count, seed)
    return _figures(run, _floor(spec.name, models, device))


def _run(client: Client, spec: ModelSpec, raster: Raster, count: int, seed: int) -> _Run:
    window, classes = raster.info.grid.window, len(spec.classes)

    def opened() -> LiveMap:
        return LiveMap(client, spec.name, raster.info, window, raster.read)

    live = opened()
    first_map = live.classify(lambda done, total: None)
    marks = random_marks(window, classes, count, seed)
    received = client.bytes_received
    watched = [_watched(live, mark) for mark in tqdm(marks, desc="clicks", disable=None)]
    received = client.bytes_received - received
    scratch = opened()
    scratch.set_marks(marks)
    scratch.classify(lambda done, total: None)
    cold = [opened().mark(mark) for mark in random_marks(window, classes, COLD, seed + 1)]
    return _Run(window, marks, first_map, watched, cold, received, int((scratch.classes != live.classes).sum()))


def _figures(run: _Run, floor_s: float) -> ClickFigures:
    clicks = [click for click, _ in run.watched]
    return ClickFigures(
        size_px=run.window.width,
        first_map=run.first_map,
        clicks=[click.seconds for click in clicks],
        overheads=[click.seconds - sum(click.stages.get(name, 0.0) for name in NETWORK) for click in clicks],
        cold=[click.seconds for click in run.cold],
        strokes=[click.seconds for click, mark in zip(clicks, run.marks) if mark.kind == "stroke"],
        stages=_medians(clicks),
        cold_stages=_medians(run.cold),
        floor=floor_s,
        bytes_up=max(click.bytes_sent for click in clicks),
        bytes_down=run.received / len(clicks),
        changed_share=float(np.mean([click.changed.pixels for click in clicks])) / run.window.pixels,
        outside=sum(strayed for _, strayed in run.watched),
        differs=run.differs,
    )


def _medians(clicks: Sequence[Click]) -> dict[str, float]:
    return {name: float(np.median([click.stages[name] for click in clicks])) for name in clicks[0].stages}


def _floor(model: str, models: Path | None, device: str) -> float:
    folder = registry.find(model, known_folders([models] if models else []))
    predictor = registry.load_predictor(folder, device or "cpu")
    return floor.of_tile(predictor).seconds(floor.of_device(predictor))


def _watched(live: LiveMap, mark: Annotation) -> tuple[Click, int]:
    """Place a mark; also how many pixels changed outside of the window that it could change."""
    before = live.classes.copy()
    click = live.mark(mark)
    changed = before != live.classes
    changed[slices(click.changed, live.window)] = False
    return click, int(changed.sum())


def random_marks(window: Window, classes: int, count: int, seed: int) -> list[Annotation]:
    """Points, but every third mark is a stroke across its place."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, (window.width, window.height), (count, 2))
    return [
        random_mark(f"bench-{index}", place, index % 3 == 2, window, int(rng.integers(classes)), rng)
        for index, place in enumerate(places)
    ]


def random_mark(
    name: str, place: NDArray[np.float64], is_stroke: bool, window: Window, class_id: int, rng: np.random.Generator
) -> Annotation:
    if not is_stroke:
        return Annotation(name, "point", ((float(place[0]), float(place[1])),), class_id)
    angle = rng.uniform(0, 2 * np.pi)
    reach = STROKE_LENGTH_PX / 2 * np.array((np.cos(angle), np.sin(angle)))
    ends = np.clip(np.stack([place - reach, place + reach]), 0, (window.width, window.height))
    return Annotation(name, "stroke", tuple((float(x), float(y)) for x, y in ends), class_id, STROKE_WIDTH_PX)
