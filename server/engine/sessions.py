"""The sessions of all clients. Each is found by who opened it and by its name, so nobody meets another's.

Those used last are open, in memory; the others are in their journals, and open again when they are asked for.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Optional

from terrafine.models.infer import Predictor
from terrafine.server.engine.learning import with_legend
from terrafine.server.engine.session import Caches, Session
from terrafine.server.engine.weights import rest_oldest
from terrafine.server.journal.folder import MAX_KEPT, MAX_SESSIONS, StateFolder, expired
from terrafine.server.journal.rebuild import JournalArchive, note_network, note_side, rebuilt
from terrafine.server.journal.records import File, Record
from terrafine.server.journal.session import SessionJournal
from terrafine.server.journal.state import SessionState
from terrafine.server.rasters.contents import ContentStore
from terrafine.server.rasters.pixels import BlockStore, PixelSource
from terrafine.server.rasters.shared_files import DataRoots, SharedFile
from terrafine.server.zoo import Zoo
from terrafine.shared.errors import NotFound, TerrafineError
from terrafine.shared.messages import OpenSession
from terrafine.shared.raster import check_fit

log = logging.getLogger(__name__)
Key = tuple[str, str]  # the client's identity, which it cannot choose, and the session's name, which it does


@dataclass
class Kept:
    """A session that a client opened: its journal, the store of its pixels, and, while it is open, itself."""

    journal: SessionJournal
    store: BlockStore
    opened: Optional[Session] = None

    @property
    def session(self) -> Session:
        if self.opened is None:
            raise NotFound("The session is not open.")
        return self.opened

    def goes_on(self, request: OpenSession) -> bool:
        """Is this the session that is asked for? By the legend that it was opened with, or the one it has by now."""
        state = self.journal.state
        classes = (state.opened.classes, self.session.legend.classes)
        same = (state.opened.model, state.opened.raster) == (request.model, request.raster)
        return same and request.classes in classes

    def note(self, record: Record) -> None:
        """Write down a change of the marks or the pixels that was made."""
        self.journal.add(record)

    def use_file(self, file: SharedFile) -> None:
        """Take the pixels from there, which are those that the client has."""
        known = File(file.path, file.stamp)
        if isinstance(self.session.source, SharedFile) and self.journal.state.file == known:
            file.close()
            return
        self._take_pixels_from(file, known)

    def check_file(self) -> None:
        """A file that is not what it was any more is left: from then on its pixels are missing, and can be sent."""
        source = self.session.source
        if isinstance(source, SharedFile) and not source.is_current:
            log.warning("'%s' was changed: a session reads it no more", source.path)
            self._take_pixels_from(self.store, File("", ""))

    def shut(self) -> None:
        """The session goes on in its journal."""
        if self.opened is not None and self.opened.source is not self.store:
            self.opened.source.close()
        self.opened = None

    def _take_pixels_from(self, source: PixelSource, known: File) -> None:
        before = self.session.source
        self.session.read_from(source)
        self.note(known)
        if before is not self.store:
            before.close()

    def note_side(self) -> None:
        """Likewise of the side information."""
        note_side(self.journal, self.session)


class Sessions:
    """For one thread. `contents` and `caches` are shared in memory only: nothing in them is found by another client."""

    def __init__(self, zoo: Zoo, state: Optional[StateFolder] = None, roots: Optional[DataRoots] = None) -> None:
        """`state` is where the sessions of an earlier run are, `roots` where their files are; by default, none."""
        self._state = state if state is not None else StateFolder()
        self.caches = Caches()
        self.contents = ContentStore(lasting=self._state.pixels, is_shared=self._state.is_shared)
        self._zoo = zoo
        self._roots = roots if roots is not None else DataRoots()
        self._kept: OrderedDict[Key, Kept] = OrderedDict()  # the one used longest ago first
        self._adopt()

    def __len__(self) -> int:
        """How many are open."""
        return sum(kept.opened is not None for kept in list(self._kept.values()))  # another thread may ask

    @property
    def last_model(self) -> str:
        """The model of the session used last; "" without any."""
        return next((kept.journal.state.opened.model for kept in reversed(self._kept.values())), "")

    def figures(self) -> dict[str, int]:
        """For the administrator: how many are open, what they hold of what they learnt, and what is in the caches."""
        caches = {f"{name}_cache_bytes": cache.nbytes for name, cache in self.caches.by_name().items()}
        opened = [session for kept in list(self._kept.values()) if (session := kept.opened)]  # for another thread
        return {"sessions": len(opened), "weights_bytes": sum(each.weights.nbytes for each in opened), **caches}

    def open(self, client: str, request: OpenSession) -> Session:
        """The client's session of this name; one with another raster, model or legend begins anew."""
        kept = self._ready((client, request.session))
        if kept is None or not kept.goes_on(request):
            kept = self._new(client, request)
        return kept.session

    def find(self, client: str, name: str) -> Kept:
        """Raises NotFound for a session that this client does not have, whoever else may have one of that name."""
        kept = self._ready((client, name))
        if kept is None:
            raise NotFound("The server does not hold this session (any more).", "Open it again.")
        return kept

    def note_network(self, kept: Kept) -> None:
        """Write down that the weights or the legend of a session are others now, and have too many weights rest."""
        note_network(kept.journal, kept.session)
        self._rest_weights()

    def state(self, client: str, name: str) -> Optional[SessionState]:
        """What the journal of a session has that was asked for here; None for any other."""
        kept = self._kept.get((client, name))
        return kept.journal.state if kept is not None else None

    def is_open(self, client: str, name: str) -> bool:
        """Is this session in memory?"""
        kept = self._kept.get((client, name))
        return kept is not None and kept.opened is not None

    def rest(self, client: str, name: str) -> None:
        """Have a session go on in its journal until it is asked for; one that is not open does already."""
        if self.is_open(client, name):
            self._kept[client, name].shut()
            self.caches.drop((client, name))

    def close(self, client: str, name: str) -> None:
        """Forget a session and what only it uses; one that is not there is closed already."""
        kept = self._known((client, name))
        if kept is not None:
            del self._kept[client, name]
            kept.shut()
            kept.store.close()
            kept.journal.remove()
            self.caches.drop((client, name))

    def leave(self, client: str, name: str) -> None:
        """Let go of a session, which goes on in its journal."""
        kept = self._kept.pop((client, name), None)
        if kept is not None:
            kept.shut()
            kept.store.close()
            kept.journal.close()
            self.caches.drop((client, name))

    def close_client(self, client: str) -> None:
        """Forget all that a client has here."""
        for key in [key for key in self._kept if key[0] == client]:
            self.close(*key)

    def expire(self, keep_days: float) -> None:
        """Forget the sessions that were not used for so long."""
        for key, kept in list(self._kept.items()):
            if expired(kept.journal, keep_days):
                self.close(*key)

    def sync(self) -> None:
        """What was written down survives the power's end from here on."""
        for kept in self._kept.values():
            kept.journal.sync()

    def close_all(self) -> None:
        """Let go of all sessions; those in a lasting folder are there again at the next start."""
        self.sync()
        for kept in self._kept.values():
            kept.shut()
            kept.journal.close()
        self._kept.clear()
        self.caches.clear()
        self.contents.close()
        self._state.close()

    def _adopt(self) -> None:
        """Take on what an earlier run left."""
        for journal in self._state.read_all():
            self._keep(journal)
        if not self._state.is_shared:
            self.contents.sweep()

    def _keep(self, journal: SessionJournal) -> None:
        state = journal.state
        store = BlockStore(state.opened.raster, self.contents, state.client)
        store.adopt(state.blocks)
        self._kept[state.client, state.opened.session] = Kept(journal, store)

    def _known(self, key: Key) -> Optional[Kept]:
        """The session, open or not, which another engine may have left; None if there is none."""
        if key not in self._kept and (journal := self._state.find(*key)) is not None:
            self._keep(journal)
        return self._kept.get(key)

    def _ready(self, key: Key) -> Optional[Kept]:
        """The session, open; None if there is none, or it cannot be opened again."""
        kept = self._known(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        kept.journal.touch()
        try:
            self._wake(key, kept)
        except TerrafineError as error:
            log.warning("a session cannot be opened again: %s", error)
            self.close(*key)
            return None
        return kept

    def _wake(self, key: Key, kept: Kept) -> None:
        """Have the session open, and its weights in memory."""
        if kept.opened is None:
            self._make_room(key[0])
            kept.opened = self._rebuilt(key, kept)
            self._find_file(kept)
        _ = kept.opened.weights.current
        self._rest_weights()

    def _rest_weights(self) -> None:
        """Those learnt of sessions that were not used for long, where all take too much; one is at work."""
        rest_oldest([kept.opened.weights for kept in self._kept.values() if kept.opened is not None])

    def _rebuilt(self, key: Key, kept: Kept) -> Session:
        """Raises NotFound where its model is another by now: no map is made of both."""
        state = kept.journal.state
        predictor = self._zoo.predictor(state.opened.model)
        if state.model != self._zoo.digest(state.opened.model):
            raise NotFound(f"'{state.opened.model}' is another model than it was.", "Open the session again.")
        return rebuilt(kept.journal, _fitted(predictor, state.opened), kept.store, self.caches, key)

    def _find_file(self, kept: Kept) -> None:
        """That the session read from, if it is what it was; otherwise its pixels are missing."""
        known = kept.journal.state.file
        if known is None:
            return
        try:
            file = self._roots.open(known.path, kept.session.info)
        except TerrafineError as error:
            log.warning("a session's file cannot be opened again: %s", error)
            return
        if file.stamp == known.stamp:
            kept.session.read_from(file)
        else:
            file.close()

    def _new(self, client: str, request: OpenSession) -> Kept:
        predictor = _fitted(self._zoo.predictor(request.model), request)
        self.close(client, request.session)
        self._forget_oldest(client)
        self._make_room(client)
        store, key = BlockStore(request.raster, self.contents, client), (client, request.session)
        session = Session(request.raster, store, predictor, self.caches, key)
        journal = self._state.begin(client, request, self._zoo.digest(request.model))
        session.weights.archive = JournalArchive(journal, predictor)
        self._kept[key] = Kept(journal, store, session)
        return self._kept[key]

    def _forget_oldest(self, client: str) -> None:
        """So that there is room for one more session of this client in the journals."""
        own = [key for key in self._kept if key[0] == client]
        for key in own[: max(0, len(own) - MAX_KEPT + 1)]:
            self.close(*key)

    def _make_room(self, client: str) -> None:
        """For one more open session of this client; those used longest ago go on in their journals."""
        opened = [key for key, kept in self._kept.items() if key[0] == client and kept.opened is not None]
        for key in opened[: max(0, len(opened) - MAX_SESSIONS + 1)]:
            self.rest(*key)


def _fitted(predictor: Predictor, request: OpenSession) -> Predictor:
    check_fit(request.raster, predictor.spec)
    return with_legend(predictor, request.classes) if request.classes else predictor
