"""A controller by itself, and what a server would answer it."""

from __future__ import annotations

import numpy as np
from qgis.core import QgsCoordinateReferenceSystem

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.effects import Ask
from terrafine.qgis_plugin.link.servers import Server
from terrafine.qgis_plugin.rasters.raster import RasterFile
from terrafine.shared.geo import Grid, Window
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

CLASSES = tuple(LandCover(i, name, f"#0000{i:02x}") for i, name in enumerate(("water", "land", "tree")))
MODEL = ModelSpec("m", "M", "linknet", "e", ("red",), CLASSES, 1.0, Normalisation((0.5,), (0.5,)))
RASTER = RasterFile("scene.tif", "scene", QgsCoordinateReferenceSystem())
INFO = RasterInfo(Grid(100, 100), "uint8", (1,), ((0.0, 255.0),))
AREA, LEFT, RIGHT = Window(0, 0, 100, 50), Window(0, 0, 50, 50), Window(50, 0, 50, 50)


def patch(window: Window = AREA) -> Patch:
    return Patch(window, np.zeros((1, *window.shape), np.uint8), np.ones(window.shape, bool))


def finish(controller: Controller) -> list:
    """The server sends the map that was asked for."""
    work = controller.work
    effects = controller.described(work.job, INFO)
    effects += controller.made(controller.session, None) if effects else []
    effects += controller.patched(work.job, patch(work.window))
    return effects + controller.done(work.job)


def kinds(effects: list) -> list[type]:
    return [type(effect) for effect in effects]


def asked(effects: list):
    """The one request among the effects."""
    (request,) = (effect.request for effect in effects if isinstance(effect, Ask))
    return request


def mark(controller: Controller, x: float = 3.5) -> list:
    return controller.draw("point", ((x, 4.5),))


def with_a_map() -> Controller:
    """Connected, with an area classified."""
    controller = Controller()
    controller.connect(Server("tcp://somewhere:1"))
    controller.connected("cpu", (MODEL,))
    controller.classify(RASTER, AREA)
    finish(controller)
    return controller
