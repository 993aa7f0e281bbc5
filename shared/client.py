"""The client's side of the protocol, for QGIS, the demo and the tests alike: a method for every request.

A Client and its transport belong to one thread; only `cancel` may be called from another. Every call raises the error
that the server meant (errors.py), or ConnectionFailed where the server is gone or silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, Optional, Sequence, Union

from terrafine.shared import messages as m
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.conversation import IDLE_TIMEOUT_S, PING_TIMEOUT_S, Conversation
from terrafine.shared.geo import Window
from terrafine.shared.learning import LearnOptions, RankOptions
from terrafine.shared.objects import ObjectGuide
from terrafine.shared.patch import Patch, digest
from terrafine.shared.pixel_request import NeedsPixels, PixelRequest
from terrafine.shared.raster import RasterInfo
from terrafine.shared.side import SideInformation
from terrafine.shared.spec import PLAIN, LandCover, ModelSpec
from terrafine.shared.upload import ReadPixels

if TYPE_CHECKING:  # ZeroMQ may be missing where a client is only named
    from terrafine.shared.transport import Transport


class Client:
    """Asks a server, one thing at a time.

    name            who asks, for the server's log: "terrafine-qgis 0.1.0"
    idle_timeout_s, ping_timeout_s   after so long without a word the server is pinged; and given up, without an answer

    Requests that need pixels return an iterator: Progress and Patches as they come, the final reply at the end. Pixels
    that the session lacks are read with `read_pixels(block)`, a Patch of RasterInfo.file_bands, and sent if the server
    does not know their content; a large map is made meanwhile. If the iterator is closed or dropped before its end, the
    server is told to stop with the next request.
    """

    def __init__(
        self,
        transport: Transport,
        name: str = "terrafine",
        idle_timeout_s: float = IDLE_TIMEOUT_S,
        ping_timeout_s: float = PING_TIMEOUT_S,
    ) -> None:
        self.name = name
        self._talk = Conversation(transport, idle_timeout_s, ping_timeout_s)

    @property
    def bytes_sent(self) -> int:
        """Bytes of the frames of all messages so far; `bytes_received` likewise."""
        return self._talk.bytes_sent

    @property
    def bytes_received(self) -> int:
        return self._talk.bytes_received

    def hello(self) -> m.Welcome:
        return self._talk.ask(m.Hello(self.name), m.Welcome)

    def ping(self) -> m.Pong:
        return self._talk.ask(m.Ping(), m.Pong)

    def models(self) -> tuple[ModelSpec, ...]:
        return self._talk.ask(m.ListModels(), m.Models).models

    def open_session(
        self, session: str, model: str, raster: RasterInfo, classes: Sequence[LandCover] = ()
    ) -> m.SessionOpened:
        return self._talk.ask(m.OpenSession(session, model, raster, tuple(classes)), m.SessionOpened)

    def close_session(self, session: str) -> None:
        self._talk.ask(m.CloseSession(session), m.SessionClosed)

    def put_pixels(self, session: str, patch: Patch) -> None:
        self._talk.ask(m.PutPixels(session, patch), m.PixelsStored)

    def open_file(self, session: str, path: str, nbytes: int, samples: Sequence[Patch]) -> None:
        """Have the server read the session's pixels from a file in one of its roots; see files.share_file.

        Raises NotFound where it has none of that name, UnusableRaster where it is not the one that was sampled.
        """
        windows, digests = tuple(patch.window for patch in samples), tuple(map(digest, samples))
        self._talk.ask(m.OpenFile(session, path, nbytes, windows, digests), m.FileOpened)

    # ---- what changes the map: from revision to revision, RevisionMismatch means `set_annotations` ----------------

    def change_annotations(self, session: str, delta: Delta) -> m.AnnotationsChanged:
        return self._talk.ask(m.ChangeAnnotations(session, delta), m.AnnotationsChanged)

    def set_annotations(self, session: str, marks: Sequence[Annotation], revision: int) -> m.AnnotationsChanged:
        return self._talk.ask(m.SetAnnotations(session, tuple(marks), revision), m.AnnotationsChanged)

    def learn(
        self,
        session: str,
        base: int,
        revision: int,
        read_pixels: ReadPixels,
        options: LearnOptions = LearnOptions(),  # noqa: B008  frozen
    ) -> Iterator[Union[m.Progress, m.Learnt]]:
        """Retrain on the session's marks; Learnt at the end."""
        return self._asked(m.Learn(session, base, revision, options), read_pixels, m.Learnt)

    def use_weights(self, session: str, base: int, revision: int, weights: str) -> m.MapChanged:
        return self._talk.ask(m.UseWeights(session, base, revision, weights), m.MapChanged)

    def set_legend(
        self, session: str, base: int, revision: int, classes: Sequence[LandCover], becomes: Sequence[int]
    ) -> m.MapChanged:
        return self._talk.ask(m.SetLegend(session, base, revision, tuple(classes), tuple(becomes)), m.MapChanged)

    def set_side_information(self, session: str, base: int, revision: int, side: SideInformation) -> m.MapChanged:
        return self._talk.ask(m.SetSideInformation(session, base, revision, side), m.MapChanged)

    def save_model(self, session: str, name: str, title: str) -> ModelSpec:
        return self._talk.ask(m.SaveModel(session, name, title), m.ModelSaved).model

    # ---- what looks at the map -------------------------------------------------------------------------------------

    def predict(
        self,
        session: str,
        window: Window,
        read_pixels: ReadPixels,
        changed_since: Optional[int] = None,
        uncertainty: str = "",
        detail: str = PLAIN,
    ) -> Iterator[Union[m.Progress, Patch, m.Done]]:
        """Classify `window`; Done at the end. With a method of `uncertainty`, a second band has that."""
        method = uncertainty or m.Predict.method
        request = m.Predict(session, window, changed_since, bool(uncertainty), detail, method)
        return self._asked(request, read_pixels, m.Done)

    def measure_uncertainty(
        self, session: str, window: Window, read_pixels: ReadPixels, method: str = "entropy", factor: int = 1
    ) -> Iterator[Union[m.Progress, Patch, m.Done]]:
        """Patches of one band, 0 … 254 for 0 … 1, 255 for no data, on the raster's grid divided by `factor`."""
        return self._asked(m.MeasureUncertainty(session, window, method, factor), read_pixels, m.Done)

    def rank_patches(
        self,
        session: str,
        window: Window,
        read_pixels: ReadPixels,
        options: RankOptions = RankOptions(),  # noqa: B008  frozen
    ) -> Iterator[Union[m.Progress, m.PatchesRanked]]:
        """Where to look next; PatchesRanked at the end."""
        return self._asked(m.RankPatches(session, window, options), read_pixels, m.PatchesRanked)

    def advise(self, session: str, since: int, read_pixels: ReadPixels) -> Iterator[Union[m.Progress, m.Advice]]:
        """Whether the change since revision `since` calls for more marks or for learning; Advice at the end."""
        return self._asked(m.Advise(session, since), read_pixels, m.Advice)

    def find_object(
        self, session: str, model: str, guide: ObjectGuide, read_pixels: ReadPixels
    ) -> Iterator[Union[m.Progress, m.ObjectFound]]:
        """One object from a box and clicks, by a model for that; ObjectFound at the end."""
        return self._asked(m.FindObject(session, model, guide), read_pixels, m.ObjectFound)

    def _asked(self, request: NeedsPixels, read_pixels: ReadPixels, last: type) -> Iterator:
        return PixelRequest(self._talk, request, read_pixels, last).replies()

    def cancel(self) -> None:
        """Make the iterator that is running raise Cancelled; without one, nothing happens. From any thread."""
        self._talk.cancel()

    def close(self) -> None:
        self._talk.close()
