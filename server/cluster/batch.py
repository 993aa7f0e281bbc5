"""Maps by all engines of a cluster: blocks go out, patches come in, and what an engine dies of costs a block or two."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, Union

from terrafine.server.cluster.actor import Refusal
from terrafine.server.cluster.blocks import Schedule, Task
from terrafine.server.cluster.link import GONE, ray
from terrafine.server.cluster.maps import Block, Job
from terrafine.shared.errors import EngineRestarted, TerrafineError, error_from_code

log = logging.getLogger(__name__)
MOST_DEATHS = 3  # of engines at work on the same block
LOOK_S = 2.0  # how often engines that are away are looked for
Reference = Any  # Ray's, of a result that is to come


class Batch:
    """For one thread."""

    def __init__(self, engines: Sequence[Any], schedule: Schedule) -> None:
        """`engines` are handles of EngineActor."""
        self._engines = engines
        self._schedule = schedule
        self._at_work: dict[Reference, tuple[int, Task]] = {}
        self._asked: dict[Reference, int] = {}  # engines that are to say whether they are there
        self._away = set(range(len(engines)))
        self._idle: set[int] = set()
        self._looked = -math.inf

    def blocks(self) -> Iterator[tuple[Job, Block]]:
        """All blocks, in no order. Raises what a map fails of, and EngineRestarted where engines die of a block or
        cannot be started.
        """
        while self.is_at_work or not self._schedule.is_over:
            yield from self.arrived(LOOK_S)

    @property
    def is_at_work(self) -> bool:
        """Are blocks on their way?"""
        return bool(self._at_work)

    def arrived(self, timeout_s: float) -> Iterator[tuple[Job, Block]]:
        """What comes in time. Raises likewise."""
        self._look()
        for reference in _done([*self._at_work, *self._asked], timeout_s):
            if reference in self._asked:
                self._answered(reference)
            else:
                yield from self._collected(reference)

    def _look(self) -> None:
        """Ask the engines that are away, now and then, whether they are there."""
        if time.monotonic() < self._looked + LOOK_S:
            return
        self._looked = time.monotonic()
        for engine in self._away.difference(self._asked.values()):
            self._asked[self._engines[engine].beat.remote()] = engine

    def _answered(self, reference: Reference) -> None:
        engine = self._asked.pop(reference)
        try:
            log.debug("engine %d computes on %s", engine, ray.get(reference).device)
        except ray.exceptions.ActorUnavailableError:
            return
        except ray.exceptions.RayActorError as error:  # for ever
            self._drop(engine, error)
            return
        self._away.discard(engine)
        self._employ(engine)

    def _drop(self, engine: int, error: ray.exceptions.RayActorError) -> None:
        self._away.discard(engine)
        if not self._away and not self._at_work and not self._idle:
            raise EngineRestarted("No engine of the cluster can be started.", str(error)) from error
        log.error("an engine of the cluster cannot be started: %s", error)

    def _collected(self, reference: Reference) -> Iterator[tuple[Job, Block]]:
        engine, task = self._at_work.pop(reference)
        try:
            answer: Union[Block, Refusal] = ray.get(reference)
        except GONE:
            self._lost(engine, task)
            return
        except ray.exceptions.RayError as error:
            raise TerrafineError(f"An engine failed: {error}") from error
        if isinstance(answer, Refusal):
            self._refused(task, answer)
            return
        self._employ(engine)
        yield task.job, answer

    def _refused(self, task: Task, refusal: Refusal) -> None:
        raise error_from_code(*refusal)

    def _employ(self, engine: int) -> None:
        """Give it what it is to do, and what then: it begins that while patches travel."""
        if not self._works(engine):
            task = self._schedule.next(engine)
            if task is None:
                self._idle.add(engine)
                return
            self._order(engine, task)
        following = self._schedule.following(engine)
        if following is not None:
            self._order(engine, following)

    def _order(self, engine: int, task: Task) -> None:
        reference = self._engines[engine].block.remote(task.job, task.block, task.finished)
        self._at_work[reference] = engine, task

    def _works(self, engine: int) -> bool:
        return any(number == engine for number, _ in self._at_work.values())

    def _lost(self, engine: int, task: Task) -> None:
        """It died at work, or before it came to it."""
        log.warning("an engine of the cluster died; others go on, and it is started again")
        task.deaths += 1
        if task.deaths >= MOST_DEATHS:
            raise EngineRestarted(f"Engines die of {task.block}, in {task.job}.", "Their logs may say why.")
        self._schedule.put_back(task)
        self._away.add(engine)
        idle, self._idle = self._idle, set()
        for other in idle:
            self._employ(other)


def _done(references: list[Reference], timeout_s: float) -> list[Reference]:
    """One that is, if there is one in time."""
    if not references:
        time.sleep(timeout_s)
        return []
    found: list[Reference] = ray.wait(references, timeout=timeout_s)[0]
    return found
