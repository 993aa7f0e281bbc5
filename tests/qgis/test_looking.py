"""Looking where it matters: the map's uncertainty as a layer, and the patches to review as a layer and a list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsCoordinateReferenceSystem, QgsPointXY, QgsProject
from qgis.PyQt.QtCore import Qt

from terrafine.qgis_plugin.look import uncertainty_layer
from terrafine.qgis_plugin.look.review import Fate, reviewable
from terrafine.qgis_plugin.look.uncertainty_layer import create_uncertainty_file, open_uncertainty_layer, reduction
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.shared.geo import Window, contains
from terrafine.tests.qgis import scenes
from terrafine.tests.qgis.test_keeping import reopen, save

pytestmark = pytest.mark.qgis
NODATA = 255
KINDS = {
    "projected": scenes.projected,
    "rotated": scenes.rotated,
    "control points": scenes.control_points,
    "nowhere": scenes.nowhere,
}


def layers(role: str) -> list:
    found = QgsProject.instance().mapLayers().values()
    return [layer for layer in found if layer.customProperty("terrafine/role") == role]


def measure(analyst, method: str = "entropy"):
    """Map the uncertainty; returns its layer."""
    panel = analyst.dock.look
    panel.method.setCurrentIndex(panel.method.findData(method))
    analyst.press(panel.measure)
    analyst.settle()
    (layer,) = layers("uncertainty")
    return layer


def states() -> list[tuple[int, str, int]]:
    """(rank, state, current) of the features that the layer shows, by rank."""
    (layer,) = layers("review")
    return sorted((feature["rank"], feature["state"], feature["current"]) for feature in layer.getFeatures())


@pytest.fixture
def reviewing(mapped):
    """The analyst at the first of nine patches."""
    panel = mapped.dock.look
    panel.size.setCurrentIndex(panel.size.findData(64))
    mapped.press(panel.begin)
    mapped.settle()
    return mapped


# ---- uncertainty ---------------------------------------------------------------------------------------------------


def test_the_uncertainty_is_a_layer_of_values_from_0_to_1(mapped):
    layer = measure(mapped)
    stored = gdal.Open(layer.source()).ReadAsArray()
    block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
    shown = np.array([[block.value(row, col) for col in range(0, 160, 40)] for row in range(0, 160, 40)])
    assert stored.shape == mapped.map().shape
    assert stored.max() < NODATA
    assert len(np.unique(stored)) > 1
    assert shown == pytest.approx(stored[::40, ::40] / 254)
    assert layer.extent() == mapped.map_layer.extent()


def test_another_method_takes_the_place_of_the_first(mapped):
    entropy = gdal.Open(measure(mapped).source()).ReadAsArray()
    layer = measure(mapped, "margin")
    assert "margin" in layer.name()
    assert not np.array_equal(gdal.Open(layer.source()).ReadAsArray(), entropy)


def test_measuring_again_updates_the_layer_and_shows_it_again(mapped):
    first = measure(mapped)
    before = gdal.Open(first.source()).ReadAsArray()
    node = QgsProject.instance().layerTreeRoot().findLayer(first.id())
    node.setItemVisibilityChecked(False)
    mapped.mark(50.5, 40.5, 1)
    again = measure(mapped)
    assert again.id() == first.id()
    assert not np.array_equal(gdal.Open(again.source()).ReadAsArray(), before)
    assert node.isVisible()


def test_a_file_that_cannot_be_written_is_told_and_nothing_breaks(mapped):
    in_the_way = Path(mapped.map_layer.source().replace("_map.tif", "_uncertainty.tif"))
    in_the_way.mkdir()
    mapped.press(mapped.dock.look.measure)
    mapped.settle()
    assert layers("uncertainty") == []
    assert any("could not be saved" in message for message in mapped.window.messages())
    in_the_way.rmdir()
    measure(mapped)


def test_a_large_raster_has_a_coarser_map_of_uncertainty(mapped, monkeypatch):
    fine = gdal.Open(measure(mapped).source()).ReadAsArray().astype(float)
    monkeypatch.setattr(uncertainty_layer, "LARGEST_SIDE_PX", 80)
    layer = measure(mapped)
    coarse = gdal.Open(layer.source()).ReadAsArray().astype(float)
    assert coarse == pytest.approx(fine.reshape(80, 2, 80, 2).mean(axis=(1, 3)), abs=1.01)
    assert layer.extent() == mapped.map_layer.extent()


def test_the_uncertainty_comes_back_with_the_project_and_is_updated_there(mapped, tmp_path):
    measure(mapped)
    save(mapped, tmp_path / "project.qgz")
    reopen(mapped, tmp_path / "project.qgz")
    (layer,) = layers("uncertainty")
    assert "project_terrafine" in layer.source()
    assert measure(mapped).id() == layer.id()


@pytest.mark.parametrize("kind", KINDS)
def test_a_coarse_pixel_lies_where_its_raster_pixels_are(qgis_app, tmp_path, kind):
    raster = str(KINDS[kind](tmp_path / "raster.tif"))
    source, path = open_dataset(raster), tmp_path / "uncertainty.tif"
    crs = QgsCoordinateReferenceSystem("EPSG:32640")
    create_uncertainty_file(path, raster, crs, 7)
    coarse = gdal.Open(str(path), gdal.GA_Update)
    assert (coarse.RasterXSize, coarse.RasterYSize) == (23, 23)  # 160 / 7, rounded up
    coarse.GetRasterBand(1).WriteArray(np.full((3, 3), 127, np.uint8), 6, 4)  # QGIS may stray by half a pixel
    del coarse
    middle = 7 * 7.5, 7 * 5.5
    assert Placement(open_dataset(str(path))).to_crs(7.5, 5.5) == pytest.approx(Placement(source).to_crs(*middle))
    layer = open_uncertainty_layer(path, "uncertainty", crs)
    assert layer.dataProvider().sample(QgsPointXY(*Placement(source).to_crs(*middle)), 1) == (0.5, True)


def test_the_reduction_follows_the_longer_side():
    assert reduction(Window(0, 0, 2048, 100)) == 1
    assert reduction(Window(0, 0, 100, 2049)) == 2
    assert reduction(Window(0, 0, 10_000_000, 100)) == 256


# ---- review --------------------------------------------------------------------------------------------------------


def test_the_ranking_is_a_list_and_a_layer_and_the_canvas_goes_to_the_first(reviewing):
    review = reviewing.controller.session.review
    assert len(review.patches) == 9
    assert reviewing.dock.look.patches.count() == 9
    assert states() == [(rank, "open", int(rank == 1)) for rank in range(1, 10)]
    scores = [patch.score for patch in review.patches]
    assert scores == sorted(scores, reverse=True)
    assert review.current == review.patches[0].window
    assert_shown(reviewing, review.current)


def assert_shown(analyst, window: Window) -> None:
    """The canvas shows all of a window of the raster, and not much more than that."""
    extent, shown = analyst.plugin.bench.locator().extent(window), analyst.window.canvas.extent()
    assert shown.contains(extent)
    assert min(shown.width() / extent.width(), shown.height() / extent.height()) < 1.5


def test_patches_can_be_gone_through_row_by_row(mapped):
    panel = mapped.dock.look
    panel.size.setCurrentIndex(panel.size.findData(64))
    panel.order.setCurrentIndex(panel.order.findData("reading"))
    mapped.press(panel.begin)
    mapped.settle()
    corners = [(patch.window.row, patch.window.col) for patch in mapped.controller.session.review.patches]
    assert corners == [(row, col) for row in (0, 64, 128) for col in (0, 64, 128)]
    assert "uncertainty" not in panel.patches.item(0).text()


@pytest.mark.parametrize(
    ("mapped_part", "area"),
    [
        (Window(0, 0, 1000, 700), Window(0, 0, 1000, 700)),  # the whole raster, smaller patches at its edges included
        (Window(90, 100, 400, 300), Window(100, 100, 390, 300)),
        (Window(30, 60, 400, 300), Window(30, 100, 370, 260)),
        (Window(310, 310, 30, 30), Window(310, 310, 30, 30)),
    ],
)
def test_patches_that_are_hardly_mapped_are_not_reviewed(mapped_part, area):
    assert reviewable(mapped_part, Window(0, 0, 1000, 700), 100) == area


def test_patches_lie_on_the_map_where_their_pixels_are(reviewing):
    (layer,) = layers("review")
    locator = reviewing.plugin.bench.locator()
    for feature in layer.getFeatures():
        window = Window(*(feature[name] for name in ("col", "row", "width", "height")))
        assert feature.geometry().boundingBox() == locator.extent(window)


@pytest.mark.parametrize("kind", KINDS)
def test_the_canvas_shows_the_current_patch_however_the_raster_lies(analyst, address, tmp_path, kind):
    analyst.connect(address)
    analyst.open(KINDS[kind](tmp_path / "raster.tif"))
    analyst.choose_model()
    analyst.classify()
    panel = analyst.dock.look
    panel.size.setCurrentIndex(panel.size.findData(64))
    analyst.press(panel.begin)
    analyst.settle()
    current = analyst.controller.session.review.current
    assert_shown(analyst, current)
    visible = analyst.controller.visible()
    assert contains(visible, current)
    assert visible.pixels < 160**2
    (layer,) = layers("review")
    (feature,) = [feature for feature in layer.getFeatures() if feature["current"]]
    middle = analyst.plugin.bench.locator().placement.to_crs(
        current.col + current.width / 2, current.row + current.height / 2
    )
    assert feature.geometry().contains(QgsPointXY(*middle))


def test_n_d_and_s_on_the_map_go_on_and_tell_what_became_of_the_patch(reviewing):
    windows = [patch.window for patch in reviewing.controller.session.review.patches]
    for key, at in ((Qt.Key.Key_N, 1), (Qt.Key.Key_D, 2), (Qt.Key.Key_S, 3)):
        reviewing.key(key)
        assert_shown(reviewing, windows[at])
    assert states()[:5] == [(1, "open", 0), (2, "done", 0), (3, "skipped", 0), (4, "open", 1), (5, "open", 0)]


def test_the_keys_work_in_the_dock_and_in_the_list_too(reviewing):
    reviewing.key(Qt.Key.Key_D, on=reviewing.dock)
    reviewing.key(Qt.Key.Key_S, on=reviewing.dock.look.patches)
    assert [state for _, state, _ in states()[:3]] == ["done", "skipped", "open"]


def test_a_review_hides_the_uncertainty_that_would_cover_the_image(mapped):
    layer = measure(mapped)
    mapped.press(mapped.dock.look.begin)
    mapped.settle()
    node = QgsProject.instance().layerTreeRoot().findLayer(layer.id())
    assert not node.itemVisibilityChecked()
    assert measure(mapped) is layer
    assert node.itemVisibilityChecked()


def test_the_keys_are_qgis_s_own_while_nothing_is_reviewed(reviewing):
    reviewing.press(reviewing.dock.look.end)
    reviewing.key(Qt.Key.Key_D)
    assert layers("review") == []
    assert reviewing.dock.look.begin.isVisible()


def test_a_click_in_the_list_goes_to_that_patch(reviewing):
    patches = reviewing.dock.look.patches
    patches.itemClicked.emit(patches.item(4))
    assert states()[4] == (5, "open", 1)
    assert_shown(reviewing, reviewing.controller.session.review.patches[4].window)


def test_d_on_a_patch_that_is_done_takes_that_back(reviewing):
    patches = reviewing.dock.look.patches
    reviewing.key(Qt.Key.Key_D)
    patches.itemClicked.emit(patches.item(0))
    reviewing.key(Qt.Key.Key_D)
    assert states()[0] == (1, "open", 1)


def test_the_dock_says_how_much_of_the_area_was_reviewed(reviewing):
    window = reviewing.controller.session.review.current
    reviewing.press(reviewing.dock.look.done)
    words = reviewing.dock.look.progress.text()
    assert words.startswith(f"{int(100 * window.pixels / 160**2)}%")
    assert "8 squares" in words
    assert "done" in reviewing.dock.look.patches.item(0).text()


def test_the_ranking_follows_a_mark(reviewing):
    before = {patch.window: patch.score for patch in reviewing.controller.session.review.patches}
    current = reviewing.controller.session.review.current
    x, y = current.col + current.width // 2, current.row + current.height // 2
    reviewing.mark(x + 0.5, y + 0.5, (int(reviewing.map()[y, x]) + 1) % 3)
    review = reviewing.controller.session.review
    assert review.revision == reviewing.controller.session.log.revision
    assert review.current == current
    (layer,) = layers("review")
    after = {Window(*(f[name] for name in ("col", "row", "width", "height"))): f["score"] for f in layer.getFeatures()}
    assert after.keys() == before.keys()
    assert after[current] != before[current]


def test_a_review_goes_on_where_it_was_when_the_project_is_opened_again(reviewing, tmp_path):
    reviewing.key(Qt.Key.Key_D)
    reviewing.key(Qt.Key.Key_S)
    review = reviewing.controller.session.review
    save(reviewing, tmp_path / "project.qgz")
    reopen(reviewing, tmp_path / "project.qgz")
    found = reviewing.controller.session.review
    assert (found.area, found.options, found.current) == (review.area, review.options, review.current)
    assert found.patches == review.patches
    reviewing.settle()
    reviewing.key(Qt.Key.Key_D)
    assert [patch.fate for patch in reviewing.controller.session.review.patches].count(Fate.DONE) == 2


def test_a_removed_layer_is_made_again(reviewing):
    reviewing.key(Qt.Key.Key_D)
    QgsProject.instance().removeMapLayers([layers("review")[0].id()])
    reviewing.key(Qt.Key.Key_D)
    assert [state for _, state, _ in states()[:3]] == ["done", "done", "open"]


def test_a_new_review_knows_nothing_of_the_one_that_was_ended(reviewing):
    reviewing.key(Qt.Key.Key_D)
    reviewing.press(reviewing.dock.look.end)
    reviewing.press(reviewing.dock.look.begin)
    reviewing.settle()
    assert {state for _, state, _ in states()} == {"open"}
