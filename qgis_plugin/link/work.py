"""What each request means to the server, and which events come of it. For the connection's thread."""

from __future__ import annotations

from dataclasses import replace
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Callable, Iterator, Sequence, TypeVar

from terrafine.qgis_plugin.effects import Effect
from terrafine.qgis_plugin.link.mirror import Mirror
from terrafine.qgis_plugin.requests import (
    Advise,
    FindObject,
    Learn,
    MeasureUncertainty,
    Predict,
    RankPatches,
    SaveModel,
    ServerRequest,
    Snapshot,
)
from terrafine.shared.errors import RevisionMismatch
from terrafine.shared.files import share_file
from terrafine.shared.geo import Window
from terrafine.shared.messages import Advice, Learnt, ObjectFound, PatchesRanked, Progress
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo

if TYPE_CHECKING:
    from terrafine.qgis_plugin.controller import Controller
    from terrafine.shared.client import Client

Event = Callable[["Controller"], "list[Effect]"]
ReadPixels = Callable[[Window], Patch]
_Reply = TypeVar("_Reply")


class ServerWork:
    """`tell` passes an event on; `check` raises Cancelled once a newer request is wanted; `roots` are the server's."""

    def __init__(
        self,
        client: Client,
        tell: Callable[[Event], None],
        check: Callable[[ServerRequest], None],
        roots: Sequence[str] = (),
    ) -> None:
        self._client, self._tell, self._check, self._roots = client, tell, check, roots
        self.mirror = Mirror(client)
        self._doers: dict[type, Callable[[Any, ReadPixels], None]] = {
            Predict: self._predict,
            Learn: self._learn,
            MeasureUncertainty: self._measure,
            RankPatches: self._rank,
            Advise: self._advise,
            FindObject: self._find,
            SaveModel: self._save,
        }

    def do(self, request: ServerRequest, info: RasterInfo, read: ReadPixels) -> None:
        """Bring the server where the plugin is, then ask; from the start if it turns out to be elsewhere."""
        subject = request.subject
        if not self.mirror.holds(subject):
            shown = request.shown if isinstance(request, Predict) else None
            warnings = self.mirror.open(subject, info, shown or request.now)
            self._tell(methodcaller("warned", request.job, warnings))
            share_file(self._client, subject.session, info.grid, subject.raster.path, self._roots, read)
        try:
            self.mirror.bring(subject.session, request.now)
            self._doers[type(request)](request, read)
        except RevisionMismatch:
            self.mirror.open(subject, info, request.now)
            self._doers[type(request)](request, read)

    def _predict(self, request: Predict, read: ReadPixels) -> None:
        session, since = request.subject.session, request.shown.revision if request.shown else None
        replies = self._client.predict(session, request.window, read, since, detail=request.detail)
        for reply in self._watched(request, replies):
            if isinstance(reply, Patch):
                self._tell(methodcaller("patched", request.job, reply))
        self._tell(methodcaller("done", request.job))

    def _advise(self, request: Advise, read: ReadPixels) -> None:
        for reply in self._watched(request, self._client.advise(request.subject.session, request.since, read)):
            if isinstance(reply, Advice):
                self._tell(methodcaller("advised", request.job, reply))

    def _find(self, request: FindObject, read: ReadPixels) -> None:
        replies = self._client.find_object(request.subject.session, request.finder, request.guide, read)
        for reply in self._watched(request, replies):
            if isinstance(reply, ObjectFound):
                self._tell(methodcaller("object_found", request.job, reply))

    def _learn(self, request: Learn, read: ReadPixels) -> None:
        session, now = request.subject.session, request.now
        replies = self._client.learn(session, now.revision, request.revision, read, request.options)
        for reply in self._watched(request, replies):
            if isinstance(reply, Learnt):
                network = replace(now.network, weights=reply.weights)
                self.mirror.learnt(session, Snapshot(now.marks, request.revision, network))
                self._tell(methodcaller("learnt", request.job, reply))

    def _measure(self, request: MeasureUncertainty, read: ReadPixels) -> None:
        replies = self._client.measure_uncertainty(
            request.subject.session, request.window, read, request.method, request.factor
        )
        for reply in self._watched(request, replies):
            if isinstance(reply, Patch):
                self._tell(methodcaller("measured", request.job, reply))
        self._tell(methodcaller("done", request.job))

    def _rank(self, request: RankPatches, read: ReadPixels) -> None:
        replies = self._client.rank_patches(request.subject.session, request.window, read, request.options)
        for reply in self._watched(request, replies):
            if isinstance(reply, PatchesRanked):
                self._tell(methodcaller("ranked", request.job, reply.patches))

    def _save(self, request: SaveModel, _read: ReadPixels) -> None:
        model = self._client.save_model(request.subject.session, request.name, request.title)
        models = self._client.models()
        self._tell(methodcaller("model_saved", request.job, model, models))

    def _watched(self, request: ServerRequest, replies: Iterator[_Reply]) -> Iterator[_Reply]:
        """The replies, as long as nothing newer is wanted; progress is told at once."""
        for reply in replies:
            self._check(request)
            if isinstance(reply, Progress):
                self._tell(methodcaller("progressed", request.job, reply))
            else:
                yield reply
