"""The server's only sockets: a ROUTER for the clients, and one thread for the engine, which is a process of its own.

    clients ⇄ ROUTER (the thread that calls run) → JobQueue → engine's thread ⇄ engine's process
                                                ↖ PAIR ←┘

The front answers what must not wait (hello, ping, cancel) by itself and never computes. The engine gives each job turns
of one reply; a job whose client does not keep up gets none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Optional, Protocol, cast, get_args

import numpy as np
import zmq

from terrafine.server.answers import FOREIGN_ERRORS, failed, welcome
from terrafine.server.gateway import front
from terrafine.server.gateway.audit import Refusals
from terrafine.server.gateway.auth import NOBODY, Guard
from terrafine.server.gateway.front import WAITING_REPLIES
from terrafine.server.gateway.jobs import Job, JobQueue
from terrafine.server.gateway.metrics import Metrics
from terrafine.server.gateway.outbox import Outbox
from terrafine.server.process.pipe import Answer
from terrafine.shared import messages as m
from terrafine.shared.errors import BadRequest, EngineRestarted, NotAllowed, TerrafineError
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch
from terrafine.shared.wire import Frame, pack, request_id_of, unpack

log = logging.getLogger(__name__)
POLL_MS = 200
RETRY_MS = 20
_INPROC = "inproc://replies"
_REQUESTS = get_args(m.Request)
_OBJECTS_BYTES = 8  # of memory, about, for a byte of a header
_NO_PIXELS = Patch(Window(0, 0, 0, 0), np.empty((0, 0, 0), np.uint8), np.empty((0, 0), bool))


class Engine(Protocol):
    """What the server needs of process.engine.EngineProcess, which says what each of these does."""

    device: str
    figures: dict[str, Any]

    def start(self) -> None: ...

    def advance(self, job: int, request: Sequence[Frame] = (), client: str = "", waited_s: float = 0.0) -> Answer: ...

    def stop(self, job: int) -> None: ...

    def attend(self) -> None: ...

    def restart(self) -> None: ...

    def end(self) -> None: ...

    def close(self) -> None: ...


class Server:
    """Binds at once; `start` waits for the engine; `run` serves until `stop` is called, by whatever thread."""

    def __init__(
        self,
        engine: Engine,
        host: str = "127.0.0.1",
        port: int = 0,
        keys: Optional[Path] = None,
        metrics: Optional[Metrics] = None,
    ) -> None:
        """Port 0 is any free one. With a folder of keys (see keys.py) it encrypts, and lets in the clients on its list.

        With `metrics` it counts what it does there.

        Raises ConfigError where it cannot listen, or may not: without keys, on anything but this computer.
        """
        front.check_host(host, encrypted=keys is not None)
        self._engine = engine
        self._jobs = JobQueue(engine.stop)
        self._stopping = threading.Event()
        self._context = zmq.Context()
        try:
            self.guard = Guard(keys, self._context) if keys is not None else None
            self._front = front.bind(self._context, host, port, self.guard)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self._refusals = Refusals()
        self._metrics = metrics
        self._replies = self._context.socket(zmq.PAIR)
        self._replies.set_hwm(WAITING_REPLIES)
        self._replies.bind(_INPROC)
        self._outbox = Outbox(self._front, self._replies, self._jobs)
        self.address = self._front.getsockopt_string(zmq.LAST_ENDPOINT)

    def start(self) -> None:
        """Raises what the engine finds to be wrong, unless the server was stopped meanwhile."""
        try:
            self._engine.start()
        except EngineRestarted:
            if not self._stopping.is_set():
                raise
        if self._metrics is not None:
            self._show_gauges(self._metrics)

    def _show_gauges(self, metrics: Metrics) -> None:
        metrics.watch("waiting_requests", "Requests that wait for the engine", lambda: len(self._jobs))
        metrics.watch("busy", "Is the engine at work?", lambda: self._jobs.busy)
        for name in self._engine.figures:
            metrics.watch(name, "What the engine tells of itself", partial(self._figure, name))

    def _figure(self, name: str) -> float:
        return float(self._engine.figures[name])

    def run(self) -> None:
        """Serve until `stop`; then everything is closed and removed."""
        engine = threading.Thread(target=self._work, name="engine", daemon=True)
        engine.start()
        try:
            self._serve()
        finally:
            self.stop()
            engine.join()
            self.close()

    def stop(self) -> None:
        self._stopping.set()
        self._engine.end()

    def close(self) -> None:
        """Give up the port and what sessions keep, of a server that does not run (any more); twice does no harm."""
        self._context.destroy(linger=0)
        self._engine.close()

    # ---- the engine's thread -------------------------------------------------------------------------------------

    def _work(self) -> None:
        out = self._context.socket(zmq.PAIR)
        out.set_hwm(WAITING_REPLIES)
        out.setsockopt(zmq.SNDTIMEO, POLL_MS)
        out.connect(_INPROC)
        try:
            while not self._stopping.is_set():
                job = self._jobs.take(POLL_MS / 1000)
                try:
                    self._attend(job, out)
                except EngineRestarted as error:
                    self._start_again(error, out)
        finally:
            self.stop()  # a server without an engine is none
            out.close(linger=0)

    def _attend(self, job: Optional[Job], out: zmq.Socket[bytes]) -> None:
        if job is None:
            self._engine.attend()
            return
        request, job.frames, job.has_begun = job.frames, (), True
        answer = self._engine.advance(job.number, request, job.client, time.perf_counter() - job.arrived)
        if answer.last:
            self._finish(job, answer, out)
            return
        self._hand_over([job.connection, *answer.frames], out)
        if not self._jobs.put_back(job):
            self._engine.stop(job.number)
            self._fail(job, out)

    def _finish(self, job: Job, answer: Answer, out: zmq.Socket[bytes]) -> None:
        reply = cast(m.Reply, unpack(answer.frames)[1])
        if job.error is not None and isinstance(reply, m.Failed):
            self._fail(job, out)
            return
        self._hand_over([job.connection, *answer.frames], out)
        self._count(job, reply)

    def _fail(self, job: Job, out: zmq.Socket[bytes]) -> None:
        """Say why it was stopped."""
        if job.error is not None:
            reply = failed(job.error)
            self._hand_over(_frames_of(job, reply), out)
            self._count(job, reply)

    def _start_again(self, error: EngineRestarted, out: zmq.Socket[bytes]) -> None:
        """What it was at work on is answered; what waits goes on waiting."""
        for job in self._jobs.lose():
            job.error = error
            self._fail(job, out)
        try:
            self._engine.restart()
        except TerrafineError as failure:
            log.error("the engine cannot be started: %s", failure)  # it is tried again

    def _hand_over(self, frames: list[bytes], out: zmq.Socket[bytes]) -> None:
        while not self._stopping.is_set():
            try:
                out.send_multipart(frames)
                return
            except zmq.Again:
                continue

    # ---- the front's thread --------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._stopping.is_set():
            if self._front.poll(0) or self._wait():
                self._receive()
            self._outbox.pass_on()
            if self.guard is not None:
                self._watch(self.guard)

    def _wait(self) -> bool:
        """Until there is something to do; True if a request came."""
        poller = zmq.Poller()
        poller.register(self._front, zmq.POLLIN)
        if self.guard is not None:
            poller.register(self.guard.questions, zmq.POLLIN)
        poller.register(self._replies, zmq.POLLIN)
        return self._front in dict(poller.poll(RETRY_MS if self._outbox.is_stuck else POLL_MS))

    def _watch(self, guard: Guard) -> None:
        """See who knocks, and who is let in no more: their work ends."""
        guard.answer()
        for client in guard.refresh():
            self._tell(self._jobs.end(client, NotAllowed("The server does not accept your key any more.")))

    def _receive(self) -> None:
        connection, received = front.receive(self._front)
        frames, client = [frame.buffer for frame in received], ""
        try:
            client = self.guard.client_of(received) if self.guard else ""
            request_id, message = unpack(frames)
            self._accept(Job(connection, request_id, _without_pixels(message), client, frames, nbytes=_nbytes(frames)))
        except TerrafineError as error:
            self._refuse(connection, client, frames, error)
        except FOREIGN_ERRORS:
            log.exception("a message could not be read")
            self._refuse(connection, client, frames, TerrafineError("The server failed to read the message."))

    def _refuse(self, connection: bytes, client: str, frames: Sequence[Frame], error: TerrafineError) -> None:
        self._refusals.add(self.guard.name(client) if self.guard else NOBODY, error.code, error.message)
        if self._metrics is not None:
            self._metrics.refused(error.code)
        request_id = request_id_of(frames)
        if request_id:
            self._outbox.send(_frames(connection, request_id, time.perf_counter(), failed(error)))

    def _accept(self, job: Job) -> None:
        if isinstance(job.message, m.Hello):
            self._send(job, welcome(self._engine.device))
        elif isinstance(job.message, m.Ping):
            self._send(job, m.Pong(self._jobs.busy))
        elif isinstance(job.message, m.Cancel):
            self._send(job, m.Cancelling(job.message.request))
            self._tell(self._jobs.cancel(job.connection, job.message.request))
        elif isinstance(job.message, _REQUESTS):
            self._tell(self._jobs.put(job))
        else:  # its arrays would wait uncounted
            raise BadRequest(f"{type(job.message).__name__} is not a request.")

    def _tell(self, stopped: Iterable[Job]) -> None:
        """Answer jobs that were stopped while they waited, after all that they were answered before."""
        for job in stopped:
            if job.error is not None:
                self._outbox.pass_on()
                reply = failed(job.error)
                self._outbox.post(_frames_of(job, reply))
                self._count(job, reply)

    def _send(self, job: Job, reply: m.Reply) -> None:
        self._outbox.send(_frames_of(job, reply))
        self._count(job, reply)

    def _count(self, job: Job, reply: m.Reply) -> None:
        if self._metrics is not None and not isinstance(reply, m.STREAMED):
            self._metrics.replied(job.message, reply, time.perf_counter() - job.arrived)


def _frames_of(job: Job, reply: m.Reply) -> list[bytes]:
    return _frames(job.connection, job.request_id, job.arrived, reply)


def _frames(connection: bytes, request_id: str, arrived: float, reply: m.Reply) -> list[bytes]:
    """A reply as it is sent. What the engine had no part in says how long all of it took."""
    seconds = reply.seconds or {"total": round(time.perf_counter() - arrived, 6)}
    return [connection, *pack(replace(reply, seconds=seconds), request_id)]


def _without_pixels(message: m.Message) -> m.Message:
    """They were found to be in order, and travel on as frames."""
    return replace(message, patch=_NO_PIXELS) if isinstance(message, m.PutPixels) else message


def _nbytes(frames: Sequence[Frame]) -> int:
    """What a message takes while it waits, about: its frames, and the objects in its header."""
    return sum(map(len, frames)) + _OBJECTS_BYTES * len(frames[0])
