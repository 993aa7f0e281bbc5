"""A raster and a model at a server, for as long as an algorithm runs, in the algorithm's own thread."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional, Sequence, TypeVar

from qgis.core import QgsProcessingFeedback
from qgis.PyQt.QtCore import Qt

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.link.servers import Server, client_keys, load_servers
from terrafine.qgis_plugin.names import shown
from terrafine.qgis_plugin.processing.base import check
from terrafine.qgis_plugin.rasters.raster import RasterFile, Reader
from terrafine.qgis_plugin.settings import Settings
from terrafine.qgis_plugin.words import warning_in_users_words
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import EngineRestarted, NotFound, TerrafineError
from terrafine.shared.files import share_file
from terrafine.shared.geo import Window
from terrafine.shared.learning import LearnOptions, RankOptions
from terrafine.shared.messages import Learnt, ObjectFound, PatchesRanked, Progress
from terrafine.shared.objects import ObjectGuide
from terrafine.shared.patch import Patch
from terrafine.shared.side import SideInformation
from terrafine.shared.spec import PLAIN, ModelSpec

if TYPE_CHECKING:  # pyzmq may be missing: the algorithms that need no server work all the same
    from terrafine.shared.transport import ClientKeys

CLIENT = "terrafine-processing"
UPLOAD_SHARE = 0.3  # of the progress bar
_Remote = TypeVar("_Remote", bound="Remote")


@dataclass(frozen=True)
class Place:
    """A server, and the keys to it."""

    address: str
    keys: Optional[ClientKeys]


def find_server(wanted: str) -> Place:
    """A server by the name it was saved under, by its address, or, for "", the one that was last connected to.

    In the main thread: QGIS may ask for the master password. Raises ConfigError where the keys cannot be had.
    """
    asked = wanted.strip() or Settings.load().address
    address = asked if "://" in asked else f"tcp://{asked}"
    saved = (server for server in load_servers() if asked == server.name or address == server.address)
    server = next(saved, Server(address))
    return Place(server.address, client_keys(server))


class Remote:
    """A session of its own with one raster and one model: a context manager, which leaves nothing at the server.

    spec    of the model
    reader  of the raster
    info    what the server knows of it
    """

    spec: ModelSpec

    def __init__(self, place: Place, raster: RasterFile, model: str, feedback: QgsProcessingFeedback) -> None:
        self._place, self._raster, self._model, self._feedback = place, raster, model, feedback
        self._session, self._revision = str(uuid.uuid4()), 0
        self.reader = Reader(raster)

    def __enter__(self: _Remote) -> _Remote:
        from terrafine.shared.client import Client
        from terrafine.shared.transport import ZmqTransport

        self.client = Client(ZmqTransport(self._place.address, self._place.keys), CLIENT)
        # Called in the thread that cancels: this one waits for the server, and has no event loop.
        self._feedback.canceled.connect(self.client.cancel, Qt.ConnectionType.DirectConnection)
        try:
            self._open()
        except TerrafineError:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        with contextlib.suppress(TerrafineError):  # the server forgets the session by itself, too
            self.client.close_session(self._session)
        self._close()

    def set_marks(self, marks: Sequence[Annotation]) -> None:
        """Revision 1 of the map has these marks."""
        self._revision = 1
        self.client.set_annotations(self._session, marks, self._revision)

    def tell(self, side: SideInformation) -> None:
        """The next revision of the map is of a model that was told this."""
        self.client.set_side_information(self._session, self._revision, self._revision + 1, side)
        self._revision += 1

    def classify(self, window: Window, begin: float = 0.0, detail: str = PLAIN) -> Iterator[Patch]:
        """Finished patches of the map; the progress bar runs from `begin` to 1."""
        ask = partial(self.client.predict, self._session, window, self._read, detail=detail)
        return self._patches(_asked_again(ask), begin, 1.0)

    def measure_uncertainty(self, window: Window, method: str) -> Iterator[Patch]:
        ask = partial(self.client.measure_uncertainty, self._session, window, self._read, method)
        return self._patches(_asked_again(ask), 0.0, 1.0)

    def rank(self, window: Window, options: RankOptions) -> PatchesRanked:
        ask = partial(self.client.rank_patches, self._session, window, self._read, options)
        return self._last(_asked_again(ask), 0.0, 1.0)

    def learn(self, options: LearnOptions, end: float) -> Learnt:
        """Learn from the marks, which makes revision 2; the progress bar runs to `end`."""
        return self._last(self.client.learn(self._session, 1, 2, self._read, options), 0.0, end)

    def save_model(self, name: str, title: str) -> ModelSpec:
        return self.client.save_model(self._session, name, title)

    def _open(self) -> None:
        roots = self.client.hello().roots
        self.spec = self._chosen(self.client.models())
        self.info = self.reader.describe(self.spec)
        opened = self.client.open_session(self._session, self.spec.name, self.info)
        for warning in opened.warnings:
            self._feedback.pushWarning(warning_in_users_words(warning))
        share_file(self.client, self._session, self.info.grid, self._raster.path, roots, self._read)

    def _chosen(self, models: Sequence[ModelSpec]) -> ModelSpec:
        """The model that the session is opened with."""
        return _choose([spec for spec in models if spec.task == "map"], self._model)

    def _close(self) -> None:
        self._feedback.canceled.disconnect(self.client.cancel)
        self.client.close()

    def _read(self, block: Window) -> Patch:
        return self.reader.read(self.info, block)

    def _patches(self, replies: Iterator[Any], begin: float, end: float) -> Iterator[Patch]:
        for reply in replies:
            check(self._feedback)
            if isinstance(reply, Patch):
                yield reply
            elif isinstance(reply, Progress):
                self._show(reply, begin, end)

    def _last(self, replies: Iterator[Any], begin: float, end: float) -> Any:
        """The final reply."""
        for reply in replies:
            check(self._feedback)
            if isinstance(reply, Progress):
                self._show(reply, begin, end)
        return reply

    def _show(self, progress: Progress, begin: float, end: float) -> None:
        """Sending pixels takes the first part of the progress bar, the work itself the rest."""
        done = progress.done / max(1, progress.total)
        part = UPLOAD_SHARE * done if progress.stage == "upload" else UPLOAD_SHARE + (1.0 - UPLOAD_SHARE) * done
        self._feedback.setProgress(100.0 * (begin + (end - begin) * part))


def _asked_again(ask: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """Ask, and ask once more if the server's engine breaks down: the session, with its marks, comes back."""
    try:
        yield from ask()
    except EngineRestarted:
        yield from ask()


