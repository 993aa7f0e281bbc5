"""What the controller asks the plugin to do: one frozen dataclass each, carried out by the workbench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from terrafine.qgis_plugin.requests import ServerRequest
from terrafine.qgis_plugin.words import in_users_words
from terrafine.shared.annotation import Delta
from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window
from terrafine.shared.messages import ObjectFound
from terrafine.shared.patch import Patch

if TYPE_CHECKING:
    from terrafine.qgis_plugin.link.servers import Server


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
class Ask:
    """Have the server do something; all that comes of it carries the request's `job`. A newer one overtakes it."""

    request: ServerRequest


@dataclass(frozen=True)
class CancelWork:
    """Stop the work under way; ends in `failed` with Cancelled."""


@dataclass(frozen=True)
class CreateLayers:
    """Make the files and layers of the current session; ends in `made`."""


@dataclass(frozen=True)
class StoreMarks:
    """Write a change of the marks to the GeoPackage."""

    delta: Delta


@dataclass(frozen=True)
class StoreLocks:
    """Write a change of the locked regions to the GeoPackage."""

    delta: Delta


@dataclass(frozen=True)
class ShowNetwork:
    """The legend or the learnt weights are others: show the classes, and note both in the project."""


@dataclass(frozen=True)
class KeepMap:
    """Keep a copy of the map as it is, to compare with what comes of it."""


@dataclass(frozen=True)
class ShowUncertainty:
    """Write a patch into the layer that shows how unsure the map is, on the raster's grid divided by `factor`."""

    patch: Patch
    method: str
    factor: int


@dataclass(frozen=True)
class ShowReview:
    """The patches to look at, or what became of them, have changed: show them, and keep them with the project."""


@dataclass(frozen=True)
class ShowObject:
    """Show the object that was found for the box and clicks of the tool."""

    found: ObjectFound


@dataclass(frozen=True)
class GoTo:
    """Let the canvas show a window of the raster."""

    window: Window


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
    """What is said of an error, in the user's language."""
    error = in_users_words(error)
    return Tell(error.message, error.hint)


Effect = Union[
    StartServer,
    Connect,
    Disconnect,
    Ask,
    CancelWork,
    CreateLayers,
    StoreMarks,
    StoreLocks,
    KeepMap,
    ShowNetwork,
    ShowUncertainty,
    ShowReview,
    ShowObject,
    GoTo,
    ShowPatch,
    ShowMap,
    Tell,
]
