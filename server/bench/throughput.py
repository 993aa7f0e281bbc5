"""How much of the network's own speed the engine keeps: a whole raster beside bare batches of the same tiles."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.server.bench import floor
from terrafine.server.bench.drawn import session_of
from terrafine.server.engine import engine

BATCHES = (1, 4)


@dataclass(frozen=True)
class ThroughputFigures:
    """Tiles a second, medians of the rounds.

    engine   classifying a raster of so many `tiles`, pixels to class ids; with_entropy: likewise
    bare     the network alone on tiles without marks, features and logits, by the number of tiles in a batch
    kept     engine ÷ the faster of the bare ones
    floor    by operations ÷ the matrix rate, and by bytes of the weights and the image ÷ the memory's bandwidth
    """

    tiles: int
    precision: str
    engine: float
    with_entropy: float
    bare: dict[int, float]
    kept: float
    floor: float
    gflop: float


def measure_throughput(folder: Path, device: str, size_px: int, rounds: int) -> ThroughputFigures:
    """Every item once in each of the rounds, so that a busy machine is busy for all of them."""
    predictor = registry.load_predictor(folder, device or "cpu")
    session = session_of(predictor, size_px)
    tiles = len(session.tiling.grid.plan(session.info.grid.window))
    taken: dict[str | int, list[float]] = {name: [] for name in ("", "entropy", *BATCHES)}
    for number in tqdm(range(rounds + 1), desc="rounds", disable=None):
        for name in taken:
            seconds = _whole(predictor, size_px, name, tiles) if isinstance(name, str) else _bare(predictor, name)
            if number:  # the first call of anything takes longer
                taken[name].append(seconds)
    median = {name: 1 / float(np.median(seconds)) for name, seconds in taken.items()}
    bare = {batch: median[batch] for batch in BATCHES}
    work = floor.of_tile(predictor)
    return ThroughputFigures(
        tiles, str(predictor.precision).split(".")[-1], median[""], median["entropy"], bare,
        median[""] / max(bare.values()), 1 / work.seconds(floor.of_device(predictor)), work.flop / 1e9,
    )  # fmt: skip


def _whole(predictor: Predictor, size_px: int, method: str, tiles: int) -> float:
    """Seconds a tile of classifying a whole raster, in a session without anything kept."""
    session = session_of(predictor, size_px)
    started = time.perf_counter()
    for _ in engine.predict(session, session.info.grid.window, None, method):
        pass
    return (time.perf_counter() - started) / tiles


def _bare(predictor: Predictor, batch: int) -> float:
    """Seconds a tile of the network alone."""
    spec = predictor.spec
    images = np.random.default_rng(0).random((batch, len(spec.bands), spec.tile_px, spec.tile_px), np.float32)
    marks = np.zeros((batch, len(spec.classes), spec.tile_px, spec.tile_px), np.float32)
    started = time.perf_counter()
    predictor.logits(predictor.features(images), marks)
    return (time.perf_counter() - started) / batch
