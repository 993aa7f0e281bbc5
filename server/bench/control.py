"""What is to be answered at once, however busy the engine is: ping, status and cancel, timed beside others' work."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event

from terrafine.server.bench.place import Place
from terrafine.server.gateway.admin import ask
from terrafine.server.rasters.raster_io import Raster
from terrafine.shared import messages as m
from terrafine.shared.client import Client
from terrafine.shared.errors import Cancelled, ConnectionFailed, error_from_code
from terrafine.shared.transport import Transport, ZmqTransport
from terrafine.shared.wire import pack, unpack

PATIENCE_S = 120.0
REST_S = 0.5  # of the one who cancels, between two maps
SESSION = "begun and cancelled"
Seconds = dict[str, list[float]]
ASKED = PING, STATUS, CANCEL, ENDED = "ping", "status", "cancel", "what was cancelled ends"


def asked(client: Client, state: Path, seconds: Seconds) -> None:
    """Ask once whether the server is there, and, as `terrafine status` does, what it is doing."""
    with _timed(seconds[PING]):
        client.ping()
    with _timed(seconds[STATUS]):
        ask(state, "status")


def cancelled(server: Place, number: int, model: str, raster: Raster, over: Event, seconds: Seconds) -> None:
    """Begin a whole map and cancel it when it is at work, again and again."""
    _send_pixels(server.connect(number), model, raster)
    talk = _Talk(ZmqTransport(server.address, server.keys[number]))
    while not over.wait(REST_S):
        work = talk.tell(m.Predict(SESSION, raster.info.grid.window))
        if isinstance(talk.hear([work])[1], m.Progress):
            _stop(talk, work, seconds)
    talk.close()


def _stop(talk: _Talk, work: str, seconds: Seconds) -> None:
    """Cancel what is at work; it may have ended before the answer comes."""
    with _timed(seconds[ENDED]):
        waiting = {work, answer := talk.tell(m.Cancel(work))}
        with _timed(seconds[CANCEL]):
            while answer in waiting:
                _hear(talk, waiting)
        while waiting:
            _hear(talk, waiting)


def _hear(talk: _Talk, waiting: set[str]) -> None:
    number, reply = talk.hear(waiting)
    if not isinstance(reply, m.STREAMED):
        waiting.remove(number)
    if isinstance(reply, m.Failed) and reply.code != Cancelled.code:
        raise error_from_code(reply.code, reply.message, reply.hint)


def _send_pixels(client: Client, model: str, raster: Raster) -> None:
    """So that the work can begin."""
    client.open_session(SESSION, model, raster.info)
    for _ in client.predict(SESSION, raster.info.grid.window, raster.read):
        pass
    client.close()


class _Talk:
    """Several requests at once, which a Client has not."""

    def __init__(self, transport: Transport) -> None:
        self._transport, self._numbers = transport, count(1)

    def close(self) -> None:
        self._transport.close()

    def tell(self, request: m.Message) -> str:
        number = str(next(self._numbers))
        self._transport.send(pack(request, number))
        return number

    def hear(self, numbers: Container[str]) -> tuple[str, m.Message]:
        """The next reply to one of these."""
        deadline = time.monotonic() + PATIENCE_S
        while (left := deadline - time.monotonic()) > 0:
            frames = self._transport.receive(left)
            number, reply = unpack(frames) if frames is not None else ("", None)
            if reply is not None and number in numbers:
                return number, reply
        raise ConnectionFailed("The server is silent.")


@contextmanager
def _timed(seconds: list[float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - began)
