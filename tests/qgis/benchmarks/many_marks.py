"""How long a click takes in an empty session, and in one with very many marks.

    QT_QPA_PLATFORM=offscreen .venv-qgis/bin/python -m terrafine.tests.qgis.benchmarks.many_marks [MARKS [SIZE]]

From the mouse's click to the map that is painted anew. 50 000 marks in 2048 × 2048 pixels by default. Nothing else
should run meanwhile.
"""

from __future__ import annotations

import os
import statistics
import sys
import time

import numpy as np

from terrafine.qgis_plugin.history import Verb
from terrafine.shared.annotation import Annotation
from terrafine.tests.qgis.analyst import Analyst, until
from terrafine.tests.qgis.benchmarks.place import analyst_at_work

CLICKS = 12
CLASSES = 6
PATIENCE_S = 1800.0


def main() -> None:
    marks, size = (int(word) for word in (*sys.argv[1:], *("50000", "2048")[len(sys.argv) - 1 :]))
    with analyst_at_work(size) as analyst:
        analyst.dock.map.area_chosen.emit("layer")
        analyst.classify()
        out = [f"an empty session: {clicks(analyst, size):.0f} ms"]
        began = time.perf_counter()
        fill(analyst, marks, size)
        out.append(f"{marks} marks taken in: {time.perf_counter() - began:.1f} s")
        out.append(f"a session of {marks} marks: {clicks(analyst, size):.0f} ms")
        sys.stdout.write("\n".join(out) + "\n")
        sys.stdout.flush()
        os._exit(0)  # QGIS's libraries do not like to be taken down


def fill(analyst: Analyst, count: int, size: int) -> None:
    """What an import of points brings."""
    places = np.random.default_rng(2).uniform(0, size, (count, 2)).tolist()
    marks = tuple(Annotation(f"import {i}", "point", ((x, y),), i % CLASSES) for i, (x, y) in enumerate(places))
    analyst.plugin.bench.handle(lambda controller: controller.change(Verb.IMPORT, marks))
    until(lambda: analyst.controller.work is None, "all marks are followed", PATIENCE_S)
    analyst.window.canvas.waitWhileRendering()


def clicks(analyst: Analyst, size: int) -> float:
    """Milliseconds from a click to the map that shows what came of it, the median."""
    return 1000 * statistics.median(click(analyst, number, size) for number in range(CLICKS))


def click(analyst: Analyst, number: int, size: int) -> float:
    """Seconds; another class than the map has there."""
    x, y = np.random.default_rng(number).uniform(0.1 * size, 0.9 * size, 2)
    other = (int(analyst.map()[int(y), int(x)]) + 1) % CLASSES
    repainter = analyst.plugin.bench.sessions.repainter
    began = time.perf_counter()
    analyst.mark(x, y, other)
    until(lambda: not repainter.is_busy, "mark and map are painted")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
