"""Many clients at one server: clicks, learning and whole rasters at once, with CURVE."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import numpy as np

from terrafine.server.bench import control
from terrafine.server.bench.clicks import random_marks
from terrafine.server.bench.memory import children_gb
from terrafine.server.bench.place import Place, place
from terrafine.server.demo import source
from terrafine.server.rasters.raster_io import Raster, open_raster
from terrafine.shared.annotation import AnnotationLog, Delta
from terrafine.shared.client import Client
from terrafine.shared.errors import TerrafineError
from terrafine.shared.learning import LearnOptions
from terrafine.shared.spec import ModelSpec

LEARNING, WHOLE = 0.06, 0.02  # so often a client does these instead of a click
PARTS = 6  # of the time that memory is told for
MOMENTS = 3 * PARTS  # at least
MARKS = 4096  # that a client draws its clicks from, one after the other


@dataclass
class ClientFigures:
    """What one client did: seconds of each click, how often it learnt and classified everything, what went wrong."""

    clicks: list[float] = field(default_factory=list)
    learnt: int = 0
    whole: int = 0
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CrowdFigures:
    """What so many clients saw in so many seconds. Times in seconds, the server's memory in GB (10⁹ bytes)."""

    clients: int
    seconds: float
    clicks_a_second: float
    p50: float
    p95: float
    p99: float
    unfairness: float  # the slowest client's median click ÷ the fastest's; infinite where one got none done
    learnt: int
    whole: int
    errors: Sequence[str]
    answers: Mapping[str, tuple[float, float]]  # p50 and p95 of what is answered at once (control.py)
    memory_gb: Sequence[float]  # in each sixth of the time: caches fill, then it is flat
    memory_rise: float  # over the second half of the time, as a share: by a straight line


def measure_clients(
    folder: Path, model: str, models: Optional[Path], counts: Sequence[int], seconds: float, size_px: int,
    device: str, seed: int,
) -> list[CrowdFigures]:  # fmt: skip
    """Measure each of `counts` clients at once for `seconds`; each has a session of its own on one raster."""
    origin = source.make_up(folder, size_px)
    state = folder / "state"
    with place(folder, models, device, max(counts) + 1, ["--state-dir", str(state)]) as server:
        with closing(server.connect()) as client:
            spec = next(spec for spec in client.models() if spec.name == model)
        return [
            _crowd(_Crew(server, state, spec, origin.raster, seed, threading.Barrier(count + 1)), count, seconds)
            for count in counts
        ]


def reached(figures: Sequence[CrowdFigures], target_s: float) -> int:
    """The most clients whose clicks had a p95 within the target; 0 for none."""
    return max((crowd.clients for crowd in figures if crowd.p95 <= target_s), default=0)


@dataclass(frozen=True)
class _Crew:
    """What all clients of a crowd share."""

    server: Place
    state: Path
    spec: ModelSpec
    raster: Path
    seed: int
    ready: threading.Barrier
    over: threading.Event = field(default_factory=threading.Event)

    def work(self, number: int) -> ClientFigures:
        """One client, from its first map until it is over."""
        figures = ClientFigures()
        try:
            with closing(self.server.connect(number)) as client, open_raster(self.raster, self.spec) as raster:
                desk = _Desk(client, self.spec, raster, self.seed + number)
                desk.look(None)
                self.ready.wait()
                while not self.over.is_set():
                    desk.act(figures)
        except TerrafineError as error:
            self.ready.abort()
            figures.errors.append(error.message)
        except threading.BrokenBarrierError:  # another client failed before all were ready
            pass
        return figures


def _crowd(crew: _Crew, count: int, seconds: float) -> CrowdFigures:
    with ThreadPoolExecutor(count + 1) as pool:
        futures = [pool.submit(crew.work, number) for number in range(count)]
        try:
            crew.ready.wait()
            started = time.perf_counter()
            memory, answers = _watched(crew, seconds, pool)
        except threading.BrokenBarrierError:
            raise TerrafineError(f"A client failed: {', '.join(_errors(f.result() for f in futures))}") from None
        finally:
            crew.over.set()
        done = [future.result() for future in futures]
    return _summary(done, time.perf_counter() - started, answers, memory)


