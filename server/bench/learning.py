"""What learning, clicks and uncertainty cost, beside the plain full pass of a ResNet-34 LinkNet, in one run."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
import torch

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.server.bench import floor
from terrafine.server.bench.drawn import session_of
from terrafine.server.engine import engine, learning, uncertainty
from terrafine.server.engine.caches import FEATURES_BYTES, LOGITS_BYTES
from terrafine.server.engine.session import Session
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import TerrafineError
from terrafine.shared.learning import LearnOptions

TILE_PX, IMAGE_PX, CLASSES = 512, 2048, 6
MARKS = 10
STEPS = 10
REFERENCE = "plain pass"


@dataclass(frozen=True)
class LearningFigures:
    """Median seconds by name; REFERENCE is the full pass of the plain network.

    floor      what a tile without marks would take at the machine's limit
    peak_gb    the most memory of a process that classifies the large image with entropy, above the most that it had
               before that, image and model included, in GB (10⁹ bytes)
    budget_gb  what of it the caches may hold
    """

    seconds: dict[str, float]
    rounds: int
    floor: float
    peak_gb: float
    budget_gb: float


def measure(folder: Path, rounds: int, device: str = "") -> LearningFigures:
    """Every item once in each of the rounds, so that a busy machine is busy for all of them. `folder`: of the model."""
    predictor = registry.load_predictor(folder, device or "cpu")
    items = {REFERENCE: _plain_pass(predictor.device), **_of_tile(predictor), **_of_image(predictor)}
    taken: dict[str, list[float]] = {name: [] for name in items}
    for item in items.values():
        item()  # the first call of anything takes longer
    for _ in range(rounds):
        for name, item in items.items():
            started = time.perf_counter()
            item()
            taken[name].append(time.perf_counter() - started)
    medians = {name: float(np.median(values)) for name, values in taken.items()}
    limit = floor.of_tile(predictor).seconds(floor.of_device(predictor))
    return LearningFigures(medians, rounds, limit, _peak_gb(folder), (FEATURES_BYTES + LOGITS_BYTES) / 1e9)


def _plain_pass(device: torch.device) -> Callable[[], object]:
    """A LinkNet with a ResNet-34 encoder on one tile; the faster of the two memory formats."""
    import segmentation_models_pytorch

    network = segmentation_models_pytorch.Linknet("resnet34", encoder_weights=None, classes=CLASSES).eval()
    network = network.to(device, memory_format=torch.channels_last)
    image = torch.rand(1, 3, TILE_PX, TILE_PX).to(device, memory_format=torch.channels_last)

    def run() -> None:
        with torch.inference_mode():
            network(image).cpu()

    return run


def _of_tile(predictor: Predictor) -> dict[str, Callable[[], object]]:
    """A click, learning and MC dropout on a raster of one tile that has been looked at already."""
    session = session_of(predictor, TILE_PX)
    rng = np.random.default_rng(0)
    classes = len(predictor.spec.classes)
    session.change(Delta(0, 1, tuple(_mark(rng, classes) for _ in range(MARKS))))

    def click() -> None:
        before = session.log.revision
        session.change(Delta(before, before + 1, (_mark(rng, classes),)))
        _classify(session, before)

    def learn(scope: str) -> Callable[[], None]:
        options = LearnOptions(scope, STEPS if scope != "head" else None)

        def run() -> None:
            now = session.log.revision
            for _ in learning.learn(session, now, now + 1, options):
                pass
            learning.use_weights(session, now + 1, now + 2, "")

        return run

    def thinned() -> None:
        session.caches.uncertainty.clear()
        for _ in uncertainty.measure(session, session.info.grid.window, "mc-dropout"):
            pass

    items: dict[str, Callable[[], object]] = {
        "a click": click, f"learning, decoder, {STEPS} steps": learn("decoder"), "learning, head": learn("head"),
        f"learning, all, {STEPS} steps": learn("all"),
    }  # fmt: skip
    return {**items, "MC dropout, 5 passes": thinned} if "mc-dropout" in predictor.spec.uncertainty else items


def _of_image(predictor: Predictor) -> dict[str, Callable[[], object]]:
    """A large image from nothing, with and without uncertainty."""

    def classify(method: str) -> Callable[[], None]:
        return lambda: _classify(session_of(predictor, IMAGE_PX), None, method)

    return {f"{IMAGE_PX}² image": classify(""), f"{IMAGE_PX}² image with entropy": classify("entropy")}


def _mark(rng: np.random.Generator, classes: int) -> Annotation:
    x, y = rng.uniform(0, TILE_PX, 2)
    return Annotation(rng.bytes(8).hex(), "point", ((float(x), float(y)),), int(rng.integers(classes)))


def _classify(session: Session, since: Optional[int], method: str = "") -> None:
    for _ in engine.predict(session, session.info.grid.window, since, method):
        pass


def _peak_gb(folder: Path) -> float:
    """Peak memory of learning, in a process of its own, so that nothing else counts."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_growth_gb, str(folder), IMAGE_PX).result()


def _growth_gb(folder: str, size_px: int) -> float:
    session = session_of(registry.load_predictor(Path(folder)), size_px)
    idle = _peak_bytes()
    _classify(session, None, "entropy")
    return (_peak_bytes() - idle) / 1e9


def _peak_bytes() -> int:
    """Peak memory of this process. Linux's getrusage would count what its parent was before it became this one."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])
    try:
        import resource
    except ImportError as error:
        raise TerrafineError("Peak memory can be measured on Linux and macOS only.") from error
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
