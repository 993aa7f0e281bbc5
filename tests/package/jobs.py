"""The three jobs of the user guide, step by step as docs/user-guide/job-*.md tells them. Run inside QGIS.

What the guide prints bold is what `Hands` uses, in that order: tests/package/test_guide.py compares them.
"""

from __future__ import annotations

from pathlib import Path

from places import Place
from qgis.PyQt.QtCore import Qt
from user import User


def refine(user: User, place: Place) -> None:
    """Job 1: refine a map near you."""
    user.open_image(place)
    user.press("Start local server")
    user.wait_for_server()
    classify(user, place)
    user.picture("refine-map")
    user.see_more_of_the_image()

    user.press("Point")
    user.picture("refine-before", user.canvas, user.around(place.mistake))
    user.mark_point(place.strokes[0].number, place.mistake)
    user.picture("refine-after", user.canvas, user.around(place.mistake))
    user.press("Stroke")
    for stroke in place.strokes:
        user.mark_stroke(stroke)
    user.press("Undo")
    user.settle()
    user.press("Redo")
    user.settle()
    user.press("Lock")
    user.outline(place.region)

    user.picture("refine-marked")

    user.press("Show me where to look")
    user.settle()
    user.picture("refine-review")
    for key, words in ((Qt.Key.Key_N, "N"), (Qt.Key.Key_D, "D"), (Qt.Key.Key_S, "S")):
        user.key(key, words)
        user.settle()
    user.press("End the review")
    user.press("History")
    user.picture("refine-history", user.dock.pages)
    user.go_back_in_history()
    user.save_project(place)
    user.save_as(Path(place.raster).with_name("map.tif"), lambda: user.menu_of("Deliver", "Export the map…"))


def classify(user: User, place: Place) -> None:
    """The steps that every job begins with."""
    user.choose("Model", place.model)
    user.choose("Image", Path(place.raster).stem)
    user.look_at(place.view)
    user.choose("Area", "What the map shows")
    user.press("Classify")
    user.settle()


def adapt(user: User, place: Place) -> None:
    """Job 2: adapt a model to a new region."""
    user.open_image(place)
    user.need_server()
    classify(user, place)
    user.picture("adapt-before", user.canvas)

    user.press("Refresh the map after each mark")
    user.press("Stroke")
    for stroke in place.strokes:
        user.mark_stroke(stroke)
    user.picture("adapt-marks")
    user.press("Learn")
    user.press("Learn from my marks")
    user.settle()
    user.picture("adapt-learnt")
    user.press("Compare")
    user.move(user.canvas_middle())
    user.wait_for_before()
    user.picture("adapt-compare", user.canvas)
    user.key(Qt.Key.Key_Escape, "Esc")

    user.press("Where to look")
    user.press("Map the uncertainty")
    user.settle()
    user.picture("adapt-uncertainty")
    user.press("Learn")
    user.menu_of("Save or forget what was learnt", "Save as a model…")
    title = user.save_model()
    user.look_at(place.elsewhere)
    user.choose("Model", title)
    user.press("Classify")
    user.settle()
    user.picture("adapt-elsewhere", user.canvas)


def deliver(user: User, place: Place) -> None:
    """Job 3: assess a map and deliver it."""
    user.open_project(place)
    user.run_on_the_map("Remove specks…", "Sieve a class map")
    user.menu("Processing", "Toolbox")
    user.run_algorithm("Stratified random samples", {"Class map": "Result"})
    user.menu_of("Deliver", "2. Label samples…")
    user.picture("deliver-label")
    user.label_all(place)
    report = Path(place.raster).with_name("accuracy.html")
    layers = {"Class map": "Result", "Labelled samples": "Samples"}
    user.run_algorithm("Assess accuracy", layers, {"Report": report})
    assert "Olofsson" in report.read_text("utf-8")
    user.picture_of_table("Accuracy by class", "deliver-accuracy")
    user.run_algorithm("Vectorise a class map", {"Class map": "Result"})
    user.tidy_up(place)
    user.picture("deliver-polygons")
    user.export("Polygons", "Save Features As…", Path(place.raster).with_name("polygons.gpkg"))
    user.export("Result", "Save As…", Path(place.raster).with_name("result.tif"))
