"""Maps in another detail: what the controller asks for, and what the dock and the project make of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qgis.core import QgsCoordinateReferenceSystem

from terrafine.qgis_plugin.controller import Controller
from terrafine.qgis_plugin.link.servers import Server
from terrafine.qgis_plugin.rasters.raster import RasterFile
from terrafine.qgis_plugin.requests import Legend
from terrafine.shared.geo import Grid, Window
from terrafine.shared.patch import Patch
from terrafine.shared.raster import RasterInfo
from terrafine.shared.spec import FAST, FINE, PLAIN, Detail, LandCover, ModelSpec, Normalisation
from terrafine.tests.qgis.test_keeping import reopen, save

pytestmark = pytest.mark.qgis
CLASSES = (LandCover(0, "water", "#0000ff"), LandCover(1, "land", "#00ff00"))
COARSE = ModelSpec("m", "M", "linknet", "e", ("red",), CLASSES, 1.0, Normalisation((0.5,), (0.5,)))
MODEL = replace(COARSE, detail=Detail())
RASTER = RasterFile("scene.tif", "scene", QgsCoordinateReferenceSystem())
INFO = RasterInfo(Grid(100, 100), "uint8", (1,), ((0.0, 255.0),))
AREA = Window(0, 0, 50, 50)


def online(model: ModelSpec) -> Controller:
    controller = Controller()
    controller.connect(Server("tcp://somewhere:1"))
    controller.connected("cpu", (model,))
    return controller


def classify(controller: Controller, area: Window):
    """Have it classified; returns what the server was asked."""
    (asked,) = controller.classify(RASTER, area)
    job = controller.work.job
    controller.described(job, INFO)
    controller.made(controller.session, None)
    found = np.zeros((1, *area.shape), np.uint8)
    controller.patched(job, Patch(area, found, np.ones(area.shape, bool)))
    controller.done(job)
    return asked.request


def test_a_map_is_refreshed_in_the_detail_that_it_was_drawn_in():
    controller = online(MODEL)
    controller.choose_detail(FINE)
    assert classify(controller, AREA).detail == FINE
    controller.choose_detail(FAST)
    *_, asked = controller.draw("point", ((3.5, 4.5),))
    assert asked.request.detail == FINE


def test_in_another_detail_all_that_was_classified_is_drawn_anew():
    controller = online(MODEL)
    classify(controller, AREA)
    controller.choose_detail(FINE)
    asked = classify(controller, Window(60, 0, 10, 10))
    assert (asked.window, asked.detail) == (Window(0, 0, 70, 50), FINE)
    assert classify(controller, Window(60, 0, 10, 10)).window == Window(60, 0, 10, 10)


def test_a_model_that_offers_none_draws_plain_maps():
    controller = online(COARSE)
    controller.choose_detail(FINE)
    assert classify(controller, AREA).detail == PLAIN


def test_a_map_with_classes_that_the_model_did_not_come_with_is_plain():
    controller = online(MODEL)
    controller.choose_detail(FINE)
    classify(controller, AREA)
    grown = (*CLASSES, LandCover(2, "new", "#ff0000"))
    controller.session.history.network = replace(
        controller.session.history.network, legend=Legend(grown, tuple(range(3)))
    )
    assert classify(controller, AREA).detail == PLAIN


def test_with_a_session_comes_its_detail():
    controller = online(MODEL)
    controller.choose_detail(FINE)
    classify(controller, AREA)
    session = controller.session
    controller.choose_detail(FAST)
    controller.activate(None)
    controller.activate(session)
    assert controller.view().detail == FINE


def test_only_a_model_that_offers_detail_is_asked_for_it(analyst, scene):
    analyst.start_server()
    analyst.open(scene)
    choices = analyst.dock.map.detail
    analyst.choose_model("tiny")
    assert not choices.isVisible()
    analyst.choose_model("tiny-detail")
    assert choices.isVisible()
    choices.setCurrentIndex(choices.findData(FINE))
    choices.activated.emit(choices.currentIndex())
    analyst.classify()
    assert (analyst.map() == 1).all()  # what its refinement module sees everywhere
    assert analyst.map_layer.customProperty("terrafine/detail") == FINE


def test_a_project_remembers_the_detail_of_its_map(analyst, scene, tmp_path):
    test_only_a_model_that_offers_detail_is_asked_for_it(analyst, scene)
    save(analyst, tmp_path / "kept.qgz")
    reopen(analyst, tmp_path / "kept.qgz")
    assert analyst.controller.session.detail == FINE
    assert analyst.dock.map.detail.currentData() == FINE
