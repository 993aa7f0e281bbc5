from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio

from terrafine.server.demo import report, source
from terrafine.server.demo.analyst import Analyst, scripted_truth
from terrafine.server.demo.job import LARGEST_PX, middle
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import ConfigError
from terrafine.shared.geo import Window
from terrafine.shared.spec import LandCover

NAMES = {"water": "#0000ff", "land": "#ffff00", "unlabelled object": "#999999"}
LEGEND = tuple(LandCover(i, name, color) for i, (name, color) in enumerate(NAMES.items()))
SUMMARY = report.Summary(
    raster="a.tif", origin="a test", analyst="nobody", model="none", pixels=(8, 6), marks=3,
    before=report.Score(0.5, 0.25), after=report.Score(0.75, 0.5),
    first_map_s=1.0, click=report.ClickCost(0.2, 0.3, 490.0, 500),
)  # fmt: skip


def grid(text):
    return np.array([[int(value) for value in row] for row in text.split()], np.uint8)


def test_the_score_leaves_unlabelled_objects_out_of_the_mean():
    truth, prediction = grid("0011 0022"), grid("0011 0000")
    assert report.score(prediction, truth, LEGEND) == report.Score(accuracy=0.75, miou=pytest.approx((4 / 6 + 1) / 2))


def test_the_score_does_not_count_pixels_without_truth():
    truth, prediction = np.array([[0, 255]], np.uint8), np.array([[0, 1]], np.uint8)
    assert report.score(prediction, truth, LEGEND).accuracy == 1


def test_the_table_holds_accuracy_only_where_there_is_truth():
    without = report.Summary(**{**vars(SUMMARY), "before": None, "after": None})
    assert "| mIoU | 25.0% | 50.0% |" in report.to_markdown(SUMMARY)
    assert "mIoU" not in report.to_markdown(without)


def test_the_table_says_nothing_of_clicks_where_there_were_none():
    without = report.Summary(**{**vars(SUMMARY), "click": None})
    assert "| time a click, p50 |  | 0.20 s |" in report.to_markdown(SUMMARY)
    assert "click" not in report.to_markdown(without)


def test_warnings_stand_in_the_table():
    warned = report.Summary(**{**vars(SUMMARY), "warnings": ("Expect little.",)})
    assert "- Expect little." in report.to_markdown(warned)


def test_programs_read_the_same_figures(tmp_path):
    report.write(SUMMARY, tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text("utf-8"))["after"] == {"accuracy": 0.75, "miou": 0.5}


def test_the_picture_shows_both_maps_in_the_colours_of_the_legend():
    before, after = np.zeros((6, 8), np.uint8), np.ones((6, 8), np.uint8)
    picture = report.draw(np.zeros((3, 6, 8), np.float32), before, after, [], LEGEND, ["a", "b", "c", "d"])
    row = picture.height - 5 * report.TEXT_PX
    assert picture.getpixel((picture.width // 4, row)) == (0, 0, 255)
    assert picture.getpixel((picture.width * 3 // 4, row)) == (255, 255, 0)


def test_the_picture_shows_a_mark_where_it_was_placed():
    black = np.zeros((3, 10, 10), np.float32)
    marks = [Annotation("m", "point", ((5.0, 5.0),), 1)]
    picture = report.draw(black, *np.zeros((2, 10, 10), np.uint8), marks, LEGEND, ["a", "b", "c", "d"])
    left = 2 * report.GAP_PX + report.PANEL_PX
    top = report.GAP_PX + round(1.6 * report.TEXT_PX)
    assert picture.getpixel((left + report.PANEL_PX // 2, top + report.PANEL_PX // 2)) == (255, 255, 0)


def test_an_image_of_one_band_is_shown_in_grey():
    picture = report.draw(np.full((1, 6, 8), 0.5, np.float32), *np.zeros((2, 6, 8), np.uint8), [], LEGEND, ["a"] * 4)
    red, green, blue = picture.getpixel((picture.width // 4, picture.height // 4))
    assert red == green == blue == 127


def test_the_analyst_marks_the_largest_mistake_with_its_true_class():
    truth, prediction = grid("00000 01110 01110 01110 00000"), grid("00000 00000 00000 00000 00000")
    mark = Analyst(truth).next_mark(prediction)
    assert (mark.class_id, mark.vertices) == (1, ((2.5, 2.5),))


def test_the_analyst_finds_nothing_in_a_perfect_map():
    assert Analyst(grid("01 10")).next_mark(grid("01 10")) is None


def test_the_script_gives_doubtful_pixels_the_class_of_the_nearest_sure_one():
    uncertainty = np.zeros((3, 5), np.uint8)
    uncertainty[1, 2] = 200
    assert np.array_equal(scripted_truth(grid("00000 00100 00000"), uncertainty), grid("00000 00000 00000"))


def test_the_script_says_nothing_where_there_is_no_data():
    prediction, uncertainty = np.array([[0, 255]], np.uint8), np.array([[9, 255]], np.uint8)
    assert scripted_truth(prediction, uncertainty).tolist() == [[0, 255]]


def test_the_middle_of_a_large_raster_is_taken():
    assert middle(Window(0, 0, LARGEST_PX + 100, 50)) == Window(50, 0, LARGEST_PX, 50)


def test_a_made_up_raster_says_so_and_brings_its_truth(tmp_path):
    made_up = source.make_up(tmp_path, size_px=256)
    assert "MADE UP" in made_up.origin
    with rasterio.open(made_up.raster) as image, rasterio.open(made_up.truth) as truth:
        assert (image.count, image.res, image.crs.to_epsg()) == (3, (0.5, 0.5), 32631)
        assert truth.read(1).max() < 5


def test_the_example_is_looked_for_where_the_variable_says(tmp_path, monkeypatch):
    (tmp_path / "dubai").mkdir()
    (tmp_path / "dubai" / "tile3.tif").touch()
    monkeypatch.setenv(source.DATA, str(tmp_path))
    assert source.find(None, tmp_path).raster == tmp_path / "dubai" / "tile3.tif"


def test_truth_of_another_size_is_refused(tmp_path):
    truth = source.make_up(tmp_path, size_px=256).truth
    with pytest.raises(ConfigError, match="another size"):
        source.read_truth(truth, Window(0, 0, 8, 8), (257, 256), 5)


def test_truth_with_classes_that_the_model_lacks_is_refused(tmp_path):
    truth = source.make_up(tmp_path, size_px=256).truth
    with pytest.raises(ConfigError, match="classes"):
        source.read_truth(truth, Window(0, 0, 256, 256), (256, 256), 2)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_labels_below_zero_say_nothing(tmp_path, dtype):
    path = tmp_path / "scene_labels.tif"
    with rasterio.open(path, "w", driver="GTiff", width=3, height=1, count=1, dtype=dtype) as dataset:
        dataset.write(np.array([[[-1, 0, 1]]], dtype))
    assert source.read_truth(path, Window(0, 0, 3, 1), (3, 1), 2).tolist() == [[255, 0, 1]]
