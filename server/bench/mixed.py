"""What analysts' clicks cost on a cluster of two workers, alone and while both make whole maps for somebody else."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Optional

import numpy as np
from tqdm import tqdm

from terrafine.server.bench.clicks import random_marks
from terrafine.server.bench.nodes import two_nodes
from terrafine.server.bench.place import Place, place
from terrafine.server.bench.raster import write_large
from terrafine.server.demo import source
from terrafine.server.demo.live import LiveMap, choose_model
from terrafine.server.gateway.admin import ask
from terrafine.server.rasters.raster_io import open_raster
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import TerrafineError

ALONE = "nothing"
LARGE_PX = 16_384  # a side of the whole raster: so large that it is not done before the clicks are
LOOK_S = 0.5
BEGUN_BYTES = 500_000  # of patches, after which a map is in the middle of being made
PATIENCE_S = 300.0  # until then


@dataclass(frozen=True)
class MixedFigures:
    """By what the workers did beside: seconds of each click, from the mark to the last refreshed patch, and how many
    blocks of whole maps they made a second meanwhile.
    """

    clicks: Mapping[str, Sequence[float]]
    blocks: Mapping[str, float]


def measure_mixed(
    folder: Path, model: str, models: Optional[Path], size_px: int, count: int, seed: int
) -> MixedFigures:
    """`count` warm clicks in a drawn scene of `size_px` pixels a side, alone and beside each kind of load."""
    drawn, large = source.make_up(folder, size_px).raster, folder / "large.tif"
    write_large(large, LARGE_PX)
    with two_nodes() as ray:
        options = ["--ray", ray, "--threads", "1", "--state-dir", str(folder / "state"), "--data-root", str(folder)]
        with place(folder, models, "cpu", 2, options) as server, closing(server.connect()) as client:
            spec = choose_model(client, model)
            with open_raster(drawn, spec) as raster:
                window = raster.info.grid.window
                live = LiveMap(client, spec.name, raster.info, window, raster.read)
                live.classify(lambda done, total: None)
                loads = _loads(folder, large, server, ray, spec.name, models)
                marks = random_marks(window, len(spec.classes), count * (1 + len(loads)), seed)
                return _Team(folder, live, iter(marks), count).measured(loads)


def _loads(
    folder: Path, large: Path, server: Place, ray: str, model: str, models: Optional[Path]
) -> Mapping[str, Sequence[str]]:
    """Words of `terrafine predict`, by what they are."""
    named = ["--model", model, *(["--models", str(models)] if models else [])]
    keys = ["--server-key", str(folder / "keys" / "server.pub"), "--key", str(folder / "client-1.key")]
    at_server = [str(folder / "at-server.tif"), "--server", server.address, *keys]
    return {
        "`predict --ray`": [str(large), str(folder / "by-ray.tif"), "--ray", ray, *named],
        "`predict --server`, of another client": [str(large), *at_server, *named],
    }


class _Team:
    """One who places `count` of the marks each time that something is measured, and others."""

    def __init__(self, folder: Path, live: LiveMap, marks: Iterator[Annotation], count: int) -> None:
        self._folder, self._live, self._marks, self._count = folder, live, marks, count

    def measured(self, loads: Mapping[str, Sequence[str]]) -> MixedFigures:
        clicks, blocks = {ALONE: self._clicks(ALONE)}, {}
        for name, words in loads.items():
            with self._beside(words) as load:
                began, before = time.perf_counter(), self._blocks()
                clicks[name] = self._clicks(name)
                blocks[name] = (self._blocks() - before) / (time.perf_counter() - began)
                if load.poll() is not None:
                    raise TerrafineError(f"'{name}' was over before the clicks were.", f"See {self._folder}.")
        return MixedFigures(clicks, blocks)

    def _clicks(self, name: str) -> list[float]:
        marks = list(islice(self._marks, self._count))
        return [self._live.mark(mark).seconds for mark in tqdm(marks, desc=f"clicks beside {name}", disable=None)]

    @contextmanager
    def _beside(self, words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
        """The map is in the middle of being made."""
        command = [sys.executable, "-m", "terrafine.server.cli", "predict", *words]
        finished = Path(f"{words[1]}.part")
        with open(self._folder / "predict.log", "wb") as log, subprocess.Popen(command, stderr=log) as process:
            try:
                deadline = time.monotonic() + PATIENCE_S
                while not finished.is_file() or finished.stat().st_size < BEGUN_BYTES:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise TerrafineError(f"'{' '.join(command)}' makes nothing.", f"See {log.name}.")
                    time.sleep(LOOK_S)
                yield process
            finally:
                process.terminate()

    def _blocks(self) -> int:
        """How many blocks all workers together have made."""
        return int(ask(self._folder / "state", "status")["engine"]["figures"]["blocks_made"])


def table(figures: MixedFigures) -> str:
    head = ["| beside | a click, p50 / p95 | blocks a second meanwhile |", "|---|---|---|"]
    rows = [
        "| {} | {:.3f} / {:.3f} s of {} | {:.1f} |".format(
            name, *np.percentile(clicks, (50, 95)), len(clicks), figures.blocks.get(name, 0.0)
        )
        for name, clicks in figures.clicks.items()
    ]
    return "\n".join([*head, *rows])