class ObjectRemote(Remote):
    """A session in which single objects are found, by the model that was asked for.

    finder  that model; `spec` is another, which sees the bands that it needs
    """

    finder: ModelSpec

    def find(self, guide: ObjectGuide, begin: float, end: float) -> ObjectFound:
        """One object; its box meets the raster. The progress bar runs from `begin` to `end`."""
        found = self._last(self.client.find_object(self._session, self.finder.name, guide, self._read), begin, end)
        self._feedback.setProgress(100.0 * end)
        return found

    def _chosen(self, models: Sequence[ModelSpec]) -> ModelSpec:
        self.finder = _choose([spec for spec in models if spec.task == "object"], self._model)
        seeing = [spec for spec in models if spec.task == "map" and set(spec.bands) >= set(self.finder.bands)]
        if not seeing:
            raise NotFound(f"The server has no other model that sees {', '.join(self.finder.bands)}.")
        return min(seeing, key=lambda spec: len(spec.bands))


def _choose(models: Sequence[ModelSpec], wanted: str) -> ModelSpec:
    """The model of that name or title; for "" the one last used, or the server's first."""
    if wanted:
        found = [spec for spec in models if wanted in (spec.name, spec.title, shown(spec.title))]
    else:
        found = [spec for spec in models if spec.name == Settings.load().model] or list(models)
    if not found:
        names = ", ".join(spec.name for spec in models) or "none"
        raise NotFound(
            tr("The server has no model '{name}'.").format(name=wanted),
            tr("Its models are: {names}.").format(names=names),
        )
    return found[0]
