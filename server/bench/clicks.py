"""What `terrafine bench` measures: the round trip of a click, and the memory of a very large raster.

Everything runs through the programs that users run: a `terrafine serve` process over ZeroMQ, a `terrafine predict`
process on a file.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from tqdm import tqdm

from terrafine.server.demo import scene, source
from terrafine.server.demo.live import Click, LiveMap, choose_model, connect, local_server
from terrafine.server.rasters.raster_io import open_raster
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window, slices

SCENE_PX = 1536
STROKE_LENGTH_PX, STROKE_WIDTH_PX = 120.0, 8.0


@dataclass(frozen=True)
class ClickFigures:
    """Times in seconds.

    first_map       classifying the whole raster, upload included
    clicks          round trips, seen by the client
    strokes         those of them that placed a stroke
    stages          median seconds of each stage of the server's work
    bytes_up        largest number of bytes sent for one click
    changed_share   mean share of the raster that a click could change
    outside         pixels that changed outside of that window, over all clicks (0 is right)
    differs         pixels in which the refreshed map differs from the map from scratch (0 is right)
    """

    size_px: int
    first_map: float
    clicks: Sequence[float]
    strokes: Sequence[float]
    stages: Mapping[str, float]
    bytes_up: int
    changed_share: float
    outside: int
    differs: int


def measure_clicks(folder: Path, model: str, models: Path | None, size_px: int, count: int, seed: int) -> ClickFigures:
    """Classify a drawn scene of `size_px` pixels a side, then `count` marks at random places, each with a refresh."""
    origin = source.make_up(folder, size_px)
    with local_server(folder / "server.log", models) as address, closing(connect(address)) as client:
        spec = choose_model(client, model)
        with open_raster(origin.raster, spec) as raster:
            window = raster.info.grid.window
            live = LiveMap(client, model, raster.info, window, raster.read)
            first_map = live.classify(lambda done, total: None)
            marks = _random_marks(window, len(spec.classes), count, seed)
            clicks, outside = [], 0
            for mark in tqdm(marks, desc="clicks", disable=None):
                click, strayed = _watched(live, mark)
                clicks.append(click)
                outside += strayed
            scratch = LiveMap(client, model, raster.info, window, raster.read)
            scratch.set_marks(marks)
            scratch.classify(lambda done, total: None)
    return ClickFigures(
        size_px=size_px,
        first_map=first_map,
        clicks=[click.seconds for click in clicks],
        strokes=[click.seconds for click, mark in zip(clicks, marks) if mark.kind == "stroke"],
        stages={name: float(np.median([click.stages[name] for click in clicks])) for name in clicks[0].stages},
        bytes_up=max(click.bytes_sent for click in clicks),
        changed_share=float(np.mean([click.changed.pixels for click in clicks])) / window.pixels,
        outside=outside,
        differs=int((scratch.classes != live.classes).sum()),
    )


def _watched(live: LiveMap, mark: Annotation) -> tuple[Click, int]:
    """Place a mark; also how many pixels changed outside of the window that it could change."""
    before = live.classes.copy()
    click = live.mark(mark)
    changed = before != live.classes
    changed[slices(click.changed, live.window)] = False
    return click, int(changed.sum())


def _random_marks(window: Window, classes: int, count: int, seed: int) -> list[Annotation]:
    """Points, but every third mark is a stroke across its place."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, (window.width, window.height), (count, 2))
    return [
        _random_mark(f"bench-{index}", place, index % 3 == 2, window, int(rng.integers(classes)), rng)
        for index, place in enumerate(places)
    ]


def _random_mark(
    name: str, place: NDArray[np.float64], is_stroke: bool, window: Window, class_id: int, rng: np.random.Generator
) -> Annotation:
    if not is_stroke:
        return Annotation(name, "point", ((float(place[0]), float(place[1])),), class_id)
    angle = rng.uniform(0, 2 * np.pi)
    reach = STROKE_LENGTH_PX / 2 * np.array((np.cos(angle), np.sin(angle)))
    ends = np.clip(np.stack([place - reach, place + reach]), 0, (window.width, window.height))
    return Annotation(name, "stroke", tuple((float(x), float(y)) for x, y in ends), class_id, STROKE_WIDTH_PX)


@dataclass(frozen=True)
class RasterFigures:
    """Classifying one file: seconds, peak memory of the process in GB (10⁹ bytes), and what came out."""

    size_px: int
    seconds: float
    peak_gb: float
    tiled: bool
    compression: str
    overviews: Sequence[int]
    output_mb: float


def measure_raster(folder: Path, model: str, models: Path | None, size_px: int) -> RasterFigures:
    """Write an RGB raster of `size_px` pixels a side and classify it with `terrafine predict`."""
    raster, result = folder / "large.tif", folder / "map.tif"
    write_large(raster, size_px)
    command = [sys.executable, "-m", "terrafine.server.cli", "predict", str(raster), str(result), "--model", model]
    started = time.perf_counter()
    peak_gb = _run_and_watch(command + (["--models", str(models)] if models else []))
    seconds = time.perf_counter() - started
    with rasterio.open(result) as dataset:
        return RasterFigures(
            size_px, seconds, peak_gb, dataset.profile["tiled"], dataset.compression.value,
            dataset.overviews(1), result.stat().st_size / 1e6,
        )  # fmt: skip


def _run_and_watch(command: Sequence[str]) -> float:
    """Run a process to its end; returns the most memory that it held, in GB."""
    try:
        import resource
    except ImportError as error:
        raise TerrafineError("Peak memory can be measured on Linux and macOS only.") from error
    if subprocess.run(command, check=False).returncode != 0:
        raise TerrafineError(f"'{' '.join(command)}' failed.")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e9


def write_large(path: Path, size_px: int) -> None:
    """The drawn scene, repeated over a tiled JPEG GeoTIFF of three bands."""
    drawn = scene.draw(SCENE_PX).image
    profile = {
        "driver": "GTiff", "width": size_px, "height": size_px, "count": 3, "dtype": "uint8", "tiled": True,
        "blockxsize": 512, "blockysize": 512, "compress": "jpeg", "photometric": "ycbcr", "interleave": "pixel",
        "crs": source.NOWHERE, "transform": rasterio.Affine(scene.GSD_M, 0, 500_000, 0, -scene.GSD_M, 0),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        for top in range(0, size_px, SCENE_PX):
            for left in range(0, size_px, SCENE_PX):
                rows, cols = min(SCENE_PX, size_px - top), min(SCENE_PX, size_px - left)
                place = rasterio.windows.Window(left, top, cols, rows)
                dataset.write(drawn[:, :rows, :cols], window=place)