def _watched(crew: _Crew, seconds: float, pool: ThreadPoolExecutor) -> tuple[list[float], control.Seconds]:
    """The server's memory, once a second for so long; and what it takes to answer one who works on nothing."""
    rests = max(MOMENTS, round(seconds))
    memory: list[float] = []
    answers: control.Seconds = {what: [] for what in control.ASKED}
    with closing(crew.server.connect(-1)) as client, open_raster(crew.raster, crew.spec) as raster:
        place = crew.server, -1, crew.spec.name, raster
        cancelling = pool.submit(control.cancelled, *place, crew.over, answers)
        for _ in range(rests):
            time.sleep(seconds / rests)
            memory.append(children_gb())
            control.asked(client, crew.state, answers)
        crew.over.set()
        cancelling.result()
    return memory, answers


def in_parts(samples: Sequence[float]) -> list[float]:
    """The median of each sixth; single moments rise and fall as memory is given back."""
    return [float(np.median(part)) for part in np.array_split(np.array(samples), PARTS)]


def rise(samples: Sequence[float]) -> float:
    """By how much they rise over their second half, as a share of what they are there, by a straight line."""
    half = np.array(samples[len(samples) // 2 :])
    slope, _ = np.polyfit(np.arange(len(half)), half, 1)
    return float(slope * len(half) / half.mean())


def _summary(
    done: Sequence[ClientFigures], seconds: float, answers: control.Seconds, memory: Sequence[float]
) -> CrowdFigures:
    clicks = [click for client in done for click in client.clicks]
    medians = [float(np.median(client.clicks)) for client in done if client.clicks]
    p50, p95, p99 = np.percentile(clicks, (50, 95, 99)).tolist() if clicks else (float("nan"),) * 3
    unfairness = max(medians) / min(medians) if len(medians) == len(done) else float("inf")
    learnt, whole = sum(client.learnt for client in done), sum(client.whole for client in done)
    return CrowdFigures(
        len(done), seconds, len(clicks) / seconds, p50, p95, p99, unfairness, learnt, whole, _errors(done),
        {what: _percentiles(times) for what, times in answers.items() if times}, in_parts(memory), rise(memory),
    )  # fmt: skip


def _percentiles(times: Sequence[float]) -> tuple[float, float]:
    p50, p95 = np.percentile(times, (50, 95)).tolist()
    return p50, p95


def _errors(done: Iterable[ClientFigures]) -> list[str]:
    return [error for client in done for error in client.errors]


class _Desk:
    """One analyst's session."""

    def __init__(self, client: Client, spec: ModelSpec, raster: Raster, seed: int) -> None:
        self._client, self._raster, self._session = client, raster, str(uuid.uuid4())
        self._window, self._log, self._rng = raster.info.grid.window, AnnotationLog(), np.random.default_rng(seed)
        self._marks = iter(random_marks(self._window, len(spec.classes), MARKS, seed))
        client.open_session(self._session, spec.name, raster.info)

    def act(self, figures: ClientFigures) -> None:
        choice = self._rng.random()
        if choice < WHOLE:
            self.look(None)
            figures.whole += 1
        elif choice < WHOLE + LEARNING and self._log.marks:
            self._learn()
            figures.learnt += 1
        else:
            started, before = time.perf_counter(), self._log.revision
            self._client.change_annotations(self._session, self._log.add(next(self._marks)))
            self.look(before)
            figures.clicks.append(time.perf_counter() - started)

    def look(self, since: Optional[int]) -> None:
        for _ in self._client.predict(self._session, self._window, self._raster.read, changed_since=since):
            pass

    def _learn(self) -> None:
        """Quickly, and what the map shows of it."""
        base = self._log.revision
        for _ in self._client.learn(self._session, base, base + 1, self._raster.read, LearnOptions("head")):
            pass
        self._log.apply(Delta(base, base + 1))
