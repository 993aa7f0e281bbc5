"""Keeps what the server holds of each session in step with the plugin, whose state is the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from terrafine.qgis_plugin.requests import Legend, Snapshot, Subject
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import BadRequest
from terrafine.shared.raster import RasterInfo

if TYPE_CHECKING:
    from terrafine.shared.client import Client


class Mirror:
    """Knows what the server holds of each session. For the connection's thread alone."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._held: dict[str, Snapshot] = {}
        self._lives: dict[str, str] = {}

    def holds(self, subject: Subject) -> bool:
        """Is what the server holds known? Not of a session that was opened anew: it counts its revisions anew."""
        return subject.session in self._held and self._lives[subject.session] == subject.life

    def forget(self, session: str) -> bool:
        """The server turned out not to hold the session; did we think it did?"""
        return self._held.pop(session, None) is not None

    def open(self, subject: Subject, info: RasterInfo, snapshot: Snapshot) -> tuple[str, ...]:
        """Begin or resume a session at `snapshot`; returns warnings for the user.

        Whatever a resumed session holds, the plugin's state takes its place. Raises NotFound for weights that the
        server does not have (any more).
        """
        opened = self._client.open_session(subject.session, subject.model.name, info, subject.classes)
        revision, network = opened.revision, snapshot.network
        if revision > 0 or network.legend != Legend.of(subject.model):
            revision = self._set_legend(subject, info, revision, network.legend)
        if network.weights != opened.weights:
            self._client.use_weights(subject.session, revision, revision + 1, network.weights)
            revision += 1
        if subject.model.side.names:
            self._client.set_side_information(subject.session, revision, revision + 1, network.side)
        self._set_marks(subject.session, snapshot)
        self._lives[subject.session] = subject.life
        return opened.warnings

    def _set_legend(self, subject: Subject, info: RasterInfo, revision: int, legend: Legend) -> int:
        """Returns the revision after it. A legend that lacks classes which the server has needs a session anew."""
        try:
            self._client.set_legend(subject.session, revision, revision + 1, legend.classes, legend.becomes)
        except BadRequest:
            self._client.close_session(subject.session)
            revision = self._client.open_session(subject.session, subject.model.name, info, subject.classes).revision
            self._client.set_legend(subject.session, revision, revision + 1, legend.classes, legend.becomes)
        return revision + 1

    def bring(self, session: str, wanted: Snapshot) -> None:
        """Tell the server what changed since it last heard of the session, up to `wanted`.

        Raises RevisionMismatch where the server is not where it was thought to be: it has learnt, say, what was
        cancelled too late.
        """
        held = self._held[session]
        if held.revision == wanted.revision:
            return
        held = self._bring_network(session, held, wanted)
        delta = difference(held, wanted)
        if delta is None:
            self._set_marks(session, wanted)
            return
        self._client.change_annotations(session, delta)
        self._held[session] = wanted

    def learnt(self, session: str, snapshot: Snapshot) -> None:
        """The server has learnt, and holds this now."""
        self._held[session] = snapshot

    def _bring_network(self, session: str, held: Snapshot, wanted: Snapshot) -> Snapshot:
        """Each difference stems from a change of its own, so there are revisions enough between the two for it."""
        revision, network = held.revision, wanted.network
        if network.legend != held.network.legend:
            revision += 1
            self._client.set_legend(session, revision - 1, revision, network.legend.classes, network.legend.becomes)
        if network.weights != held.network.weights:
            revision += 1
            self._client.use_weights(session, revision - 1, revision, network.weights)
        if network.side != held.network.side:
            revision += 1
            self._client.set_side_information(session, revision - 1, revision, network.side)
        if revision == wanted.revision and held.marks == wanted.marks:
            self._held[session] = wanted
            return wanted
        return Snapshot(held.marks, revision, network)

    def _set_marks(self, session: str, snapshot: Snapshot) -> None:
        self._client.set_annotations(session, snapshot.marks, snapshot.revision)
        self._held[session] = snapshot


def difference(before: Snapshot, after: Snapshot) -> Optional[Delta]:
    """The delta from one revision's marks to another's; None where no delta leads there."""
    start = _common(before.marks, after.marks)
    old, new = before.marks[start:], after.marks[start:]
    old_ids, new_ids = {mark.id for mark in old}, {mark.id for mark in new}
    kept = [mark for mark in old if mark.id in new_ids], [mark for mark in new if mark.id in old_ids]
    if kept[0] != kept[1] or after.revision <= before.revision:
        return None
    added = [(place, mark) for place, mark in enumerate(new, start) if mark.id not in old_ids]
    at_the_end = [mark for _, mark in added] == list(after.marks[len(after.marks) - len(added) :])
    return Delta(
        before.revision,
        after.revision,
        added=tuple(mark for _, mark in added),
        removed=tuple(mark.id for mark in old if mark.id not in new_ids),
        places=() if at_the_end else tuple(place for place, _ in added),
    )


def _common(before: tuple[Annotation, ...], after: tuple[Annotation, ...]) -> int:
    """How many marks at the beginning are the same: all but the new one, mostly."""
    pairs = enumerate(zip(before, after))
    return next((place for place, (old, new) in pairs if old is not new), min(len(before), len(after)))
