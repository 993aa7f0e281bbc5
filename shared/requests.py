"""What clients ask, one frozen dataclass each; the arrow names the replies. docs/protocol.md says what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Union

from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.geo import Window
from terrafine.shared.learning import MOST_FACTOR, LearnOptions, RankOptions
from terrafine.shared.objects import ObjectGuide
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.side import SideInformation
from terrafine.shared.spec import DETAILS, PLAIN, LandCover


@dataclass(frozen=True)
class Hello:
    """First message of a connection. → Welcome"""

    client: str  # "terrafine-qgis 0.1.0"


@dataclass(frozen=True)
class Ping:
    """Answered by the socket thread at once, whatever the engine does. → Pong"""


@dataclass(frozen=True)
class ListModels:
    """→ Models"""


@dataclass(frozen=True)
class OpenSession:
    """Begin work on one raster with one model. → SessionOpened

    `session` is chosen by the client (a UUID) and kept in its project; opening one that the server still holds resumes
    it. `classes` is a legend of the analyst's own, empty for the model's: classes that the model knows by the same name
    go on, others have to be learnt.
    """

    session: str
    model: str
    raster: RasterInfo
    classes: tuple[LandCover, ...] = ()


@dataclass(frozen=True)
class OfferPixels:
    """Blocks of pixels by what they hold: those whose content the server has need not travel. → MissingPixels

    `windows` are blocks of the upload grid, `digests` their contents' (patch.digest), in the same order. Raises
    ValueError where these do not fit together.
    """

    session: str
    windows: tuple[Window, ...]
    digests: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_digests(self.windows, self.digests)


@dataclass(frozen=True)
class OpenFile:
    """Have the session's pixels read from a file that the server sees, too: none of them need travel. → FileOpened

    path      of the file in one of `Welcome.roots`: the root's name, folders and the file's, with "/" between them
    nbytes    of the file, as the client sees it
    windows, digests   what the client reads there, so that another file of that name is told from it; blocks of the
              upload grid, as in OfferPixels

    Raises ValueError where these do not fit together.
    """

    session: str
    path: str
    nbytes: int
    windows: tuple[Window, ...]
    digests: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_digests(self.windows, self.digests)


@dataclass(frozen=True)
class PutPixels:
    """Hand over one block of pixels. → PixelsStored

    `patch.array` holds RasterInfo.file_bands in the raster's dtype; `patch.window` is one block of the upload grid.
    """

    session: str
    patch: Patch


@dataclass(frozen=True)
class ChangeAnnotations:
    """Append, remove, undo or redo marks: the delta says all. → AnnotationsChanged, or RevisionMismatch"""

    session: str
    delta: Delta


@dataclass(frozen=True)
class SetAnnotations:
    """Replace the server's marks with the client's, after a reconnect say. → AnnotationsChanged"""

    session: str
    annotations: tuple[Annotation, ...]
    revision: int


@dataclass(frozen=True)
class Predict:
    """Classify a window at the session's current marks. → MissingPixels | Progress and PatchReady …, Done

    With `changed_since` only those parts of `window` are sent that differ from the map of that revision, in the same
    `detail`, one of spec.DETAILS; all but "plain" only where the model has ModelSpec.detail. A newer ChangeAnnotations
    or Predict of the same session supersedes this one (error "superseded"). With `uncertainty`, a second band has that
    of `method`, one of the model's ModelSpec.uncertainty. With `after`, the map is made as its pixels come, without its
    first `after` patches, and ends with MissingPixels where they fail it. Raises ValueError for another detail.
    """

    session: str
    window: Window
    changed_since: Optional[int] = None
    uncertainty: bool = False
    detail: str = PLAIN
    method: str = "entropy"
    after: Optional[int] = None

    def __post_init__(self) -> None:
        if self.detail not in DETAILS:
            raise ValueError(f"detail is one of {', '.join(DETAILS)}, not '{self.detail}'")
        if (self.after or 0) < 0:
            raise ValueError(f"no map has {self.after} patches")


@dataclass(frozen=True)
class MeasureUncertainty:
    """How unsure the map is within a window, apart from the map. → MissingPixels | Progress and PatchReady …, Done

    `method` is one of the model's ModelSpec.uncertainty. `factor` is the side, in raster pixels, of the square whose
    mean one value is: patches lie on the raster's grid divided by it. Raises ValueError for other than 1 … MOST_FACTOR.
    """

    session: str
    window: Window
    method: str = "entropy"
    factor: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.factor <= MOST_FACTOR:
            raise ValueError(f"an uncertainty map is reduced by 1 to {MOST_FACTOR}, not {self.factor}")


@dataclass(frozen=True)
class RankPatches:
    """Where to look next. → MissingPixels | Progress …, PatchesRanked"""

    session: str
    window: Window
    options: RankOptions = RankOptions()


@dataclass(frozen=True)
class Advise:
    """Does what was marked since revision `since` call for more marks or for learning? → MissingPixels | Advice"""

    session: str
    since: int


@dataclass(frozen=True)
class FindObject:
    """One object from a box and clicks, by a model whose task that is. → MissingPixels | ObjectFound

    Nothing is changed by it. `model` needs bands that the session's model sees. Each click sends all of them again:
    what the server saw of the box is kept. A newer FindObject of the same session supersedes this one.
    """

    session: str
    model: str
    guide: ObjectGuide


@dataclass(frozen=True)
class Learn:
    """Retrain the session's network on its marks (DISCA). → MissingPixels | Progress …, Learnt, or RevisionMismatch

    A change of the map like one of the marks: it leads from revision `base` to `revision`. Cancelled or failed, it has
    changed nothing.
    """

    session: str
    base: int
    revision: int
    options: LearnOptions = LearnOptions()


@dataclass(frozen=True)
class UseWeights:
    """Go to weights that the session had: undo and redo of learning; "" is the model as it came. → MapChanged"""

    session: str
    base: int
    revision: int
    weights: str


@dataclass(frozen=True)
class SetLegend:
    """Add classes at the end, rename, recolour, merge and remove. → MapChanged

    Ids never change, so that maps and marks stay what they are. `becomes` has for each class the id that it is shown
    as: its own, that of the class it was merged into, or -1 if it was removed and the next likely class is shown.
    """

    session: str
    base: int
    revision: int
    classes: tuple[LandCover, ...]
    becomes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.becomes) != len(self.classes):
            raise ValueError(f"{len(self.becomes)} entries of 'becomes' do not fit {len(self.classes)} classes")


@dataclass(frozen=True)
class SetSideInformation:
    """What a model that takes side information is told besides marks, instead of what it was told before. → MapChanged

    Values are as they were measured, a number for each of `ModelSpec.side.names`; no points: it is told nothing.
    """

    session: str
    base: int
    revision: int
    side: SideInformation


@dataclass(frozen=True)
class SaveModel:
    """Keep what the session has learnt as a model of the server's, under a name that is free. → ModelSaved"""

    session: str
    name: str
    title: str


@dataclass(frozen=True)
class Cancel:
    """Stop the request with this id; it ends with the error "cancelled". → Cancelling, answered by the socket thread"""

    request: str


@dataclass(frozen=True)
class CloseSession:
    """Forget a session, and the pixels that no other session has. → SessionClosed"""

    session: str


Request = Union[
    Hello,
    Ping,
    ListModels,
    OpenSession,
    OfferPixels,
    OpenFile,
    PutPixels,
    ChangeAnnotations,
    SetAnnotations,
    Predict,
    MeasureUncertainty,
    RankPatches,
    Advise,
    FindObject,
    Learn,
    UseWeights,
    SetLegend,
    SetSideInformation,
    SaveModel,
    Cancel,
    CloseSession,
]


def _check_digests(windows: tuple[Window, ...], digests: tuple[str, ...]) -> None:
    if len(windows) != len(digests):
        raise ValueError(f"{len(windows)} windows do not fit {len(digests)} digests")
    if not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests):
        raise ValueError("a digest is 64 lower-case hexadecimal digits")
