"""The server's only sockets: a ROUTER for the clients, and one thread for the engine.

    clients ⇄ ROUTER (the thread that calls run) → JobQueue → engine thread → PAIR → ROUTER

The front answers what must not wait (hello, ping, cancel) by itself and never computes. The engine's replies come back
through an in-process PAIR that holds few of them: an engine that is faster than its client waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Optional

import zmq

from terrafine.server.dispatch import FOREIGN_ERRORS, Dispatcher, failure, welcome
from terrafine.server.jobs import Job, JobQueue
from terrafine.shared import messages as m
from terrafine.shared.errors import BadRequest, ConfigError, ServerBusy, TerrafineError
from terrafine.shared.wire import MAX_MESSAGE_BYTES, pack, request_id_of, unpack

log = logging.getLogger(__name__)
LOOPBACK = ("127.0.0.1", "localhost")
POLL_MS = 200
RETRY_MS = 20
STALLED_S = 30.0  # a client that takes nothing for so long is given up
WAITING_REPLIES = 64
_INPROC = "inproc://replies"


class Server:
    """Binds at once; `run` serves until `stop` is called, from any thread or signal handler."""

    def __init__(self, dispatcher: Dispatcher, host: str = "127.0.0.1", port: int = 0) -> None:
        """Raises ConfigError where `host` is not this computer or the port cannot be had; port 0 is any free one."""
        if host not in LOOPBACK:
            raise ConfigError(
                f"The server does not listen on {host}: without encryption, only this computer may reach it.",
                "Use 127.0.0.1; from another computer, an SSH tunnel (ssh -L 5590:127.0.0.1:5590 …).",
            )
        self._dispatcher = dispatcher
        self._device = dispatcher.zoo.device
        self._jobs = JobQueue()
        self._stopping = threading.Event()
        self._context = zmq.Context()
        self._front = self._bound(port)
        self._replies = self._context.socket(zmq.PAIR)
        self._replies.set_hwm(WAITING_REPLIES)
        self._replies.bind(_INPROC)
        self._stuck: Optional[_Stuck] = None
        self._given_up: set[bytes] = set()
        self.address = self._front.getsockopt_string(zmq.LAST_ENDPOINT)

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
            for reply in self._dispatcher.handle(job.message, lambda: job.stopped() or self._stopping.is_set()):
                if job.error is not None and isinstance(reply, m.Failed):
                    reply = _failed(job.error)
                self._hand_over([job.client, *pack(reply, job.request_id)], out)
        except TerrafineError as error:
            self._hand_over([job.client, *pack(_failed(error), job.request_id)], out)
        except FOREIGN_ERRORS as error:
            self._hand_over([job.client, *pack(failure(job.message, error), job.request_id)], out)

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
            self._pass_on()

    def _wait(self) -> bool:
        """Until there is something to do; True if a request came."""
        poller = zmq.Poller()
        poller.register(self._front, zmq.POLLIN)
        if self._stuck is None:
            poller.register(self._replies, zmq.POLLIN)
        return self._front in dict(poller.poll(POLL_MS if self._stuck is None else RETRY_MS))

    def _receive(self) -> None:
        client, *frames = self._front.recv_multipart(zmq.NOBLOCK)
        try:
            request_id, message = unpack(frames)
            self._accept(Job(client, request_id, message))
        except (BadRequest, ServerBusy) as error:
            request_id = request_id_of(frames)
            log.info("refused a message: %s", error)
            if request_id:
                self._send(client, request_id, _failed(error))

    def _accept(self, job: Job) -> None:
        stopped: list[Job] = []
        if isinstance(job.message, m.Hello):
            self._send(job.client, job.request_id, welcome(self._device))
        elif isinstance(job.message, m.Ping):
            self._send(job.client, job.request_id, m.Pong(self._jobs.busy))
        elif isinstance(job.message, m.Cancel):
            self._send(job.client, job.request_id, m.Cancelling(job.message.request))
            stopped = self._jobs.cancel(job.client, job.message.request)
        else:
            stopped = self._jobs.put(job)
        for other in stopped:
            if other.error is not None:
                self._send(other.client, other.request_id, _failed(other.error))

    def _pass_on(self) -> None:
        """Send the engine's replies, as many as there are, until a client does not keep up."""
        if self._stuck is not None:
            self._retry(self._stuck)
        while self._stuck is None and self._replies.poll(0):
            frames = self._replies.recv_multipart()
            if not self._try(frames):
                self._stuck = _Stuck(frames, time.monotonic())

    def _retry(self, stuck: _Stuck) -> None:
        if self._try(stuck.frames):
            self._stuck = None
        elif time.monotonic() - stuck.since > STALLED_S:
            log.warning("gave up a client that takes nothing")
            self._jobs.drop(stuck.frames[0])
            self._given_up.add(stuck.frames[0])
            self._stuck = None

    def _send(self, client: bytes, request_id: str, reply: m.Reply) -> None:
        """Answer from the front; lost if the client does not keep up: it will ask again."""
        self._try([client, *pack(reply, request_id)])

    def _try(self, frames: list[bytes]) -> bool:
        """Send; False if the client's queue is full. A client that is gone gets nothing, and its work stops."""
        client = frames[0]
        try:
            self._front.send_multipart(frames, zmq.NOBLOCK)
            self._given_up.discard(client)
        except zmq.Again:
            return client in self._given_up
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._jobs.drop(client)
        return True

    def _bound(self, port: int) -> zmq.Socket[bytes]:
        front = self._context.socket(zmq.ROUTER)
        front.setsockopt(zmq.ROUTER_MANDATORY, 1)
        front.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        front.setsockopt(zmq.SNDHWM, WAITING_REPLIES)
        try:
            front.bind(f"tcp://127.0.0.1:{port}")
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ConfigError(
                f"Port {port} cannot be used: {error.strerror}.", "Choose another with --port, or 0 for any."
            ) from error
        return front


@dataclass
class _Stuck:
    """A reply whose client does not keep up."""

    frames: list[bytes]
    since: float


def _failed(error: TerrafineError) -> m.Failed:
    return m.Failed(error.code, error.message, error.hint)
