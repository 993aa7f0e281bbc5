"""From a journal to the session that it is about, and from what a session learnt to its journal."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import Optional

from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.server.engine import learning, weights
from terrafine.server.engine.session import Caches, Session
from terrafine.server.journal import records
from terrafine.server.journal.session import SessionJournal, file_digest
from terrafine.server.rasters.pixels import BlockStore
from terrafine.shared.errors import NotFound
from terrafine.shared.side import SideInformation


class JournalArchive:
    """The weights that a session's journal has; of the predictor that the session was opened with."""

    def __init__(self, journal: SessionJournal, opened: Predictor) -> None:
        self._journal, self._opened = journal, opened

    def holds(self, learnt: weights.Weights) -> bool:
        return _holds(self._journal, learnt)

    def read(self, name: str) -> weights.Weights:
        """Raises NotFound where they are lost."""
        record = self._journal.state.weights.get(name)
        if record is None:
            raise NotFound("The server does not hold these weights any more.", "Learn again.")
        return _loaded(self._journal, record, self._opened)


def note_network(journal: SessionJournal, session: Session) -> None:
    """Write down the weights and the legend that the session uses now; new or grown weights with their file."""
    current = session.weights.current
    try:
        if current.name != weights.AS_IT_CAME and not _holds(journal, current):
            journal.add(_kept(journal, current))
    except (OSError, SafetensorError) as error:
        journal.give_up(error)
        return
    legend = session.legend
    journal.add(records.Network(session.log.revision, current.name, legend.classes, legend.becomes))
    journal.drop_arrays()


def note_side(journal: SessionJournal, session: Session) -> None:
    """Write down the side information that the session is told now."""
    arrays = {"points": session.side.points, "values": session.side.values}
    try:
        digest = journal.keep_arrays(lambda file: save_arrays(arrays, file)) if len(session.side) else ""
    except (OSError, SafetensorError) as error:
        journal.give_up(error)
        return
    journal.add(records.Side(session.log.revision, digest))
    journal.drop_arrays()


def rebuilt(journal: SessionJournal, opened: Predictor, store: BlockStore, caches: Caches, name: Hashable) -> Session:
    """The session as its journal has it, from the predictor that it was opened with.

    Raises NotFound for weights that are lost, BadRequest for a legend that does not fit.
    """
    state = journal.state
    session = Session(state.opened.raster, store, opened, caches, name)
    session.weights.adopt(JournalArchive(journal, opened), state.weights)
    if state.network is not None:
        session.weights.use(session.weights.find(state.current))
        learning.set_legend(session, 0, 1, state.network.classes, state.network.becomes)
    if state.side is not None and state.side.digest:
        session.side = _side(journal, state.side.digest)
    session.resume(state.log.marks, state.log.revision)
    return session


def _holds(journal: SessionJournal, learnt: weights.Weights) -> bool:
    """Are they there, as they are now? The legend may have grown since."""
    record = journal.state.weights.get(learnt.name)
    same = record is not None and len(record.classes) == len(learnt.predictor.spec.classes)
    return record is not None and same and journal.arrays(record.digest).is_file()


def _kept(journal: SessionJournal, learnt: weights.Weights) -> records.Weights:
    tensors = {name: tensor.contiguous() for name, tensor in learnt.predictor.network.state_dict().items()}
    digest = journal.keep_arrays(lambda file: save_file(tensors, file))
    return records.Weights(learnt.name, digest, learnt.predictor.spec.classes, learnt.encoder, learnt.lessons)


def _loaded(journal: SessionJournal, kept: records.Weights, opened: Predictor) -> weights.Weights:
    """Tensors that are those of the model as it came are shared with it, as they were when it learnt."""
    file = _found(journal, kept.digest)
    spec = replace(opened.spec, classes=kept.classes)
    network, known = registry.build(spec), opened.network.state_dict()
    try:
        tensors = {name: _shared(known.get(name), tensor) for name, tensor in load_file(file).items()}
        network.load_state_dict(tensors, assign=True)
    except (OSError, SafetensorError, RuntimeError) as error:  # a RuntimeError: names or shapes differ
        raise NotFound("Weights that the session learnt cannot be read.", "Learn again.") from error
    return weights.Weights(kept.name, opened.successor(network, spec), kept.encoder, kept.lessons)


def _side(journal: SessionJournal, digest: str) -> SideInformation:
    try:
        return SideInformation(**load_arrays(_found(journal, digest)))
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise NotFound("The session's side information cannot be read.", "Open it again.") from error


def _found(journal: SessionJournal, digest: str) -> Path:
    file = journal.arrays(digest)
    if not file.is_file() or file_digest(file) != digest:
        raise NotFound("Weights or side information of the session are lost.", "Open it again.")
    return file


def _shared(known: Optional[Tensor], loaded: Tensor) -> Tensor:
    loaded = loaded if known is None else loaded.to(known.device)
    return known if known is not None and known.shape == loaded.shape and bool((known == loaded).all()) else loaded
