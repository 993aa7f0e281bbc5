"""The thread that gives jobs their turns at an engine, and hands its replies to the front."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Optional, Protocol, cast

import zmq

from terrafine.server.answers import failed
from terrafine.server.gateway.jobs import Job, JobQueue
from terrafine.server.process.pipe import Answer
from terrafine.shared import messages as m
from terrafine.shared.errors import EngineRestarted, TerrafineError
from terrafine.shared.wire import Frame, pack, unpack

log = logging.getLogger(__name__)
POLL_MS = 200
Count = Callable[[Job, m.Reply], None]


class Engine(Protocol):
    """What computes, for one thread; process.engine.EngineProcess says what each of these does."""

    def takes(self, job: Job) -> bool: ...

    def advance(self, job: int, request: Sequence[Frame] = (), client: str = "", waited_s: float = 0.0) -> Answer: ...

    def stop(self, job: int) -> None: ...

    def attend(self) -> None: ...

    def restart(self) -> None: ...


class Engines(Protocol):
    """What the server needs, likewise; each of `all` gets a thread of its own."""

    @property
    def device(self) -> str: ...

    @property
    def figures(self) -> dict[str, Any]: ...

    @property
    def is_there(self) -> bool: ...

    @property
    def all(self) -> Sequence[Engine]: ...

    def start(self) -> None: ...

    def status(self) -> dict[str, Any]: ...

    def stop(self, job: int) -> None: ...

    def forget_client(self, client: str) -> None: ...

    def forget_session(self, client: str, session: str) -> None: ...

    def end(self) -> None: ...

    def close(self) -> None: ...


class Worker:
    """For one thread, which calls `run`."""

    def __init__(
        self, engine: Engine, jobs: JobQueue, out: zmq.Socket[bytes], stopping: threading.Event, count: Count
    ) -> None:
        """`out` is the PUSH to the front, which takes no message for ever; `count` is told each job's last reply."""
        self._engine, self._jobs, self._stopping, self._count = engine, jobs, stopping, count
        self._out = out

    def run(self) -> None:
        """Until the server stops."""
        while not self._stopping.is_set():
            job = self._jobs.take(POLL_MS / 1000, self._engine)
            try:
                self._give_turn(job)
            except EngineRestarted as error:
                self._start_again(error)

    def _give_turn(self, job: Optional[Job]) -> None:
        if job is None:
            self._engine.attend()
            return
        request, job.frames, job.has_begun = job.frames, (), True
        answer = self._engine.advance(job.number, request, job.client, time.perf_counter() - job.arrived)
        if answer.last:
            self._finish(job, answer)
            return
        self._hand_over([job.connection, *answer.frames])
        if not self._jobs.put_back(job):
            self._engine.stop(job.number)
            self._fail(job)

    def _finish(self, job: Job, answer: Answer) -> None:
        self._jobs.done(job)
        reply = cast(m.Reply, unpack(answer.frames)[1])
        if job.error is not None and isinstance(reply, m.Failed):
            self._fail(job)
            return
        self._hand_over([job.connection, *answer.frames])
        self._count(job, reply)

    def _fail(self, job: Job) -> None:
        """Say why it was stopped."""
        if job.error is not None:
            reply = failed(job.error)
            self._hand_over(answered(job, reply))
            self._count(job, reply)

    def _start_again(self, error: EngineRestarted) -> None:
        """What it was at work on is answered; what waits goes on waiting."""
        for job in self._jobs.lose(self._engine):
            job.error = job.error or error
            self._fail(job)
        try:
            self._engine.restart()
        except TerrafineError as failure:
            log.error("the engine cannot be started: %s", failure)  # it is tried again

    def _hand_over(self, frames: list[bytes]) -> None:
        while not self._stopping.is_set():
            try:
                self._out.send_multipart(frames)
                return
            except zmq.Again:
                continue


def answered(job: Job, reply: m.Reply) -> list[bytes]:
    """A reply to a job as it is sent."""
    return [job.connection, *pack(timed(reply, job.arrived), job.request_id)]


def timed(reply: m.Reply, arrived: float) -> m.Reply:
    """What the engine had no part in says how long all of it took."""
    return replace(reply, seconds=reply.seconds or {"total": round(time.perf_counter() - arrived, 6)})
