"""A session as its journal has it, without pixels and networks: what the records come to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Optional

from terrafine.server.answers import MAX_WINDOWS
from terrafine.server.engine.weights import AS_IT_CAME, KEPT
from terrafine.server.journal.records import (
    VERSION,
    Change,
    File,
    Journal,
    Marks,
    Network,
    Pixels,
    Record,
    Side,
    Weights,
)
from terrafine.shared.annotation import AnnotationLog, Delta
from terrafine.shared.geo import Window
from terrafine.shared.messages import OpenSession


class SessionState:
    """Records go in with `follow`; `records` gives the fewest that lead to the same state.

    model    digest of the one that it was opened with
    blocks   digests of the pixels by their place
    file     that the pixels come from; None for none
    log      the marks and the revision
    network  the weights and the legend in use; None for those that the session was opened with
    side     the side information
    weights  those learnt, as many as a session keeps, the one used last at the end
    """

    def __init__(self, client: str, opened: OpenSession, model: str = "") -> None:
        self.client = client
        self.opened = opened
        self.model = model
        self.blocks: dict[Window, str] = {}
        self.file: Optional[File] = None
        self.log = AnnotationLog()
        self.network: Optional[Network] = None
        self.weights: OrderedDict[str, Weights] = OrderedDict()
        self.side: Optional[Side] = None
        self._followers: dict[type, Callable[[Any], object]] = {
            Pixels: lambda record: self.blocks.update(zip(record.windows, record.digests)),
            File: self._open,
            Change: lambda record: self.log.apply(record.delta),
            Marks: lambda record: self.log.replace(record.marks, record.revision),
            Weights: self._learnt,
            Network: self._use,
            Side: self._tell,
        }

    @property
    def current(self) -> str:
        """The name of the weights in use."""
        return self.network.weights if self.network is not None else AS_IT_CAME

    def follow(self, record: Record) -> None:
        """Raises BadRequest, or its child RevisionMismatch, for a record that does not follow from those before."""
        self._followers[type(record)](record)

    def records(self) -> Iterator[Record]:
        yield Journal(VERSION, self.client, self.opened, self.model)
        blocks = iter(self.blocks.items())
        while part := list(islice(blocks, MAX_WINDOWS)):
            windows, digests = zip(*part)
            yield Pixels(windows, digests)
        if self.file is not None:
            yield self.file
        yield from self.weights.values()
        steps = [step for step in (self.network, self.side) if step is not None]
        yield from sorted(steps, key=lambda step: step.revision)
        yield Marks(self.log.marks, self.log.revision)

    @property
    def digests(self) -> frozenset[str]:
        """Of the files that belong to it."""
        side = {self.side.digest} if self.side is not None else set()
        return frozenset(side | {weights.digest for weights in self.weights.values()})

    def _open(self, record: File) -> None:
        self.file = record if record.path else None

    def _tell(self, record: Side) -> None:
        self._move_to(record.revision)
        self.side = record

    def _move_to(self, revision: int) -> None:
        if revision != self.log.revision:
            self.log.apply(Delta(self.log.revision, revision))

    def _learnt(self, record: Weights) -> None:
        """What is not kept any more is the one that was used longest ago."""
        self.weights[record.name] = record
        while len(self.weights) > KEPT:
            del self.weights[next(name for name in self.weights if name != self.current)]

    def _use(self, record: Network) -> None:
        self._move_to(record.revision)
        self.network = record
        if record.weights in self.weights:
            self.weights.move_to_end(record.weights)
