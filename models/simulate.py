"""A simulated annotator: one for training and for evaluation.

A *mistake* is a connected region of pixels that are wrong and of one true class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terrafine.models.encoding.encode import HAIRLINE_PX
from terrafine.models.metrics import VOID
from terrafine.shared.annotation import Annotation
from terrafine.shared.side import SideInformation

OFF_CENTRE_PX = 0.75  # a straight line runs at most this far from the centres of the pixels it is rounded to
RELABEL_REGION = 0.75  # so often one connected region has another class's name, otherwise all of the class
RELABEL_LEAST_PX = 24.0

Classes = NDArray[np.uint8]


@dataclass(frozen=True)
class Mistake:
    """A wrong region: its true class, its area in pixels, its mask within `box` (row slice, column slice)."""

    class_id: int
    area: int
    box: tuple[slice, slice]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Strokes:
    """Rough brush strokes of an analyst who goes over an image square by square, and skips what is small."""

    square_px: int = 256
    smallest_px: int = 600
    width_px: float = 5.0


def mistakes(prediction: Classes, truth: Classes, classes: Sequence[int] | None = None) -> list[Mistake]:
    """All mistakes, the largest first; `classes` restricts them to those true classes. VOID truth is never wrong."""
    wrong = (prediction != truth) & (truth != VOID)
    found = []
    for class_id in np.unique(truth[wrong]) if classes is None else classes:
        labels, _ = ndimage.label(wrong & (truth == class_id))
        areas = np.bincount(labels.ravel())
        for index, box in enumerate(ndimage.find_objects(labels), start=1):
            found.append(Mistake(int(class_id), int(areas[index]), box, labels[box] == index))
    return sorted(found, key=lambda m: (-m.area, m.box[0].start, m.box[1].start))


def next_click(prediction: Classes, truth: Classes, rng: np.random.Generator) -> Annotation | None:
    """A point deepest inside the largest mistake (RITM: Sofiiuk et al. 2021); None where nothing is wrong.

    prediction, truth  uint8 (rows, columns), VOID (255) in the truth where it says nothing

    Annotators who click elsewhere are `server/evaluation/annotator.py`'s.
    """
    found = mistakes(prediction, truth)
    return point_in(found[0], deepest(found[0]), rng) if found else None


def deepest(mistake: Mistake) -> tuple[int, int]:
    """(row, column) in the mistake's box of the pixel farthest from its edge; the raster's edge counts as one."""
    return _peak(_depth(mistake.mask))


def anywhere(mistake: Mistake, rng: np.random.Generator) -> tuple[int, int]:
    """(row, column) in the mistake's box of one of its pixels, each as likely as any other."""
    rows, cols = np.nonzero(mistake.mask)
    index = rng.integers(len(rows))
    return int(rows[index]), int(cols[index])


def on_border(mistake: Mistake, rng: np.random.Generator) -> tuple[int, int]:
    """(row, column) in the mistake's box of one of the pixels of its rim, each as likely as any other."""
    rows, cols = np.nonzero(mistake.mask & (_depth(mistake.mask) <= 1))
    index = rng.integers(len(rows))
    return int(rows[index]), int(cols[index])


def point_in(mistake: Mistake, place: tuple[int, int], rng: np.random.Generator) -> Annotation:
    """A point annotation on the centre of that pixel."""
    row, col = mistake.box[0].start + place[0], mistake.box[1].start + place[1]
    return Annotation(_new_id(rng), "point", ((col + 0.5, row + 0.5),), mistake.class_id)


def stroke_in(mistake: Mistake, rng: np.random.Generator, width_px: float) -> Annotation:
    """A straight stroke that stays inside the mistake, or its deepest point where it is too small for one.

    `width_px` wide, or less where there is less room.
    """
    depth = _depth(mistake.mask)
    row, col = _peak(depth)
    width_px = min(width_px, 2.0 * (float(depth[row, col]) - OFF_CENTRE_PX))
    angle = rng.uniform(0, np.pi)
    roomy = depth >= width_px / 2 + OFF_CENTRE_PX
    ends = [_walk(roomy, row, col, angle + turn) for turn in (0.0, np.pi)]
    if ends[0] == ends[1] or width_px < HAIRLINE_PX:
        return point_in(mistake, (row, col), rng)
    top, left = mistake.box[0].start, mistake.box[1].start
    vertices = tuple((left + c + 0.5, top + r + 0.5) for r, c in ends)
    return Annotation(_new_id(rng), "stroke", vertices, mistake.class_id, width_px)


def _depth(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of every pixel of the mask to the nearest one outside, 1 at the edge; the box's edge is one."""
    depth: NDArray[np.float64] = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return depth


def _peak(depth: NDArray[np.float64]) -> tuple[int, int]:
    row, col = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row), int(col)


def _walk(mask: NDArray[np.bool_], row: int, col: int, angle: float) -> tuple[int, int]:
    """The last pixel inside the mask on the way from (row, col) in one direction."""
    reached, step = (row, col), 0
    while True:
        step += 1
        r, c = round(row + step * np.sin(angle)), round(col + step * np.cos(angle))
        if not (0 <= r < mask.shape[0] and 0 <= c < mask.shape[1] and mask[r, c]):
            return reached
        reached = (r, c)


