"""Objects in scenes, and the random views of them that a network is trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terrafine.models.data import Augmentation, Scene, recolour, turned
from terrafine.models.metrics import VOID
from terrafine.models.objects import clicks
from terrafine.models.objects.crop import Crop, image_of
from terrafine.models.objects.view import View
from terrafine.shared.geo import Window, intersection, slices
from terrafine.shared.objects import LARGEST_BOX_PX, Box, ObjectGuide
from terrafine.shared.spec import ModelSpec

Floats = NDArray[np.float32]
Truth = NDArray[np.uint8]


@dataclass(frozen=True)
class ObjectOptions:
    """Which objects a network is trained on, and how clicks are simulated.

    classes   whose connected regions are objects
    least_px  pixels of the smallest
    loosest   how far a side of the box may be away, as a share of the object's side
    added     the most clicks that are added in a step, from what is wrong at that moment
    good_iou  from which on an object needs no more of them
    """

    classes: tuple[str, ...] = ("building",)
    least_px: int = 400
    loosest: float = 0.15
    added: int = 3
    good_iou: float = 0.95


@dataclass(frozen=True)
class SceneObject:
    """A connected region of one class; `window` is the smallest around it, `mask` (*window.shape) its pixels."""

    scene: Scene
    window: Window
    mask: NDArray[np.bool_]

    @property
    def tight_box(self) -> Box:
        w = self.window
        return float(w.col), float(w.row), float(w.col_end), float(w.row_end)

    def truth(self, window: Window) -> Truth:
        """1 for the object, 0 beside it, VOID where the labels or the scene end; uint8 (*window.shape)."""
        whole = whole_of(self.scene)
        inside = intersection(window, whole)
        truth = np.full(window.shape, VOID, np.uint8)
        labels = self.scene.truth[slices(inside, whole)]
        truth[slices(inside, window)] = np.where(labels == VOID, np.uint8(VOID), np.uint8(0))
        common = intersection(window, self.window)
        if not common.is_empty:
            truth[slices(common, window)][self.mask[slices(common, self.window)]] = 1
        return truth


@dataclass(frozen=True)
class Sample:
    """image float32 (bands, T, T) normalised; guidance float32 (2, T, T), the first clicks; truth uint8 (T, T)."""

    image: Floats
    guidance: Floats
    truth: Truth


def objects_of(scenes: Sequence[Scene], class_ids: Sequence[int], least_px: int) -> list[SceneObject]:
    """Every connected region of those classes with `least_px` pixels or more, that a box may be drawn around."""
    return [found for scene in scenes for class_id in class_ids for found in _regions(scene, class_id, least_px)]


def _regions(scene: Scene, class_id: int, least_px: int) -> Iterator[SceneObject]:
    labels, _ = ndimage.label(scene.truth == class_id)
    areas = np.bincount(labels.ravel())
    for index, (rows, cols) in enumerate(ndimage.find_objects(labels), start=1):
        window = Window(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
        if areas[index] >= least_px and max(window.shape) < LARGEST_BOX_PX / 2:
            yield SceneObject(scene, window, labels[rows, cols] == index)


class ObjectSampler:
    """Draws objects, each as likely as any other, and how they are pointed at."""

    def __init__(
        self, objects: Sequence[SceneObject], spec: ModelSpec, view: View, options: ObjectOptions, varied: Augmentation
    ) -> None:
        self.objects, self.spec, self.view, self.options, self.varied = objects, spec, view, options, varied

    def draw(self, rng: np.random.Generator) -> Sample:
        chosen = self.objects[int(rng.integers(len(self.objects)))]
        box = clicks.loose_box(chosen.tight_box, rng.uniform(0, self.options.loosest, 4))
        x, y = clicks.click_inside(chosen.mask, rng)
        guide = ObjectGuide(box, ((chosen.window.col + x, chosen.window.row + y),))
        crop = self.view.crop(guide)
        unit, valid = pixels(chosen.scene, crop.window)
        image = image_of(recolour(unit, self.varied, rng), valid, crop, self.spec)
        sample = Sample(image, self.view.first_clicks(guide, crop), _truth(chosen, crop))
        return _turned(sample, int(rng.integers(8)))


def pixels(scene: Scene, window: Window) -> tuple[Floats, NDArray[np.bool_]]:
    """float32 (bands, *window.shape) in [0, 1], and where the scene has them; `window` may reach outside."""
    whole = whole_of(scene)
    inside = intersection(window, whole)
    unit, valid = np.zeros((len(scene.image), *window.shape), np.float32), np.zeros(window.shape, bool)
    rows, cols = slices(inside, window)
    unit[:, rows, cols] = scene.image[(slice(None), *slices(inside, whole))] / np.float32(255.0)
    valid[rows, cols] = True
    return unit, valid


def whole_of(scene: Scene) -> Window:
    return Window(0, 0, *scene.truth.shape[::-1])


def _truth(found: SceneObject, crop: Crop) -> Truth:
    """The truth at the network's pixels: that of the pixel of the image under each centre."""
    places = np.floor((np.arange(crop.size_px) + 0.5) / crop.scale).astype(np.intp)
    truth: Truth = found.truth(crop.window)[np.ix_(places, places)]
    return truth


def _turned(sample: Sample, which: int) -> Sample:
    image, guidance, truth = (turned(values, which) for values in (sample.image, sample.guidance, sample.truth))
    return Sample(*(np.ascontiguousarray(values) for values in (image, guidance, truth)))
