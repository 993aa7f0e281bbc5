"""Draws docs/images/objects.jpg: single objects of Dubai's tile 3, as IOG and GrabCut find them.

python tools/pictures/objects.py DATA, where DATA is the folder that models/zoo/objects-rgb/train.toml speaks of.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np

from terrafine.models.objects import measure
from terrafine.models.objects.build import load_finder
from terrafine.models.objects.crop import around_box
from terrafine.models.objects.measure import Found, SceneFinder
from terrafine.models.objects.samples import SceneObject, pixels
from terrafine.models.registry import ZOO
from terrafine.server.evaluation.grabcut import grabcut
from terrafine.server.training.configuration import read_config
from terrafine.server.training.objects import objects_in
from terrafine.server.training.scenes import load_scenes
from terrafine.shared.geo import slices
from terrafine.shared.objects import ObjectGuide

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

FOLDER = ZOO / "objects-rgb"
EVERY = 12  # objects: nobody chose them
MARGIN = 0.5
COLUMNS = ("a box and a click", "IOG", "IOG, two more clicks", "GrabCut", "truth")


def main(data: Path) -> None:
    config = read_config(FOLDER / "train.toml")
    targets = objects_in(config, load_scenes(config, data, config.data.test))[EVERY // 2 :: EVERY]
    finder = SceneFinder(load_finder(FOLDER))
    figure, rows = pyplot.subplots(len(targets), len(COLUMNS), figsize=(2.1 * len(COLUMNS), 2.1 * len(targets)))
    for axes, target in zip(rows, targets):
        first = later = measure.first_guide(target)
        for _ in range(2):
            later = measure.corrected(finder(target, later), target, later) or later
        for axis, guide, method in zip(axes, (first, first, later, first), (None, finder, finder, grabcut)):
            draw(axis, target, guide, method(target, guide) if method else None, first)
        draw(axes[-1], target, None, Found(target.window, target.mask), first)
    for axis, title in zip(rows[0], COLUMNS):
        axis.set_title(title, fontsize=9)
    figure.tight_layout(pad=0.3)
    figure.savefig(Path(__file__).resolve().parents[2] / "docs/images/objects.jpg", dpi=90, pil_kwargs={"quality": 85})


def draw(axis, target: SceneObject, guide: ObjectGuide | None, found: Found | None, first: ObjectGuide) -> None:
    window = around_box(first.box, MARGIN, 1).window
    extent = (window.col, window.col_end, window.row_end, window.row)
    axis.imshow(pixels(target.scene, window)[0].transpose(1, 2, 0), extent=extent)
    axis.set(xticks=[], yticks=[], xlim=(window.col, window.col_end), ylim=(window.row_end, window.row))
    if found is not None:
        mask = np.zeros(window.shape)
        mask[slices(found.window, window)] = found.mask
        x, y = np.arange(window.col, window.col_end) + 0.5, np.arange(window.row, window.row_end) + 0.5
        axis.contour(x, y, mask, [0.5], colors="#ffd400", linewidths=1.5)
    if guide is not None:
        left, top, right, bottom = guide.box
        axis.plot([left, right, right, left, left], [top, top, bottom, bottom, top], "w--", linewidth=0.8)
        for points, mark in ((guide.inside, "go"), (guide.outside, "rx")):
            if points:
                axis.plot(*zip(*points), mark, markersize=4)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
