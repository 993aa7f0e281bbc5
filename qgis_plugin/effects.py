"""What the controller asks the plugin to do: one frozen dataclass each, carried out by the workbench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Union

from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import ModelSpec

if TYPE_CHECKING:
    from terrafine.qgis_plugin.raster import RasterFile
    from terrafine.qgis_plugin.servers import Server


@dataclass(frozen=True)
class Snapshot:
    """The marks of one revision."""

    marks: tuple[Annotation, ...] = ()
    revision: int = 0


@dataclass(frozen=True)
class StartServer:
    """Start a local server; ends in `connected` or `connection_failed`."""


@dataclass(frozen=True)
class Connect:
    """Connect to a server; ends in `connected` or `connection_failed`."""

    server: Server


@dataclass(frozen=True)
class Disconnect:
    """Drop the connection, and stop the server if the plugin started it."""


@dataclass(frozen=True)
class Predict:
    """Have a window classified at `marks`; all that comes of it carries the number `job`.

    `info` is None until the raster has been described. With `shown`, only what differs from the map of those marks is
    wanted. A newer Predict overtakes this one.
    """

    job: int
    session: str
    model: ModelSpec
    raster: RasterFile
    info: Optional[RasterInfo]
    window: Window
    marks: Snapshot
    shown: Optional[Snapshot] = None


@dataclass(frozen=True)
class CancelPredict:
    """Stop the work under way; ends in `failed` with Cancelled."""


@dataclass(frozen=True)
class CreateLayers:
    """Make the files and layers of the current session."""


@dataclass(frozen=True)
class StoreMarks:
    """Write a change of the marks to the GeoPackage."""

    delta: Delta


@dataclass(frozen=True)
class StoreLocks:
    """Write a change of the locked regions to the GeoPackage."""

    delta: Delta


@dataclass(frozen=True)
class ShowPatch:
    """Write a patch into the map and show it soon."""

    patch: Patch


@dataclass(frozen=True)
class ShowMap:
    """All patches of a piece of work are there: show the map as it is and note in the project what it covers."""


@dataclass(frozen=True)
class Tell:
    """Say something in the message bar: what happened, and what to do about it."""

    message: str
    hint: str = ""
    warning: bool = True


def told(error: TerrafineError) -> Tell:
    return Tell(error.message, error.hint)


Effect = Union[
    StartServer, Connect, Disconnect, Predict, CancelPredict, CreateLayers, StoreMarks, StoreLocks, ShowPatch, ShowMap,
    Tell,
]
