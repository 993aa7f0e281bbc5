"""How long the plugin holds up QGIS while it uploads, classifies and refines a large raster.

    QT_QPA_PLATFORM=offscreen .venv-qgis/bin/python -m terrafine.tests.qgis.benchmarks.stalls [SIZE [CLICKS]]

SIZE is in pixels a side, 6000 by default. A timer in Qt's event loop says when it could not fire; a second thread looks
what the main thread was at; "computing" is its time on a core, which other programs hardly change.
"""

from __future__ import annotations

import os
import sys

import numpy as np

from terrafine.tests.qgis.analyst import Analyst
from terrafine.tests.qgis.benchmarks.place import analyst_at_work, classify_all
from terrafine.tests.qgis.benchmarks.stall_watch import Stall, StallWatch

STEPS = ("uploading and classifying", "a click", "a stroke", "undo", "redo")
CLASSES = 6
LIMIT_S = 0.1
WORST = 12  # stalls that are told in detail


def main() -> None:
    size, clicks = (int(word) for word in (*sys.argv[1:], *("6000", "30")[len(sys.argv) - 1 :]))
    with analyst_at_work(size) as analyst:
        watch = StallWatch()
        watch.start()
        work(analyst, watch, size, clicks)
        watch.stop()
        report(watch, size)
        sys.stdout.flush()
        os._exit(0)  # QGIS's libraries do not like to be taken down


def work(analyst: Analyst, watch: StallWatch, size: int, clicks: int) -> None:
    rng = np.random.default_rng(1)
    watch.doing = STEPS[0]
    classify_all(analyst)
    for number in range(clicks):
        watch.doing = STEPS[1]
        analyst.mark(*rng.uniform(0.1 * size, 0.9 * size, 2), number % CLASSES)
    for number in range(clicks // 5):
        watch.doing = STEPS[2]
        x, y = rng.uniform(0.2 * size, 0.8 * size, 2)
        analyst.stroke(number % CLASSES, (x, y), (x + size / 30, y), (x + size / 20, y + size / 20))
    for watch.doing, button in ((STEPS[3], "undo"), (STEPS[4], "redo")):
        analyst.press(getattr(analyst.dock.marks.tools, button))
        analyst.settle()


def report(watch: StallWatch, size: int) -> None:
    out = [f"{size} × {size} pixels", ""]
    out += ["| while | longest stall | most computing in one | computing over 100 ms |", "|---|---|---|---|"]
    out += [row(step, [stall for stall in watch.stalls if stall.doing == step]) for step in STEPS]
    for stall in sorted(watch.stalls, key=lambda stall: -stall.seconds)[:WORST]:
        out.append(
            f"{1000 * stall.seconds:.0f} ms, computing {1000 * stall.busy_s:.0f} ms, {stall.doing}: {stall.place}"
        )
    sys.stdout.write("\n".join(out) + "\n")


def row(step: str, stalls: list[Stall]) -> str:
    longest = max((stall.seconds for stall in stalls), default=0.0)
    busy = max((stall.busy_s for stall in stalls), default=0.0)
    over = sum(stall.busy_s > LIMIT_S for stall in stalls)
    return f"| {step} | {1000 * longest:.0f} ms | {1000 * busy:.0f} ms | {over} times |"


if __name__ == "__main__":
    main()
