"""A Ray cluster on this machine, one worker pinned to each of two cores: what the second adds, and what Ray takes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.server.bench import units
from terrafine.server.bench.nodes import two_nodes
from terrafine.server.bench.raster import write_large
from terrafine.server.cluster import fleet
from terrafine.server.cluster.batch import Batch
from terrafine.server.cluster.blocks import Column, Schedule, Task, columns
from terrafine.server.cluster.link import linked, ray
from terrafine.server.cluster.maps import MapJob
from terrafine.server.process.child import EngineOptions
from terrafine.server.rasters.raster_io import open_raster
from terrafine.server.rasters.tiling import tiling_of
from terrafine.shared.raster import RasterInfo

ROUNDS = 3
RASTERS = 6  # of a folder that is classified
CALLS = 300


@dataclass(frozen=True)
class ClusterFigures:
    """Tiles a second of one worker and of two, medians of the rounds, and of single batches (blocks) in seconds.

    gain      two ÷ one
    possible  the same of what the workers themselves took: cores share caches and memory, whatever hands out the work
    batch     that a worker took for a batch of `batch_tiles`, alone; overhead: what it took beyond that until its
              patches were there
    call      and back, of nothing; calls_a_second: many at once, from one program to two workers
    units     what else the model behind docs/scale.md is made of
    """

    tiles: int
    one: float
    two: float
    gain: float
    possible: float
    batch_tiles: int
    batch: float
    overhead: float
    call: float
    calls_a_second: float
    units: units.UnitCosts


def measure_cluster(folder: Path, model: Path, models: Sequence[Path], size_px: int) -> ClusterFigures:
    """ROUNDS times a folder of rasters of `size_px` pixels a side, by one worker and by both in turn.

    model, models  the model's folder, and those that workers find it in beside the zoo
    """
    predictor = registry.load_predictor(model, "cpu")
    large = folder / "large.tif"
    write_large(large, size_px)
    with open_raster(large, predictor.spec) as raster:
        rasters = _Rasters(folder, large, raster.info, predictor, tuple(path.resolve() for path in models))
    with _two_workers() as workers:
        _run(workers, rasters.columns(len(workers)))  # the first call of anything takes longer
        runs = [[_run(crew, rasters.columns(RASTERS)) for crew in (workers[:1], workers)] for _ in range(ROUNDS)]
        overhead = _overhead(workers[0], rasters)
        call, calls_a_second = _calls(workers)
    ones, twos = zip(*runs)
    one, two = (rasters.tiles * RASTERS / float(np.median([run.seconds for run in each])) for each in (ones, twos))
    alone, beside = (float(np.median([block for run in each for block in run.blocks])) for each in (ones, twos))
    return ClusterFigures(
        rasters.tiles * RASTERS, one, two, two / one, 2 * alone / beside, rasters.tiles // rasters.blocks, alone,
        overhead, call, calls_a_second, units.measure_units(folder, large),
    )  # fmt: skip


class _Rasters:
    """Makes as many rasters as are wanted that no worker has seen: new names of one file."""

    def __init__(
        self, folder: Path, file: Path, info: RasterInfo, predictor: Predictor, models: tuple[Path, ...]
    ) -> None:
        self._folder, self._file, self._info, self._models = folder, file, info, models
        self._name = predictor.spec.name
        self._count = 0
        self._lattice, _ = tiling_of(info.grid, predictor.spec)
        self.tiles = len(self._lattice.grid.plan(self._lattice.model_window))
        self.blocks = sum(len(column.tasks) for column in self.columns(1))

    def columns(self, count: int) -> list[Column]:
        """The columns of `count` new rasters."""
        return [column for _ in range(count) for column in columns(self._lattice, self._job())]

    def _job(self) -> MapJob:
        self._count += 1
        path = self._folder / f"raster-{self._count}.tif"
        os.link(self._file, path)
        return MapJob(path, self._info, self._name, self._models)


@dataclass(frozen=True)
class _Run:
    seconds: float
    blocks: tuple[float, ...]  # seconds of each, as the workers took them


def _run(workers: Sequence[Any], columns: Sequence[Column]) -> _Run:
    started = time.perf_counter()
    blocks = tuple(block.seconds for _, block in Batch(workers, Schedule(iter(columns))).blocks())
    return _Run(time.perf_counter() - started, blocks)


def _overhead(worker: Any, rasters: _Rasters) -> float:
    """Seconds of a batch that its worker did not take, with nothing ahead of it; median."""
    (column,) = rasters.columns(1)
    return float(np.median([_beyond(worker, task) for task in column.tasks]))


def _beyond(worker: Any, task: Task) -> float:
    started = time.perf_counter()
    block = ray.get(worker.block.remote(task.job, task.block, task.finished))
    return time.perf_counter() - started - float(block.seconds)


def _calls(workers: Sequence[Any]) -> tuple[float, float]:
    """(seconds of a call, calls a second where none waits for another)"""
    alone = []
    for _ in range(CALLS):
        started = time.perf_counter()
        ray.get(workers[0].beat.remote())
        alone.append(time.perf_counter() - started)
    started = time.perf_counter()
    ray.get([worker.beat.remote() for _ in range(CALLS) for worker in workers])
    return float(np.median(alone)), len(workers) * CALLS / (time.perf_counter() - started)


@contextmanager
def _two_workers() -> Iterator[list[Any]]:
    """Each on a node of its own."""
    with two_nodes() as address, linked(address):
        workers = fleet.started(EngineOptions(device="cpu", threads=1))
        ray.get([worker.beat.remote() for worker in workers])
        yield workers


def table(figures: ClusterFigures) -> str:
    share, costs = figures.overhead / figures.batch, figures.units
    rows = {
        f"a folder of {RASTERS} rasters, {figures.tiles} tiles": "",
        "---": "---",
        "one worker, two": f"{figures.one:.2f}, {figures.two:.2f} tiles/s",
        "gain of the second": f"{figures.gain:.2f} ×",
        "what the cores themselves allow": f"{figures.possible:.2f} ×",
        f"a batch of {figures.batch_tiles} tiles, in its worker": f"{1000 * figures.batch:.0f} ms",
        "what Ray takes beyond that": f"{1000 * figures.overhead:.1f} ms, {100 * share:.2f} %",
        "a call and back": f"{1000 * figures.call:.2f} ms",
        "calls a second, many at once": f"{figures.calls_a_second:.0f}",
        **{f"messages a second, {n} engines": f"{rate:.0f}" for n, rate in costs.messages.items()},
        "reading a core, three bands in JPEG": f"{costs.read:.1f} Mpx/s, {costs.read_bytes:.3f} B/px",
        "writing a map with overviews": f"{costs.written:.1f} Mpx/s, {costs.map_bytes:.3f} B/px",
    }
    return "\n".join(f"| {name} | {value} |" for name, value in rows.items())
