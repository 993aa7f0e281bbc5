"""engine.steps where others can help: a whole map that a client wants of a session is made by all engines.

The engine that holds the session makes blocks itself, a patch a turn; the others make them beside their own turns, from
the session's journal. What one of them cannot make, the holder does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional, Union, cast

import numpy as np

from terrafine.server.cluster.actor import Refusal
from terrafine.server.cluster.batch import Batch
from terrafine.server.cluster.blocks import Column, Schedule, Task, columns
from terrafine.server.cluster.maps import SessionJob
from terrafine.server.engine import engine
from terrafine.server.engine.batches import Wanted
from terrafine.server.engine.detail import runner_of
from terrafine.server.engine.session import Session
from terrafine.server.engine.sessions import Key
from terrafine.server.engine.work import Work
from terrafine.server.rasters.tiling import pieces, tiles_of
from terrafine.shared.geo import Window
from terrafine.shared.messages import Done, MissingPixels, Progress
from terrafine.shared.patch import Patch
from terrafine.shared.spec import PLAIN

WHOLE_TILES = (
    256  # from so many on it is worth their while; fewer fit a view, and are in the holder's caches afterwards
)
HOLDER = -1  # of the session, among the engines' numbers
WAIT_S = 0.1  # for others, before others' jobs have a turn
Items = Iterator[Union[Progress, Patch, Done, MissingPixels, Wanted]]


class SharedPredict:
    """Called as engine.steps."""

    def __init__(self, others: Callable[[], Sequence[Any]]) -> None:
        """`others` gives the handles of the other engines."""
        self._others = others

    def __call__(
        self, session: Session, window: Window, changed_since: Optional[int] = None, method: str = "",
        work: Optional[Work] = None, detail: str = PLAIN,
    ) -> Items:  # fmt: skip
        is_whole = changed_since is None and len(tiles_of(session.tiling, window)) >= WHOLE_TILES
        others = self._others() if is_whole else ()
        work = work if work is not None else Work()
        if not others:
            return engine.steps(session, window, changed_since, method, work, detail)
        return _shared(session, window, method, work, detail, others)


def _shared(session: Session, window: Window, method: str, work: Work, detail: str, others: Sequence[Any]) -> Items:
    lattice = runner_of(session, work, detail).lattice
    client, name = cast(Key, session.name)
    job = SessionJob(client, name, session.log.revision, method, detail)
    found = list(columns(lattice, job, within=window))
    done, total = 0, sum(len(pieces(lattice, task.block, 1)) for column in found for task in column.tasks)
    yield Progress(0, total)
    for patch in _patches(session, work, found, others):
        if patch is not None:
            done += 1
            yield patch
        yield Progress(done, total)
    yield Done(session.log.revision, {**dict.fromkeys(engine.STAGES, 0.0), **work.seconds()})


def _patches(session: Session, work: Work, found: list[Column], others: Sequence[Any]) -> Iterator[Optional[Patch]]:
    """None, now and then, while others are waited for."""
    schedule = Schedule(iter(found))
    helped = _Helped(others, schedule)
    while helped.is_at_work or not schedule.is_over:
        task = schedule.next(HOLDER)
        for own in _own(session, work, task) if task is not None else (None,):
            work.check()
            if own is not None:
                yield own
            for _, block in helped.arrived(0.0 if task is not None else WAIT_S):
                for window, bands in block.patches:
                    yield Patch(window, bands, np.ones(window.shape, bool), session.log.revision)
        if task is None:
            yield None


def _own(session: Session, work: Work, task: Task) -> Iterator[Patch]:
    job = task.job
    for item in engine.predict(session, task.block, None, job.method, work, job.detail):
        if isinstance(item, Patch):
            yield item


class _Helped(Batch):
    """A batch whose engines need not be able to make its blocks."""

    def _refused(self, task: Task, _refusal: Refusal) -> None:
        """The engine is asked no more."""
        self._schedule.put_back(task)
