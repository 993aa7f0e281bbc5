"""How long a click takes in an empty session, and in one with very many marks; and how these are imported and undone.

    QT_QPA_PLATFORM=offscreen .venv-qgis/bin/python -m terrafine.tests.qgis.benchmarks.many_marks [MARKS [SIZE]]

A click is timed from the mouse to the map that is painted anew; the advice that the server thinks of afterwards is not
part of it. The marks come from a vector layer of points, 50 000 in 4096 × 4096 pixels by default. "computing" is the
main thread's time on a core between two turns of its event loop, which other programs hardly change.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from typing import Callable

import numpy as np
from qgis.core import QgsFeature, QgsGeometry, QgsPointXY, QgsVectorLayer

from terrafine.qgis_plugin.marks.importer import Request
from terrafine.qgis_plugin.state import Kind
from terrafine.tests.qgis.analyst import Analyst, until
from terrafine.tests.qgis.benchmarks.place import PATIENCE_S, analyst_at_work, classify_all
from terrafine.tests.qgis.benchmarks.stall_watch import StallWatch

CLICKS = 12
CLASSES = 6


def main() -> None:
    marks, size = (int(word) for word in (*sys.argv[1:], *("50000", "4096")[len(sys.argv) - 1 :]))
    with analyst_at_work(size) as analyst:
        classify_all(analyst)
        tell(f"{size} × {size} pixels, an empty session: {clicks(analyst, size)}")
        points = layer_of_points(analyst, marks, size)
        tell(watched(f"{marks} marks imported", lambda: fill(analyst, points)))
        tell(f"a session of {marks} marks: {clicks(analyst, size)}")
        tell(watched("all undone, to the import and it, too", lambda: go_to(analyst, 0)))
        tell(watched("all done again", lambda: go_to(analyst, len(analyst.controller.session.history.steps))))
        os._exit(0)  # QGIS's libraries do not like to be taken down


def tell(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def layer_of_points(analyst: Analyst, count: int, size: int) -> QgsVectorLayer:
    places, locator = np.random.default_rng(2).uniform(0, size, (count, 2)).tolist(), analyst.plugin.bench.locator()
    crs = analyst.controller.session.raster.crs.authid()
    layer = QgsVectorLayer(f"Point?crs={crs}&field=class:integer", "points", "memory")
    features = []
    for number, (x, y) in enumerate(places):
        feature = QgsFeature(layer.fields())
        feature.setAttributes([number % CLASSES])
        feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(locator.point(x, y))))
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    return layer


def fill(analyst: Analyst, points: QgsVectorLayer) -> None:
    """Import them, and wait until the map follows and the file has them."""
    analyst.plugin.desk.exchange.take_from(Request(points, "class", 0.0))
    until(lambda: len(analyst.marks) >= points.featureCount(), "they are marks", PATIENCE_S)
    finish(analyst)


def go_to(analyst: Analyst, position: int) -> None:
    analyst.plugin.bench.handle(lambda controller: controller.go_to(position))
    finish(analyst)


def finish(analyst: Analyst) -> None:
    writer = analyst.plugin.bench.sessions.of(analyst.controller.session).marks.writer
    until(lambda: analyst.controller.work is None and not writer.left, "all is followed and written", PATIENCE_S)
    until(lambda: not analyst.plugin.bench.sessions.repainter.is_busy, "all is painted", PATIENCE_S)


def watched(words: str, step: Callable[[], None]) -> str:
    """How long a step takes, and how long it keeps QGIS from answering."""
    watch, began = StallWatch(), time.perf_counter()
    watch.start()
    step()
    watch.stop()
    seconds, worst = time.perf_counter() - began, max(watch.stalls, key=lambda stall: stall.busy_s, default=None)
    most = f"{1000 * worst.busy_s:.0f} ms, at {worst.place}" if worst else "too little to tell"
    return f"{words}: {seconds:.1f} s, most computing in one go {most}"


def clicks(analyst: Analyst, size: int) -> str:
    """Milliseconds from a click to the map that shows what came of it."""
    times = [1000 * click(analyst, number, size) for number in range(CLICKS)]
    return f"a click takes {statistics.median(times):.0f} ms ({min(times):.0f} to {max(times):.0f})"


def click(analyst: Analyst, number: int, size: int) -> float:
    """Seconds; another class than the map has there."""
    x, y = np.random.default_rng(number).uniform(0.1 * size, 0.9 * size, 2)
    other = (int(analyst.map()[int(y), int(x)]) + 1) % CLASSES
    repainter, controller = analyst.plugin.bench.sessions.repainter, analyst.controller
    analyst.use("point")
    analyst.plugin.bench.handle(lambda controller: controller.choose_class(other))
    began = time.perf_counter()
    analyst.window.click(analyst.at(x, y))
    until(lambda: controller.work is None or controller.work.kind is Kind.ADVISING, "the map has followed")
    until(lambda: not repainter.is_busy, "mark and map are painted")
    seconds = time.perf_counter() - began
    analyst.settle()
    return seconds


if __name__ == "__main__":
    main()
