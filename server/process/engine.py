"""The gateway's end of the engine's process: started, asked, and started again when it dies."""

from __future__ import annotations

import logging
import math
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from terrafine.server.process.child import EngineOptions
from terrafine.server.process.child import run as run_child
from terrafine.server.process.early import EarlyReplies
from terrafine.server.process.pipe import Answer, Parcel, Pipe, PipeClosed
from terrafine.server.process.place import StatePlace
from terrafine.shared.errors import EngineRestarted, error_from_code
from terrafine.shared.wire import Frame

log = logging.getLogger(__name__)
LOOK_UP_S = 0.2
LEAVE_S = 20.0  # to end what it does, and to write down what must be
OFTEN, WITHIN_S = 3, 60.0  # deaths after which it is given a rest before it is started again
REST_S = 5.0


class EngineProcess:
    """All but `stop`, `end` and what is only read belongs to one thread.

    device   what it computes on, as torch calls it
    figures  what it last told of itself: sessions held, bytes of caches and of memory
    starts   how often it was started; recovery_s, how long that took the last time that it had died
    """

    def __init__(self, options: EngineOptions, state: Optional[Path] = None) -> None:
        """`state` is where sessions last; by default, in a temporary folder. Raises ConfigError for one in use."""
        self._options = options
        self._place = StatePlace(state)
        self._ending = threading.Event()
        self._patient_until = math.inf
        self._deaths: deque[float] = deque(maxlen=OFTEN)
        self._process: Optional[multiprocessing.process.BaseProcess] = None
        self._pipe: Optional[Pipe] = None
        self._early = EarlyReplies()
        self.device = ""
        self.figures: dict[str, Any] = {}
        self.starts = 0
        self.recovery_s: Optional[float] = None

    def status(self) -> dict[str, Any]:
        """For the administrator; the process's id is 0 while there is none. From any thread."""
        process = self._process if self._pipe is not None else None
        pid = process.pid if process is not None else 0
        times = {"starts": self.starts, "recovery_s": self.recovery_s}
        return {"device": self.device, "pid": pid, **times, "figures": self.figures}

    def start(self) -> None:
        """Returns once it is ready. Raises what it found to be wrong with its options, and EngineRestarted where it
        died before it was ready.
        """
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = theirs, self._options, self._place.folder, self._place.lasts
        self._process = context.Process(target=run_child, args=arguments, name="engine", daemon=True)
        self._process.start()
        theirs.close()
        pipe = Pipe(ours)
        try:
            self._meet(pipe)
        except PipeClosed:
            raise self._died() from None
        self._pipe = pipe
        self.starts += 1

    @property
    def is_there(self) -> bool:
        """Is it ready for work? Not while it starts. From any thread."""
        return self._pipe is not None

    @property
    def all(self) -> tuple[EngineProcess]:
        """The engines that there are: this one."""
        return (self,)

    def takes(self, _job: object) -> bool:
        """Jobs of every session."""
        return True

    def advance(self, job: int, request: Sequence[Frame] = (), client: str = "", waited_s: float = 0.0) -> Answer:
        """The next reply to a job; the first time, with its request. Raises EngineRestarted where the process died."""
        head: dict[str, Any] = {"do": "advance", "job": job}
        try:
            pipe = self._pipe_now()
            if job not in self._early:
                pipe.send({**head, "client": client, "waited": waited_s} if request else head, request)
            reply = self._early.next(job) or self._reply(pipe, job)
        except PipeClosed:
            raise self._died() from None
        self._early.handed_over(reply)
        return Answer(reply.frames, reply.head["last"])

    def stop(self, job: int) -> None:
        """Make it end a job soon. From any thread; one that it does not have is no matter."""
        self._early.forget(job)
        self._order({"do": "stop", "job": job})

    def forget_client(self, client: str) -> None:
        """Make it forget all sessions of a client. From any thread."""
        self._order({"do": "forget_client", "client": client})

    def forget_session(self, client: str, session: str) -> None:
        """Likewise of one."""
        self._order({"do": "forget_session", "client": client, "session": session})

    def attend(self) -> None:
        """Hear what it tells while it has nothing to do. Raises EngineRestarted where the process is gone."""
        try:
            while (parcel := self._pipe_now().receive(0)) is not None:
                self._note(parcel)
        except PipeClosed:
            raise self._died() from None

    def restart(self) -> None:
        """Start it again after its death, after a rest if it died often. Raises like `start`."""
        now = time.monotonic()
        self._deaths.append(now)
        if len(self._deaths) == OFTEN and now - self._deaths[0] < WITHIN_S:
            self._ending.wait(REST_S)
        if not self._ending.is_set():
            self.start()
            self.recovery_s = round(time.monotonic() - now, 2)
            log.info("the engine is there again after %.1f s", self.recovery_s)

    def end(self) -> None:
        """Wait for it no longer than it may take to end its step. From any thread."""
        self._patient_until = time.monotonic() + LEAVE_S
        self._ending.set()

    def close(self) -> None:
        """Let it end in order; it is killed if it does not."""
        self.end()
        if self._pipe is not None:
            try:
                self._pipe.send({"do": "leave"})
            except PipeClosed:
                log.debug("the engine was gone already")
        if self._process is not None:
            self._process.join(LEAVE_S)
            self._kill()
        self._drop_pipe()
        self._place.close()

    def _order(self, head: dict[str, Any]) -> None:
        try:
            self._pipe_now().send(head)
        except PipeClosed:
            log.debug("the engine is gone, and with it what was to be done: %s", head["do"])

    def _meet(self, pipe: Pipe) -> None:
        parcel = None
        while parcel is None:
            parcel = pipe.receive(LOOK_UP_S)
            if self._ending.is_set():
                raise PipeClosed
        head = parcel.head
        if head["is"] == "unusable":
            self._kill()
            raise error_from_code(head["code"], head["message"], head["hint"])
        self.device, self.figures = head["device"], head["figures"]

    def _reply(self, pipe: Pipe, job: int) -> Parcel:
        """The next one of this job."""
        while time.monotonic() < self._patient_until:
            parcel = pipe.receive(LOOK_UP_S)
            if parcel is not None and parcel.head["is"] == "reply" and parcel.head["job"] == job:
                return parcel
            self._note(parcel)
        raise PipeClosed

    def _note(self, parcel: Optional[Parcel]) -> None:
        if parcel is not None and parcel.head["is"] == "beat":
            self.figures = parcel.head["figures"]
        elif parcel is not None and parcel.head["is"] == "reply":
            self._early.keep(parcel)

    def _pipe_now(self) -> Pipe:
        if self._pipe is None:
            raise PipeClosed
        return self._pipe

    def _died(self) -> EngineRestarted:
        """What there is to say of its death."""
        self._drop_pipe()
        code = self._kill()
        log.error("the engine's process died: exit code %s", code)
        return EngineRestarted(
            "The server's engine broke down.", "It is started again and finds its sessions: ask once more."
        )

    def _drop_pipe(self) -> None:
        self._early.clear()
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()

    def _kill(self) -> Optional[int]:
        """Make sure that nothing of it is left; its exit code."""
        if self._process is None:
            return None
        self._process.kill()
        self._process.join()
        return self._process.exitcode
