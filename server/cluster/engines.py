"""The engines of a server on a cluster, and what concerns them all: sessions that end, nodes that leave."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Optional

from terrafine.server.cluster import fleet
from terrafine.server.cluster.engine import LEAVE_S, LOOK_UP_S, ActorEngine
from terrafine.server.cluster.link import draining, ray
from terrafine.server.cluster.placement import Key, Placement
from terrafine.server.cluster.quotas import Quotas
from terrafine.server.journal.folder import DAY_S, StateFolder, expired
from terrafine.server.journal.state import SessionState
from terrafine.server.process.child import EngineOptions
from terrafine.server.process.place import StatePlace
from terrafine.shared.errors import ConfigError

log = logging.getLogger(__name__)
DRAIN_S = 5.0  # how often it is looked for nodes that leave
TIDY_EVERY = 720  # looks: an hour


class ClusterEngines:
    """What the server needs of process.engine.EngineProcess, of one actor a device. Actors end with this process."""

    def __init__(self, options: EngineOptions, state: Path, count: int = 0, share: float = 1.0) -> None:
        """`state` is the folder, which all nodes share, where sessions are found by whichever engine they move to.

        count, share  of engines, and of a GPU that each takes (fleet.py)
        """
        self._options, self._count, self._share = _everywhere(options), count, share
        self._place = StatePlace(state)
        self._journals = StateFolder(self._place.folder, is_shared=True)
        self._placement: Placement[ActorEngine] = Placement(self._drop)
        self._quotas: Quotas[ActorEngine] = Quotas()
        self._ending = threading.Event()
        self.all: tuple[ActorEngine, ...] = ()

    @property
    def device(self) -> str:
        """As people read it: "cuda × 8, cpu × 1"."""
        devices = Counter(engine.beat.device for engine in self.all if engine.beat is not None)
        return ", ".join(f"{device} × {count}" for device, count in devices.items())

    @property
    def figures(self) -> dict[str, Any]:
        """Sums of what the engines tell."""
        told = Counter[str]()
        for engine in self.all:
            told.update(engine.beat.figures if engine.beat is not None else {})
        return dict(told)

    @property
    def is_there(self) -> bool:
        """Is any? From any thread."""
        return any(engine.beat is not None for engine in self.all)

    def status(self) -> dict[str, Any]:
        """For the administrator: of all, and of each that is there."""
        there = [engine for engine in self.all if engine.beat is not None]
        return {
            "device": self.device,
            "pid": 0,
            "starts": sum(engine.starts for engine in self.all),
            "recovery_s": None,
            "figures": self.figures,
            "engines": [{**engine.beat._asdict(), "is_leaving": engine.is_leaving} for engine in there if engine.beat],
            "away": len(self.all) - len(there),
        }

    def start(self) -> None:
        """Returns once an engine is there. Raises ConfigError for what all of them find to be wrong."""
        actors = fleet.started(self._options, self._place.folder, self._count, self._share)
        self.all = tuple(ActorEngine(actor, self._placement, self._quotas) for actor in actors)
        states = self._states()
        self._placement.know((state.client, state.opened.session) for state in states)
        self._quotas.know(states)
        threading.Thread(target=self._tidy, name="tidy", daemon=True).start()
        while not self._ending.is_set() and all(engine.beat is None for engine in self.all):
            for engine in self.all:
                engine.attend()
            if all(engine.trouble for engine in self.all):
                raise ConfigError(f"No engine can be started on the cluster: {self.all[0].trouble}")
            self._ending.wait(LOOK_UP_S)

    def stop(self, job: int) -> None:
        """Make whoever has it end a job soon. From any thread."""
        for engine in self.all:
            engine.stop(job)

    def forget_client(self, client: str) -> None:
        """Forget all sessions of a client. From any thread."""
        for key in self._placement.of(client):
            self.forget_session(*key)

    def forget_session(self, client: str, session: str) -> None:
        """Likewise of one."""
        self._drop((client, session), self._placement.forget((client, session)))

    def end(self) -> None:
        """Wait for no engine longer than it may take to end its step. From any thread."""
        self._ending.set()
        for engine in self.all:
            engine.end()

    def close(self) -> None:
        """Let all engines end in order; those that do not are killed."""
        self.end()
        closing = [engine.actor.close.remote() for engine in self.all if engine.beat is not None]
        if closing:
            ray.wait(closing, num_returns=len(closing), timeout=LEAVE_S)
        for engine in self.all:
            ray.kill(engine.actor)
        self.all = ()
        self._place.close()

    def _states(self) -> list[SessionState]:
        return [journal.state for journal in self._journals.look()]

    def _drop(self, key: Key, holder: Optional[ActorEngine]) -> None:
        self._quotas.forget(key)
        if holder is not None:
            holder.actor.forget_session.remote(*key)
        else:
            self._journals.remove(*key)

    def _tidy(self) -> None:
        """See which nodes leave, and now and then what nobody uses any more."""
        for look in count():
            try:
                self._notice_leaving()
                if look % TIDY_EVERY == 0:
                    self._expire()
            except (ray.exceptions.RayError, OSError) as error:
                log.warning("the cluster or its storage does not answer: %s", error)
            if self._ending.wait(DRAIN_S):
                return

    def _notice_leaving(self) -> None:
        leaving = draining()
        for engine in self.all:
            if engine.beat is not None and engine.beat.node in leaving and not engine.is_leaving:
                log.info("the node %s leaves the cluster: its sessions move", engine.beat.host)
                engine.leave()

    def _expire(self) -> None:
        for journal in self._journals.look():
            if expired(journal, self._options.keep_days):
                self.forget_session(journal.state.client, journal.state.opened.session)
        self._journals.sweep(DAY_S)


def _everywhere(options: EngineOptions) -> EngineOptions:
    """With paths that mean the same in the working folders of other nodes."""
    saved = options.saved_models.resolve() if options.saved_models is not None else None
    models, roots = ([path.resolve() for path in paths] for paths in (options.models, options.data_roots))
    return replace(options, models=tuple(models), data_roots=tuple(roots), saved_models=saved)
