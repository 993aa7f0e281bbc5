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
from terrafine.server.cluster.quotas import Use, use_of
from terrafine.server.engine.memory import Returns, keep, settle
from terrafine.server.logs import configure
from terrafine.server.process.child import EngineOptions, resident_bytes
from terrafine.server.process.pipe import Answer
from terrafine.shared.errors import ConfigError, TerrafineError
from terrafine.shared.geo import Window

if TYPE_CHECKING:  # the gateway knows these actors, too, and does without torch
    from terrafine.server.cluster.maps import Block, Job
    from terrafine.server.engine.sessions import Sessions

GUESTS_BYTES = 128 << 20  # of features: of others' maps each tile is looked at once
GROUPS = {"maps": 1, "talk": 2}  # threads beside the one that gives turns


class Refusal(NamedTuple):
    """A TerrafineError, as it travels."""

    code: str
    message: str
    hint: str


class Turn(NamedTuple):
    """What a job's turn came to; the first one, also for the quotas of its client."""

    answer: Answer
    use: Optional[Use] = None


class Beat(NamedTuple):
    """What an actor tells of itself. `birth` tells it from what Ray may start in its place."""

    birth: str
    node: str
    host: str
    pid: int
    device: str
    figures: dict[str, Any]


def others() -> list[Any]:
    """In an actor: handles of those of the same server."""
    own = ray.get_runtime_context().get_actor_name()
    names = ray.util.list_named_actors()
    return [ray.get_actor(name) for name in names if name != own and server_of(name) == server_of(own)]


def server_of(name: str) -> str:
    """What the names of one server's actors begin with."""
    return name.rpartition("-")[0]


class EngineActor:
    """Methods run in the thread of their group; `maps` gives way to turns between two patches."""

    def __init__(self, options: EngineOptions, state: Optional[Path] = None) -> None:
        """With the `state` folder of a server, which all nodes share, it takes part in that server's sessions."""
        import torch

        from terrafine.server.cluster.maps import MapMaker
        from terrafine.server.zoo import Zoo

        configure(options.log)
        keep()
        if options.threads > 0:
            torch.set_num_threads(options.threads)
        self._birth = secrets.token_hex(8)
        self._precedence = Precedence()
        self._zoo = Zoo(options.models, options.device, options.saved_models)
        self._returns = Returns()
        self._blocks_made = 0
        self._dispatcher: Any = None  # of a server, if it takes part in one
        guests = self._take_part(options, state) if state is not None else None
        self._maps = MapMaker(self._zoo.device, options.threads, self._precedence, guests)
        settle()

    def _take_part(self, options: EngineOptions, state: Path) -> Sessions:
        """In a server's sessions; returns those of the other engines, for whoever helps with their maps."""
        from terrafine.server.cluster.sharing import SharedPredict
        from terrafine.server.dispatch import Dispatcher
        from terrafine.server.engine.sessions import Sessions
        from terrafine.server.journal.folder import StateFolder
        from terrafine.server.process.turns import Turns
        from terrafine.server.rasters.shared_files import DataRoots

        if not (state / "format").is_file():
            raise ConfigError(f"There is no folder '{state}' on {socket.gethostname()}.", "All nodes must share it.")
        roots, own = DataRoots(options.data_roots), StateFolder(state, is_shared=True)
        self._dispatcher = Dispatcher(self._zoo, own, roots, SharedPredict(others))
        self._dispatcher.warm_up(options.warm)
        self._turns = Turns(self._dispatcher)
        guests = Sessions(self._zoo, StateFolder(state, is_shared=True, is_guest=True), roots)
        guests.caches.features.budget = GUESTS_BYTES
        return guests

    # ---- turns for a server's clients: one thread ----------------------------------------------------------------

    def begin(
        self, birth: str, job: int, frames: list[bytes], client: str, waited_s: float, held: int
    ) -> Optional[Turn]:
        """Take on a request of a client whose sessions hold so many bytes of pixels, and give it its first turn."""
        if birth != self._birth:
            return None
        with self._precedence.hurried():
            sessions = self._dispatcher.sessions
            sessions.contents.held_by_all[client] = held
            message = self._turns.begin(job, frames, client, waited_s)
            answer = self._answered(job)
            return Turn(answer, use_of(sessions, client, message))

    def advance(self, birth: str, job: int) -> Optional[Turn]:
        """As Turns does; None if the actor is not the one of that `birth`."""
        if birth != self._birth:
            return None
        with self._precedence.hurried():
            return Turn(self._answered(job))

    def _answered(self, job: int) -> Answer:
        """What a job changed is on the disk, for any other engine to find, before its last reply leaves."""
        self._returns.worked()
        answer = self._turns.advance(job)
        if answer.last:
            self._dispatcher.sessions.sync()
        return Answer([bytes(frame) for frame in answer.frames], answer.last)

    def forget(self, job: int) -> None:
        """A job that was stopped."""
        self._turns.forget(job)

    def forget_session(self, client: str, session: str) -> None:
        self._dispatcher.sessions.close(client, session)

    def rest_session(self, client: str, session: str) -> None:
        """Its client has no room for it in memory."""
        self._dispatcher.sessions.rest(client, session)

    def close(self) -> None:
        """Write down what must be; it is ended then."""
        self._turns.close()
        self._dispatcher.close()

    # ---- blocks of maps: one thread --------------------------------------------------------------------------------

    @ray.method(concurrency_group="maps")
    def block(self, job: Job, block: Window, finished: Container[Window]) -> Union[Block, Refusal]:
        """As MapMaker does."""
        try:
            made = self._maps.block(job, block, finished)
        except TerrafineError as error:
            return Refusal(error.code, error.message, error.hint)
        self._blocks_made += 1
        self._returns.worked()
        self._returns.beat()  # where blocks are all it makes, nobody asks for its own
        return made

    # ---- at once, also while it is at work -------------------------------------------------------------------------

    @ray.method(concurrency_group="talk")
    def beat(self) -> Beat:
        self._returns.beat()
        context = ray.get_runtime_context()
        place = context.get_node_id(), socket.gethostname(), os.getpid()
        return Beat(self._birth, *place, self._zoo.device, self._figures())

    @ray.method(concurrency_group="talk")
    def stop(self, job: int) -> None:
        """Make a job end at its next step."""
        self._turns.stop(job)

    def _figures(self) -> dict[str, Any]:
        own = {"engine_resident_bytes": resident_bytes(), "blocks_made": self._blocks_made}
        return {**self._dispatcher.sessions.figures(), **own} if self._dispatcher is not None else own
