"""The server's only sockets: a ROUTER for the clients, and a thread for each engine, which is a process of its own.

    clients ⇄ ROUTER (the thread that calls run) → JobQueue → engine's thread ⇄ engine's process
                                                ↖ PUSH ←┘

The front answers what must not wait (hello, ping, cancel) by itself and never computes. The engine gives each job turns
of one reply; a job whose client does not keep up gets none.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Optional, get_args

import numpy as np
import zmq

from terrafine.server.answers import FOREIGN_ERRORS, failed, welcome
from terrafine.server.gateway import front
from terrafine.server.gateway.admin import Admin
from terrafine.server.gateway.audit import Refusals
from terrafine.server.gateway.auth import NOBODY, Guard
from terrafine.server.gateway.front import WAITING_REPLIES
from terrafine.server.gateway.jobs import Job, JobQueue
from terrafine.server.gateway.metrics import Metrics
from terrafine.server.gateway.outbox import Outbox
from terrafine.server.gateway.worker import Engine, Engines, Worker, answered, timed
from terrafine.shared import messages as m
from terrafine.shared.errors import BadRequest, ConfigError, EngineRestarted, NotAllowed, ServerBusy, TerrafineError
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch
from terrafine.shared.wire import Frame, pack, request_id_of, unpack

log = logging.getLogger(__name__)
POLL_MS = 200
RETRY_MS = 20
STARTING, AT_WORK, IDLE = "starting", "at work", "idle"  # of the engine, also when it is started again
_INPROC = "inproc://replies"
_REQUESTS = get_args(m.Request)
_OBJECTS_BYTES = 8  # of memory, about, for a byte of a header
_NO_PIXELS = Patch(Window(0, 0, 0, 0), np.empty((0, 0, 0), np.uint8), np.empty((0, 0), bool))


class Server:
    """Binds at once; `start` waits for the engine, and answers meanwhile; `run` serves until `stop` is called.

    `stop` may be called by any thread.
    """

    def __init__(
        self,
        engine: Engines,
        host: str = "127.0.0.1",
        port: int = 0,
        keys: Optional[Path] = None,
        metrics: Optional[Metrics] = None,
        state: Optional[Path] = None,
        roots: Sequence[str] = (),
    ) -> None:
        """Port 0 is any free one. With a folder of keys (see keys.py) it encrypts, and lets in the clients on its list.

        With `metrics` it counts what it does there; in the folder `state` is the administrator's door (see admin.py).
        `roots` are the names of the engine's folders of shared rasters, which clients are told.

        Raises ConfigError where it cannot listen, or may not: without keys, on anything but this computer.
        """
        front.check_host(host, encrypted=keys is not None)
        self._engine = engine
        self._roots = tuple(roots)
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
        self._replies = self._context.socket(zmq.PULL)
        self._replies.set_hwm(WAITING_REPLIES)
        self._replies.bind(_INPROC)
        self._outbox = Outbox(self._front, self._replies, self._jobs)
        answers = {"status": self._status, "end_session": self._end_session}
        self._admin = Admin(self._context, state, answers) if state is not None else None
        self._began = time.monotonic()
        self._heard: dict[str, float] = {}  # when, by client
        self.address = self._front.getsockopt_string(zmq.LAST_ENDPOINT)

    def start(self) -> None:
        """Returns once the engine is there; meanwhile whoever asks is told that it starts, and requests wait for it.

        Raises what the engine finds to be wrong, ConfigError where it dies, unless the server was stopped meanwhile.
        """
        log.info("answering on %s; the engine starts", self.address)
        with ThreadPoolExecutor(1, "start") as pool:
            starting = pool.submit(self._engine.start)
            while not starting.done():
                self._attend(RETRY_MS)
        try:
            starting.result()
        except EngineRestarted as error:
            if not self._stopping.is_set():
                raise ConfigError("The engine's process did not start.", "What stands above says why.") from error
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
        engines = [threading.Thread(target=self._work, args=(each,), daemon=True) for each in self._engine.all]
        for engine in engines:
            engine.start()
        try:
            self._serve()
        finally:
            self.stop()
            for engine in engines:
                engine.join()
            self.close()

    def stop(self) -> None:
        self._stopping.set()
        self._engine.end()

    def close(self) -> None:
        """Give up the port and what sessions keep, of a server that does not run (any more); twice does no harm."""
        if self._admin is not None:
            self._admin.close()
        self._context.destroy(linger=0)
        self._engine.close()

    def _work(self, engine: Engine) -> None:
        """An engine's thread."""
        out = self._context.socket(zmq.PUSH)
        out.set_hwm(WAITING_REPLIES)
        out.setsockopt(zmq.SNDTIMEO, POLL_MS)
        out.connect(_INPROC)
        try:
            Worker(engine, self._jobs, out, self._stopping, self._count).run()
        finally:
            self.stop()  # a server without an engine is none
            out.close(linger=0)

    # ---- the front's thread --------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._attend(RETRY_MS if self._outbox.is_stuck else POLL_MS)
            if self.guard is not None:
                self._let_go(self.guard)

    def _attend(self, patience_ms: int) -> None:
        """Do what there is to do, or what comes soon."""
        if self._front.poll(0) or self._wait(patience_ms):
            self._receive()
        self._outbox.pass_on()
        if self.guard is not None:
            self.guard.answer()
        if self._admin is not None:
            self._admin.answer()

    def _wait(self, patience_ms: int) -> bool:
        """Until there is something to do; True if a request came."""
        poller = zmq.Poller()
        poller.register(self._front, zmq.POLLIN)
        if self.guard is not None:
            poller.register(self.guard.questions, zmq.POLLIN)
        poller.register(self._replies, zmq.POLLIN)
        if self._admin is not None:
            poller.register(self._admin.questions, zmq.POLLIN)
        return self._front in dict(poller.poll(patience_ms))

    def _let_go(self, guard: Guard) -> None:
        """Of those who are let in no more: their work ends."""
        for client in guard.refresh():
            self._heard.pop(client, None)
            self._engine.forget_client(client)
            self._tell(self._jobs.end(client, NotAllowed("The server does not accept your key any more.")))

    def _receive(self) -> None:
        connection, received = front.receive(self._front)
        frames, client = [frame.buffer for frame in received], ""
        try:
            client = self.guard.client_of(received) if self.guard else ""
            self._heard[client] = time.monotonic()
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
            self._outbox.send([connection, *pack(timed(failed(error), time.perf_counter()), request_id)])

    def _accept(self, job: Job) -> None:
        if isinstance(job.message, m.Hello) and self._engine.device:  # while that is not known, hello waits for it
            self._send(job, welcome(self._engine.device, self._roots))
        elif isinstance(job.message, m.Ping):
            self._send(job, m.Pong(self._state() != IDLE))
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
                self._outbox.post(answered(job, reply))
                self._count(job, reply)

    def _send(self, job: Job, reply: m.Reply) -> None:
        self._outbox.send(answered(job, reply))
        self._count(job, reply)

    def _status(self, _question: dict[str, Any]) -> dict[str, Any]:
        """For the administrator: who and how much, nothing of what."""
        now, name = time.monotonic(), self.guard.name if self.guard is not None else lambda _client: NOBODY
        return {
            "server": welcome(self._engine.device).server,
            "address": self.address,
            "pid": os.getpid(),
            "uptime_s": round(now - self._began, 1),
            "engine": {**self._engine.status(), "state": self._state()},
            "waiting": {name(client): count for client, count in self._jobs.waiting().items()},
            "clients": {name(client): round(now - heard, 1) for client, heard in self._heard.items()},
        }

    def _state(self) -> str:
        if not self._engine.is_there:
            return STARTING
        return AT_WORK if self._jobs.busy else IDLE

    def _end_session(self, question: dict[str, Any]) -> dict[str, Any]:
        """Raises ServerBusy where no engine is there to do it."""
        if not self._engine.is_there:
            raise ServerBusy("The engine is starting.", "Try again in a moment.")
        self._engine.forget_session(str(question.get("client")), str(question.get("session")))
        return {}

    def _count(self, job: Job, reply: m.Reply) -> None:
        if self._metrics is not None and not isinstance(reply, m.STREAMED):
            self._metrics.replied(job.message, reply, time.perf_counter() - job.arrived)


def _without_pixels(message: m.Message) -> m.Message:
    """They were found to be in order, and travel on as frames."""
    return replace(message, patch=_NO_PIXELS) if isinstance(message, m.PutPixels) else message


def _nbytes(frames: Sequence[Frame]) -> int:
    """What a message takes while it waits, about: its frames, and the objects in its header."""
    return sum(map(len, frames)) + _OBJECTS_BYTES * len(frames[0])
