"""The server's only sockets: a ROUTER for the clients, and one thread for the engine.

    clients ⇄ ROUTER (the thread that calls run) → JobQueue → engine thread → PAIR → ROUTER

The front answers what must not wait (hello, ping, cancel) by itself and never computes. The engine's replies come back
through an in-process PAIR that holds few of them: an engine that is faster than its client waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Optional, get_args

import zmq

from terrafine.server.dispatch import FOREIGN_ERRORS, Dispatcher, failure, welcome
from terrafine.server.gateway import front
from terrafine.server.gateway.audit import Refusals
from terrafine.server.gateway.auth import NOBODY, Guard
from terrafine.server.gateway.front import WAITING_REPLIES
from terrafine.server.gateway.jobs import Job, JobQueue
from terrafine.server.gateway.metrics import Metrics
from terrafine.server.gateway.outbox import Outbox
from terrafine.shared import messages as m
from terrafine.shared.errors import BadRequest, NotAllowed, TerrafineError
from terrafine.shared.wire import Frame, pack, request_id_of, unpack

log = logging.getLogger(__name__)
POLL_MS = 200
RETRY_MS = 20
_INPROC = "inproc://replies"
_REQUESTS = get_args(m.Request)
_OBJECTS_BYTES = 8  # of memory, about, for a byte of a header
_TOLD = 1000  # characters of an error's message: it may quote what the client wrote


class Server:
    """Binds at once; `run` serves until `stop` is called, from any thread or signal handler."""

    def __init__(
        self,
        dispatcher: Dispatcher,
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
        self._dispatcher = dispatcher
        self._device = dispatcher.zoo.device
        self._jobs = JobQueue()
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
        if metrics is not None:
            self._show_gauges(metrics)
        self._replies = self._context.socket(zmq.PAIR)
        self._replies.set_hwm(WAITING_REPLIES)
        self._replies.bind(_INPROC)
        self._outbox = Outbox(self._front, self._replies, gone=self._jobs.drop)
        self.address = self._front.getsockopt_string(zmq.LAST_ENDPOINT)

    def _show_gauges(self, metrics: Metrics) -> None:
        sessions = self._dispatcher.sessions
        metrics.watch("sessions", "Sessions held", lambda: len(sessions))
        metrics.watch("waiting_requests", "Requests that wait for the engine", lambda: len(self._jobs))
        metrics.watch("busy", "Is the engine at work?", lambda: self._jobs.busy)
        for name, cache in sessions.caches.by_name().items():
            metrics.watch(f"{name}_cache_bytes", f"Bytes in the cache of {name}", partial(getattr, cache, "nbytes"))

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

    def close(self) -> None:
        """Give up the port and what sessions keep, of a server that does not run (any more); twice does no harm."""
        self._context.destroy(linger=0)
        self._dispatcher.close()

    # ---- the engine's thread -------------------------------------------------------------------------------------

    def _work(self) -> None:
        out = self._context.socket(zmq.PAIR)
        out.set_hwm(WAITING_REPLIES)
        out.setsockopt(zmq.SNDTIMEO, POLL_MS)
        out.connect(_INPROC)
        try:
            while not self._stopping.is_set():
                job = self._jobs.take(POLL_MS / 1000)
                if job is not None:
                    self._answer(job, out)
        finally:
            self.stop()  # a server without an engine is none
            out.close(linger=0)

    def _answer(self, job: Job, out: zmq.Socket[bytes]) -> None:
        """Whatever goes wrong, a reply that cannot be packed included, ends this job alone."""
        try:
            for reply in self._replies_to(job):
                self._hand_over(_frames_of(job, reply), out)
                self._count(job, reply)
        except TerrafineError as error:
            self._hand_over(_frames_of(job, _failed(error)), out)
        except FOREIGN_ERRORS as error:
            self._hand_over(_frames_of(job, failure(job.message, error)), out)

    def _replies_to(self, job: Job) -> Iterator[m.Reply]:
        def stopped() -> bool:
            return job.stopped() or self._stopping.is_set()

        for reply in self._dispatcher.handle(job.message, stopped, job.client, job.arrived):
            yield _failed(job.error) if job.error is not None and isinstance(reply, m.Failed) else reply

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
        if not self._outbox.is_stuck:
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
            self._accept(Job(connection, request_id, message, client, nbytes=_nbytes(message, frames)))
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
            self._outbox.send(_frames(connection, request_id, time.perf_counter(), _failed(error)))

    def _accept(self, job: Job) -> None:
        if isinstance(job.message, m.Hello):
            self._send(job, welcome(self._device))
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
        """Answer jobs that were stopped before they began."""
        for job in stopped:
            if job.error is not None:
                self._send(job, _failed(job.error))

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


def _failed(error: TerrafineError) -> m.Failed:
    return m.Failed(error.code, error.message[:_TOLD], error.hint[:_TOLD])


def _nbytes(message: m.Message, frames: Sequence[Frame]) -> int:
    """What a message takes while it waits, about: its arrays, decompressed, and the objects in its header."""
    pixels = message.patch.array.nbytes + message.patch.valid.nbytes if isinstance(message, m.PutPixels) else 0
    return pixels + _OBJECTS_BYTES * len(frames[0])