def marks_from_truth(
    truth: Classes, count: int, rng: np.random.Generator, balanced: bool = True, on_border: bool = False
) -> list[Annotation]:
    """`count` points anywhere in the truth, or on pixels beside another class's.

    balanced  its classes equally often (DISIR's frequency balancing, section 2.1), or by the areas they have
    """
    allowed = _border(truth) if on_border else truth != VOID
    present, areas = np.unique(truth[allowed], return_counts=True)
    if not present.size:
        return []
    marks = []
    for class_id in rng.choice(present, count, p=None if balanced else areas / areas.sum()):
        pixels = np.flatnonzero(allowed & (truth == class_id))
        row, col = divmod(int(rng.choice(pixels)), truth.shape[1])
        marks.append(Annotation(_new_id(rng), "point", ((col + 0.5, row + 0.5),), int(class_id)))
    return marks


def _border(truth: Classes) -> NDArray[np.bool_]:
    """The pixels of a class that have a pixel of another class, or void, among their four neighbours."""
    padded = np.pad(truth, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    border: NDArray[np.bool_] = np.any([middle != other for other in around], axis=0)
    return border & (truth != VOID)


def marks_from_errors(
    prediction: Classes, truth: Classes, count: int, rng: np.random.Generator, stroke_share: float = 0.0
) -> list[Annotation]:
    """Up to `count` marks on different mistakes, drawn by area: half of the points deep inside, half anywhere.

    With probability `stroke_share` a mark is a stroke of 1 to 9 pixels width.
    """
    found = mistakes(prediction, truth)
    if not found:
        return []
    areas = np.array([m.area for m in found], np.float64)
    chosen = rng.choice(len(found), min(count, len(found)), replace=False, p=areas / areas.sum())
    return [_mark_in(found[index], rng, stroke_share) for index in chosen]


def strokes_in(truth: Classes, rng: np.random.Generator, options: Strokes) -> list[Annotation]:
    """A straight stroke in every region of a class, within each square, that is not too small to bother."""
    found, nothing = [], np.full((options.square_px,) * 2, VOID, np.uint8)
    for top in range(0, truth.shape[0], options.square_px):
        for left in range(0, truth.shape[1], options.square_px):
            square = truth[top : top + options.square_px, left : left + options.square_px]
            for region in mistakes(nothing[: square.shape[0], : square.shape[1]], square):
                if region.area >= options.smallest_px:
                    found.append(moved(stroke_in(region, rng, options.width_px), left, top))
    return found


def moved(mark: Annotation, x: float, y: float) -> Annotation:
    """The mark so many pixels further right and down."""
    return replace(mark, vertices=tuple((px + x, py + y) for px, py in mark.vertices))


def noisy_scores(truth: Classes, count: int, noise: float, classes: int, rng: np.random.Generator) -> SideInformation:
    """Points anywhere in the truth, each with a score a class: 1 for its own, 0 for others, and normal errors on all.

    As if somebody had photographed the ground there, and a classifier had looked at the photographs.
    """
    known = np.flatnonzero(truth != VOID)
    rows, cols = np.divmod(rng.choice(known, count if known.size else 0), truth.shape[1])
    scores = np.eye(classes)[truth[rows, cols]] + rng.normal(0, noise, (len(rows), classes))
    points = np.stack([cols, rows], 1) + 0.5
    return SideInformation(points.astype(np.float32), scores.astype(np.float32))


def some_points(side: SideInformation, count: int, rng: np.random.Generator) -> SideInformation:
    """`count` of the points at most, any of them."""
    chosen = rng.permutation(len(side))[:count]
    return SideInformation(side.points[chosen], side.values[chosen])


def relabelled(truth: Classes, classes: int, farthest_px: float, rng: np.random.Generator) -> Classes:
    """`truth` with one class called by another's name: a region of it mostly, within some distance of a place in it.

    Whoever is shown marks drawn from it must believe them rather than the image, and must not believe them too far: the
    radius is drawn log-uniformly from RELABEL_LEAST_PX to `farthest_px`.
    """
    present = [c for c in np.unique(truth) if c != VOID]
    if not present or classes < 2:
        return truth
    old = int(rng.choice(present))
    new = int(rng.choice([c for c in range(classes) if c != old]))
    where = truth == old
    row, col = divmod(int(rng.choice(np.flatnonzero(where))), truth.shape[1])
    if rng.random() < RELABEL_REGION:
        regions, _ = ndimage.label(where)
        where = regions == regions[row, col]
    rows, cols = np.ogrid[: truth.shape[0], : truth.shape[1]]
    radius = math.exp(rng.uniform(math.log(RELABEL_LEAST_PX), math.log(farthest_px)))
    near = (rows - row) ** 2 + (cols - col) ** 2 <= radius**2
    return np.where(where & near, np.uint8(new), truth)


def _mark_in(mistake: Mistake, rng: np.random.Generator, stroke_share: float) -> Annotation:
    if rng.random() < stroke_share:
        return stroke_in(mistake, rng, float(rng.integers(1, 10)))
    return point_in(mistake, deepest(mistake) if rng.random() < 0.5 else anywhere(mistake, rng), rng)


def _new_id(rng: np.random.Generator) -> str:
    return rng.bytes(8).hex()
