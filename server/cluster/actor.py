"""What runs on each device of a cluster: the engine, as an actor that Ray starts, and starts again where it dies."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from terrafine.server.cluster.link import ray
from terrafine.server.cluster.precedence import Precedence
from terrafine.server.logs import configure
from terrafine.server.process.child import EngineOptions, resident_bytes
from terrafine.server.process.pipe import Answer
from terrafine.shared.errors import ConfigError, TerrafineError
from terrafine.shared.geo import Window

if TYPE_CHECKING:  # the gateway knows these actors, too, and does without torch
    from terrafine.server.cluster.maps import Block, MapJob

GROUPS = {"maps": 1, "talk": 2}  # threads beside the one that gives turns


class Refusal(NamedTuple):
    """A TerrafineError, as it travels."""

    code: str
    message: str
    hint: str


class Beat(NamedTuple):
    """What an actor tells of itself. `birth` tells it from what Ray may start in its place."""

    birth: str
    node: str
    host: str
    pid: int
    device: str
    figures: dict[str, Any]


class EngineActor:
    """Methods run in the thread of their group; `maps` gives way to turns between two patches."""

    def __init__(self, options: EngineOptions, state: Optional[Path] = None) -> None:
        """With the `state` folder of a server, which all nodes share, it takes part in that server's sessions."""
        import torch

        from terrafine.server.cluster.maps import MapMaker
        from terrafine.server.zoo import Zoo

        configure(options.log)
        if options.threads > 0:
            torch.set_num_threads(options.threads)
        self._birth = secrets.token_hex(8)
        self._precedence = Precedence()
        self._zoo = Zoo(options.models, options.device, options.saved_models)
        self._maps = MapMaker(self._zoo.device, self._precedence)
        if state is not None:
            self._take_part(options, state)

    def _take_part(self, options: EngineOptions, state: Path) -> None:
        from terrafine.server.dispatch import Dispatcher
        from terrafine.server.journal.folder import StateFolder
        from terrafine.server.process.turns import Turns
        from terrafine.server.rasters.shared_files import DataRoots

        if not (state / "format").is_file():
            raise ConfigError(f"There is no folder '{state}' on {socket.gethostname()}.", "All nodes must share it.")
        self._dispatcher = Dispatcher(self._zoo, StateFolder(state, is_shared=True), DataRoots(options.data_roots))
        self._turns = Turns(self._dispatcher)

    # ---- turns for a server's clients: one thread ----------------------------------------------------------------

    def advance(self, birth: str, job: int, frames: list[bytes], client: str, waited_s: float) -> Optional[Answer]:
        """As Turns does; None if the actor is not the one of that `birth`. What a job changed is on the disk, for any
        other engine to find, before its last reply leaves.
        """
        if birth != self._birth:
            return None
        with self._precedence.hurried():
            if frames:
                self._turns.begin(job, frames, client, waited_s)
            answer = self._turns.advance(job)
            if answer.last:
                self._dispatcher.sessions.sync()
        return Answer([bytes(frame) for frame in answer.frames], answer.last)

    def forget(self, job: int) -> None:
        """A job that was stopped."""
        self._turns.forget(job)

    def forget_session(self, client: str, session: str) -> None:
        self._dispatcher.sessions.close(client, session)

    def close(self) -> None:
        """Write down what must be; it is ended then."""
        self._turns.close()
        self._dispatcher.close()

    # ---- blocks of maps: one thread --------------------------------------------------------------------------------

    @ray.method(concurrency_group="maps")
    def block(self, job: MapJob, block: Window, finished: Container[Window]) -> Union[Block, Refusal]:
        """As MapMaker does."""
        try:
            return self._maps.block(job, block, finished)
        except TerrafineError as error:
            return Refusal(error.code, error.message, error.hint)

    # ---- at once, also while it is at work -------------------------------------------------------------------------

    @ray.method(concurrency_group="talk")
    def beat(self) -> Beat:
        context = ray.get_runtime_context()
        place = context.get_node_id(), socket.gethostname(), os.getpid()
        return Beat(self._birth, *place, self._zoo.device, self._figures())

    @ray.method(concurrency_group="talk")
    def stop(self, job: int) -> None:
        """Make a job end at its next step."""
        self._turns.stop(job)

    def _figures(self) -> dict[str, Any]:
        if not hasattr(self, "_dispatcher"):
            return {"engine_resident_bytes": resident_bytes()}
        return {**self._dispatcher.sessions.figures(), "engine_resident_bytes": resident_bytes()}
