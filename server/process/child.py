"""The engine's process, from its start to its end. The gateway starts it (engine.py), and outlives it."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Optional

from terrafine.server.engine.memory import Returns, keep, settle
from terrafine.server.logs import LogStyle, configure
from terrafine.server.process.pipe import Parcel, Pipe, PipeClosed
from terrafine.shared.errors import TerrafineError

log = logging.getLogger(__name__)
BEAT_S = 1.0
BEATS_TO_EXPIRY = 3600
ORPHAN_S = 5.0  # how long a step may take to end once the gateway is gone


@dataclass(frozen=True)
class EngineOptions:
    """What the engine's process is told at its start; see `terrafine serve --help`."""

    models: tuple[Path, ...] = ()
    data_roots: tuple[Path, ...] = ()  # whose rasters clients may name
    device: str = ""
    saved_models: Optional[Path] = None  # the user's own folder by default
    threads: int = 0  # as many as there are cores
    keep_days: float = 30.0  # that a session lasts unused
    memory_bytes: int = 0  # of address space that it may take, where the system can limit it; 0 for all there is
    warm: tuple[str, ...] = ()  # models that the first request is not to wait for; by default the one used last
    log: LogStyle = LogStyle()

    @property
    def root_names(self) -> tuple[str, ...]:
        """What clients know the data roots by."""
        return tuple(folder.resolve().name for folder in self.data_roots)


def run(connection: Connection, options: EngineOptions, state: Path, state_lasts: bool) -> None:
    """The process's whole life. Signals reach it, too, where Ctrl-C is typed, but the gateway says when it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    configure(options.log)
    keep()
    _limit_memory(options.memory_bytes)
    pipe = Pipe(connection)
    try:
        workshop = _Workshop(pipe, options, state)
    except TerrafineError as error:
        pipe.send({"is": "unusable", "code": error.code, "message": error.message, "hint": error.hint})
        return
    settle()
    try:
        workshop.run()
    except PipeClosed:
        log.warning("the gateway is gone")
        if not state_lasts:
            shutil.rmtree(state, ignore_errors=True)


def _limit_memory(nbytes: int) -> None:
    if nbytes > 0 and os.name == "posix":
        import resource

        import torch._dynamo  # noqa: F401  torch's optimisers import it at their first step: no import may end half-way

        resource.setrlimit(resource.RLIMIT_AS, (nbytes, nbytes))


class _Workshop:
    """Takes orders in one thread, so that work can be stopped, and carries them out in another, the main one."""

    def __init__(self, pipe: Pipe, options: EngineOptions, state: Path) -> None:
        import torch

        from terrafine.server.dispatch import Dispatcher
        from terrafine.server.journal.folder import StateFolder
        from terrafine.server.process.turns import Turns
        from terrafine.server.rasters.shared_files import DataRoots
        from terrafine.server.zoo import Zoo, user_models

        if options.threads > 0:
            torch.set_num_threads(options.threads)
        zoo = Zoo(options.models, options.device, options.saved_models or user_models())
        self._dispatcher = Dispatcher(zoo, StateFolder(state), DataRoots(options.data_roots))
        self._dispatcher.warm_up(options.warm)
        self._turns = Turns(self._dispatcher)
        self._keep_days = options.keep_days
        self._pipe = pipe
        self._orders: SimpleQueue[Optional[Parcel]] = SimpleQueue()
        self._is_orphan = False
        self._returns = Returns()
        self._doers: dict[str, Callable[[dict[str, Any], list[bytes]], None]] = {
            "advance": self._advance,
            "stop": lambda head, _frames: self._turns.forget(head["job"]),
            "forget_client": lambda head, _frames: self._dispatcher.sessions.close_client(head["client"]),
            "forget_session": lambda head, _frames: self._dispatcher.sessions.close(head["client"], head["session"]),
            "tidy": self._tidy,
        }

    def run(self) -> None:
        """Until the gateway says "leave", or is gone."""
        self._pipe.send({"is": "ready", "device": self._dispatcher.zoo.device, "figures": self._figures()})
        for task in (self._take_orders, self._beat):
            threading.Thread(target=task, name=task.__name__, daemon=True).start()
        try:
            while (order := self._orders.get()) is not None:
                self._doers[order.head["do"]](*order)
        finally:
            self._turns.close()
            self._dispatcher.close()
        if self._is_orphan:
            raise PipeClosed

    def _take_orders(self) -> None:
        try:
            while True:
                order = self._pipe.receive()
                if order is None or order.head["do"] == "leave":
                    break
                if order.head["do"] == "stop":
                    self._turns.stop(order.head["job"])
                self._orders.put(order)
        except PipeClosed:
            self._is_orphan = True
            threading.Timer(ORPHAN_S, os._exit, (1,)).start()
            self._turns.stop_all()
        self._orders.put(None)

    def _advance(self, head: dict[str, Any], frames: list[bytes]) -> None:
        self._returns.worked()
        if frames:
            self._turns.begin(head["job"], frames, head["client"], head["waited"])
        job, more = head["job"], True
        while more:
            answer = self._turns.advance(job)
            more = self._turns.is_ready(job) or (self._turns.is_alone(job) and self._orders.empty())
            self._pipe.send({"is": "reply", "job": job, "last": answer.last, "more": more}, answer.frames)

    def _tidy(self, head: dict[str, Any], _frames: list[bytes]) -> None:
        self._dispatcher.sessions.sync()
        self._returns.beat()
        if head["beats"] % BEATS_TO_EXPIRY == 0:
            self._dispatcher.sessions.expire(self._keep_days)

    def _beat(self) -> None:
        """Figures every second, from a thread that no step of the work keeps waiting."""
        rest, beats = threading.Event(), 0
        try:
            while not rest.wait(BEAT_S):
                beats += 1
                self._pipe.send({"is": "beat", "figures": self._figures()})
                self._orders.put(Parcel({"do": "tidy", "beats": beats}, []))
        except PipeClosed:
            return

    def _figures(self) -> dict[str, Any]:
        return {**self._dispatcher.sessions.figures(), "engine_resident_bytes": resident_bytes()}


def resident_bytes() -> int:
    """Memory of this process; 0 where the system does not tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.is_file() else 0
