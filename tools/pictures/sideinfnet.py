"""Draws docs/images/sideinfnet.jpg: a chip of Dubai's tile 3, its map without and with strokes.

python tools/pictures/sideinfnet.py MODEL DATA, where MODEL is a model folder that `terrafine study side-information`
trained, and DATA the folder that models/zoo/landcover-rgb/train.toml speaks of.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from terrafine.models import registry, simulate
from terrafine.models.metrics import VOID
from terrafine.server.evaluation.refinement import Refinement, load_subject
from terrafine.server.training.configuration import DataOptions

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

CHIP = "tile3_part002"  # the one of nine whose map gains most


def main(model: Path, data: Path) -> None:
    predictor = registry.load_predictor(model)
    options = DataOptions(images="dubai/images", labels="dubai/labels", gsd_m=predictor.spec.gsd_m)
    image, labels = (next((data / folder).glob(f"{CHIP}.*")) for folder in (options.images, options.labels))
    refinement = Refinement(load_subject(image, labels, predictor.spec, options), predictor)
    strokes = simulate.strokes_in(refinement.truth, np.random.default_rng((1, 1)), simulate.Strokes())
    plain = refinement.map
    refinement.hold(strokes)
    figure, axes = pyplot.subplots(1, 4, figsize=(16, 4.3))
    colours = np.full((256, 3), 255, np.uint8)
    colours[: len(predictor.spec.classes)] = [list(bytes.fromhex(c.color[1:])) for c in predictor.spec.classes]
    show(axes[0], np.asarray(Image.open(image)), f"image and {len(strokes)} strokes")
    for stroke in strokes:
        for ink, width in (("white", 5.0), (colours[stroke.class_id] / 255, 3.2)):
            axes[0].plot(*zip(*stroke.vertices), color=ink, lw=width, solid_capstyle="round")
    show(axes[1], colours[plain], f"without: {right(plain, refinement.truth):.0%} right")
    show(axes[2], colours[refinement.map], f"with: {right(refinement.map, refinement.truth):.0%} right")
    show(axes[3], colours[refinement.truth], "truth")
    figure.tight_layout(pad=0.4)
    figure.savefig(
        Path(__file__).resolve().parents[2] / "docs/images/sideinfnet.jpg", dpi=75, pil_kwargs={"quality": 85}
    )


def show(axis: pyplot.Axes, picture: NDArray[np.uint8], title: str) -> None:
    axis.imshow(picture)
    axis.set_title(title)
    axis.axis("off")


def right(classes: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    known = truth != VOID
    return float((classes == truth)[known].mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
