"""Draws docs/images/detail.jpg: places in Dubai's tile 3 as the ways to draw a map show them.

python tools/pictures/detail.py DATA, where DATA is the folder that models/zoo/landcover-rgb/train.toml speaks of.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import ListedColormap

from terrafine.models.registry import ZOO, load_predictor
from terrafine.server.evaluation.refinement import Subject, load_subject, session_of
from terrafine.server.studies.detail import WAYS
from terrafine.server.training.configuration import DataOptions
from terrafine.shared.geo import Window, slices
from terrafine.shared.spec import ModelSpec

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

SIDE_PX, PLACES = 360, 3  # places down the raster's diagonal: nobody chose them
COLUMNS = {"image": "", "downsample": "downsample", "patches": "patches", "MagNet": "fine", "truth": ""}


def main(data: Path) -> None:
    predictor = load_predictor(ZOO / "landcover-rgb")
    folder = data / "dubai"
    subject = load_subject(folder / "tile3.tif", folder / "tile3_labels.tif", predictor.spec, DataOptions(gsd_m=0.5))
    session = session_of(subject, predictor)
    figure, rows = pyplot.subplots(PLACES, len(COLUMNS), figsize=(2.4 * len(COLUMNS), 2.4 * PLACES))
    for row, window in zip(rows, places(subject)):
        for axis, way in zip(row, COLUMNS.values()):
            axis.set(xticks=[], yticks=[])
            if way:
                show(axis, session.legend.classified(WAYS[way](session, window)), predictor.spec)
        row[0].imshow(session.source.read(window).array.transpose(1, 2, 0))
        show(row[-1], subject.truth[slices(window, subject.info.grid.window)], predictor.spec)
    for axis, title in zip(rows[0], COLUMNS):
        axis.set_title(title, fontsize=9)
    figure.tight_layout(pad=0.3)
    figure.savefig(Path(__file__).resolve().parents[2] / "docs/images/detail.jpg", dpi=90, pil_kwargs={"quality": 85})


def places(subject: Subject) -> list[Window]:
    grid = subject.info.grid
    shares = (np.arange(PLACES) + 0.5) / PLACES
    corners = ((int(s * grid.width) - SIDE_PX // 2, int(s * grid.height) - SIDE_PX // 2) for s in shares)
    return [Window(col, row, SIDE_PX, SIDE_PX) for col, row in corners]


def show(axis, classes: np.ndarray, spec: ModelSpec) -> None:
    colours = ListedColormap([entry.color for entry in spec.classes])
    known = np.ma.masked_greater_equal(classes, len(spec.classes))
    axis.imshow(known, cmap=colours, vmin=-0.5, vmax=len(spec.classes) - 0.5, interpolation="nearest")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
