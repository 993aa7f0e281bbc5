"""What breaks, and how long until work goes on: an engine that is killed at each stage, a server, a connection."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from terrafine.server.bench.clicks import random_marks
from terrafine.server.demo import source
from terrafine.server.demo.live import local_server
from terrafine.server.gateway.admin import ask
from terrafine.server.rasters.raster_io import Raster, open_raster
from terrafine.shared.annotation import AnnotationLog
from terrafine.shared.client import Client
from terrafine.shared.errors import EngineRestarted
from terrafine.shared.geo import Window, slices
from terrafine.shared.learning import LearnOptions
from terrafine.shared.patch import Patch
from terrafine.shared.spec import NODATA_CLASS
from terrafine.shared.transport import ZmqTransport

MARKS = 12
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows ends a process at once in any case
Replies = Iterator[Any]


@dataclass(frozen=True)
class FaultFigures:
    """One fault: seconds from it to the first reply of the request that was asked again, and what it cost.

    revisions_lost  of the marks, at the server
    wrong_px        of the map afterwards, beside that of a session that nothing happened to
    """

    fault: str
    recovery_s: float
    revisions_lost: int
    wrong_px: int


def measure_faults(
    folder: Path, model: str, models: Optional[Path], size_px: int, device: str, seed: int
) -> list[FaultFigures]:
    """Each fault once, on one raster and one session, through a server of its own."""
    origin, state = source.make_up(folder, size_px), folder / "state"
    options = ["--state-dir", str(state), *(["--device", device] if device else [])]
    with local_server(folder / "server.log", models, options) as address:
        desk = _Desk(address, model, origin.raster, seed)
        figures = [_killed_engine(desk, state, stage) for stage in STAGES]
        figures.append(_cut_connection(desk))
        began = time.perf_counter()
        os.kill(ask(state, "status")["pid"], KILL)
    with local_server(folder / "server2.log", models, options) as address:
        desk.connect(address)
        figures.append(desk.figures("server killed, and started again", began, desk.look))
        desk.close()
    return figures


class _Desk:
    """One analyst's session, with marks."""

    def __init__(self, address: str, model: str, raster: Path, seed: int) -> None:
        self.session, self.log, self.address = str(uuid.uuid4()), AnnotationLog(), address
        self.client = Client(ZmqTransport(address), "terrafine-bench")
        self._spec = next(spec for spec in self.client.models() if spec.name == model)
        self.raster: Raster = open_raster(raster, self._spec)
        self._marks = iter(random_marks(self.whole, len(self._spec.classes), MARKS, seed))
        self.revision()
        self.mark()
        self.map(self.session)

    @property
    def whole(self) -> Window:
        return self.raster.info.grid.window

    def connect(self, address: str) -> None:
        """Over a new connection."""
        self.client.close()
        self.address, self.client = address, Client(ZmqTransport(address), "terrafine-bench")

    def close(self) -> None:
        self.client.close()
        self.raster.close()

    def revision(self) -> int:
        """The session's revision at the server."""
        return self.client.open_session(self.session, self._spec.name, self.raster.info).revision

    def mark(self) -> int:
        """One more; returns the revision before."""
        before = self.log.revision
        self.client.change_annotations(self.session, self.log.add(next(self._marks)))
        return before

    def look(self, since: Optional[int] = None) -> Replies:
        return self.client.predict(self.session, self.whole, self.raster.read, since)

    def map(self, session: str) -> NDArray[np.uint8]:
        classes = np.full(self.whole.shape, NODATA_CLASS, np.uint8)
        for reply in self.client.predict(session, self.whole, self.raster.read):
            if isinstance(reply, Patch):
                classes[slices(reply.window, self.whole)] = reply.array[0]
        return classes

    def figures(self, fault: str, began: float, again: Callable[[], Replies]) -> FaultFigures:
        """Ask again after a fault, and see what is there."""
        lost = self.log.revision - self.revision()
        next(again())
        recovery_s = time.perf_counter() - began
        fresh = str(uuid.uuid4())
        self.client.open_session(fresh, self._spec.name, self.raster.info)
        self.client.set_annotations(fresh, self.log.marks, 1)
        wrong = int((self.map(self.session) != self.map(fresh)).sum())
        self.client.close_session(fresh)
        return FaultFigures(fault, recovery_s, lost, wrong)


def _look(desk: _Desk, _since: int) -> Replies:
    return desk.look()


def _refine(desk: _Desk, since: int) -> Replies:
    return desk.look(since)


def _learn(desk: _Desk, _since: int) -> Replies:
    """Learn for so long that it never ends: nothing is learnt."""
    now = desk.log.revision
    return desk.client.learn(desk.session, now, now + 1, desk.raster.read, LearnOptions("decoder", steps=1000))


def _measure(desk: _Desk, _since: int) -> Replies:
    return desk.client.measure_uncertainty(desk.session, desk.whole, desk.raster.read, factor=8)


def _rank(desk: _Desk, _since: int) -> Replies:
    return desk.client.rank_patches(desk.session, desk.whole, desk.raster.read)


STAGES: dict[str, Callable[[_Desk, int], Replies]] = {
    "classified": _look, "refined": _refine, "learnt": _learn, "measured uncertainty": _measure, "ranked": _rank,
}  # fmt: skip


def _killed_engine(desk: _Desk, state: Path, stage: str) -> FaultFigures:
    since = desk.mark()
    replies = STAGES[stage](desk, since)
    next(replies)
    pid, began = ask(state, "status")["engine"]["pid"], time.perf_counter()
    os.kill(pid, KILL)
    with suppress(EngineRestarted):
        for _ in replies:
            continue
    return desk.figures(f"engine killed while it {stage}", began, lambda: STAGES[stage](desk, since))


def _cut_connection(desk: _Desk) -> FaultFigures:
    since = desk.mark()
    next(desk.look(since))
    began = time.perf_counter()
    desk.connect(desk.address)
    return desk.figures("connection cut while it refined", began, lambda: desk.look(since))
