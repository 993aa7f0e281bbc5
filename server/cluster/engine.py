"""The gateway's end of one actor: what process.engine.EngineProcess is of the engine in a process of its own."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from typing import Any, Optional

from terrafine.server.cluster.actor import Beat, Turn
from terrafine.server.cluster.link import GONE, ray
from terrafine.server.cluster.placement import Placement
from terrafine.server.cluster.quotas import Quotas
from terrafine.server.gateway.jobs import Job
from terrafine.server.process.pipe import Answer
from terrafine.shared.errors import EngineRestarted
from terrafine.shared.wire import Frame

log = logging.getLogger(__name__)
LOOK_UP_S = 0.2
BEAT_S = 1.0  # how often it is asked whether it is there
LEAVE_S = 20.0  # that a step may take once the server ends


class ActorEngine:
    """All but `stop`, `leave`, `end` and what is only read belongs to one thread.

    beat        what it told of itself last; None while it is away
    jobs        those that it has begun, by number
    starts      how often it came
    trouble     why it cannot be started; empty where nothing is known
    is_leaving  its node is: it begins nothing more, and is started elsewhere as soon as it rests
    """

    def __init__(self, actor: Any, placement: Placement[ActorEngine], quotas: Quotas[ActorEngine]) -> None:
        self.actor = actor
        self.beat: Optional[Beat] = None
        self.jobs: set[int] = set()
        self.starts = 0
        self.trouble = ""
        self.is_leaving = False
        self._placement = placement
        self._quotas = quotas
        self._patient_until = math.inf
        self._asked: Any = None  # Ray's reference to the beat that is to come
        self._asked_at = -math.inf

    def takes(self, job: Job) -> bool:
        """May it begin this job? One of a session that it holds, or is to hold."""
        if self.beat is None or self.is_leaving:
            return False
        return not hasattr(job.message, "session") or self._placement.holder(job.client, job.message) is self

    def advance(self, job: int, request: Sequence[Frame] = (), client: str = "", waited_s: float = 0.0) -> Answer:
        """The next reply to a job; the first time, with its request. Raises EngineRestarted where the actor died, also
        between two turns.
        """
        if self.beat is None or not (request or job in self.jobs):
            raise self._died("it went while it had no turn")
        self.jobs.add(job)
        if request:
            frames, held = [bytes(frame) for frame in request], self._quotas.held(client)
            asked = self.actor.begin.remote(self.beat.birth, job, frames, client, waited_s, held)
        else:
            asked = self.actor.advance.remote(self.beat.birth, job)
        turn = self._awaited(asked)
        if turn.answer.last:
            self.jobs.discard(job)
        if turn.use is not None:
            for key, holder in self._quotas.note(client, self, turn.use):
                holder.actor.rest_session.remote(*key)
        return turn.answer

    def stop(self, job: int) -> None:
        """Make it end a job soon. From any thread; one that it does not have is no matter."""
        if job in self.jobs:
            self.actor.stop.remote(job)
            self.actor.forget.remote(job)

    def attend(self) -> None:
        """Hear what it tells while it has nothing to do. Raises EngineRestarted where it is gone, or has to go."""
        was_here = self.beat is not None
        self._listen()
        if was_here and self.beat is None:
            raise self._died("it does not answer")
        if was_here and self.is_leaving:
            ray.kill(self.actor, no_restart=False)
            raise self._died("its node leaves the cluster")

    def restart(self) -> None:
        """Ray does that, as soon as there is a device; `attend` notices."""

    def leave(self) -> None:
        """Its sessions move now. From any thread."""
        self.is_leaving = True
        self._let_go()

    def end(self) -> None:
        """Wait for it no longer than it may take to end its step. From any thread."""
        self._patient_until = time.monotonic() + LEAVE_S

    def _awaited(self, asked: Any) -> Turn:
        """What Ray's reference comes to."""
        while not ray.wait([asked], timeout=LOOK_UP_S)[0]:
            self._listen()
            if time.monotonic() > self._patient_until:
                raise self._died("the server ends")
        try:
            turn: Optional[Turn] = ray.get(asked)
        except ray.exceptions.RayError as error:
            raise self._died(error) from None
        if turn is None:
            raise self._died("another is in its place")
        return turn

    def _listen(self) -> None:
        """Take the beat that was asked for, if it has come, and ask for the next."""
        if self._asked is not None and ray.wait([self._asked], timeout=0)[0]:
            asked, self._asked = self._asked, None
            self._hear(asked)
        if self._asked is None and time.monotonic() > self._asked_at + BEAT_S:
            self._asked, self._asked_at = self.actor.beat.remote(), time.monotonic()

    def _hear(self, asked: Any) -> None:
        before = self.beat
        try:
            self.beat = ray.get(asked)
        except GONE as error:
            self.beat = None
            self.trouble = str(error) if isinstance(error, ray.exceptions.ActorDiedError) else ""
            return
        if before is None:
            self._came()
        elif before.birth != self.beat.birth:
            self.beat = None  # what it had begun is lost; it comes with its next beat

    def _came(self) -> None:
        self.starts += 1
        self.trouble, self.is_leaving = "", False
        self.jobs.clear()
        self._placement.come(self)
        log.info("an engine is there: %s on %s", self.beat.device, self.beat.host)  # type: ignore[union-attr]

    def _died(self, why: object) -> EngineRestarted:
        self.beat = self._asked = None  # what is still on its way may be from before
        self.jobs.clear()
        self._let_go()
        log.error("an engine of the cluster is gone: %s", why)
        return EngineRestarted("The server's engine broke down.", "Another one finds its sessions: ask once more.")

    def _let_go(self) -> None:
        """Its sessions are for the others."""
        self._placement.leave(self)
        self._quotas.leave(self)
