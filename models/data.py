"""Scenes in memory, and the random crops of them that a network is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from terrafine.models.metrics import VOID
from terrafine.shared.side import NOWHERE, SideInformation

Scalar = TypeVar("Scalar", bound=np.generic)
POINTS_PER_CLASS = 4096  # remembered places of each class of a scene, to centre crops on


@dataclass(frozen=True)
class Scene:
    """An image and its truth at the model's GSD.

    image   uint8 (bands, rows, columns): 0 … 255 is what the model calls 0 … 1
    truth   uint8 (rows, columns), VOID (255) where it says nothing
    side    numbers that are known at points, in its pixels
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    side: SideInformation = NOWHERE


@dataclass(frozen=True)
class Augmentation:
    """How crops vary. Scale is a factor drawn log-uniformly from [1/scale, scale]; colour shifts are fractions."""

    scale: float = 1.6
    brightness: float = 0.2
    contrast: float = 0.25
    colour: float = 0.1
    gamma: float = 0.25


class CropSampler:
    """Draws crops from scenes: half of them anywhere, by area, half centred on a pixel of a class drawn evenly."""

    def __init__(self, scenes: Sequence[Scene], classes: int, crop_px: int, augmentation: Augmentation) -> None:
        self.scenes, self.crop_px, self.augmentation = scenes, crop_px, augmentation
        areas = np.array([scene.truth.size for scene in scenes], np.float64)
        self._area_share = areas / areas.sum()
        self._places = [_places_by_class(scenes, class_id) for class_id in range(classes)]
        self._present = [class_id for class_id, places in enumerate(self._places) if len(places)]

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """One crop: image float32 (bands, crop, crop) in [0, 1] and truth uint8 (crop, crop)."""
        return self.draw_with_side(rng)[:2]

    def draw_with_side(
        self, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8], SideInformation]:
        """Like `draw`, with the scene's points that lie in the crop, in the crop's pixels."""
        scene, row, col = self._centre(rng)
        factor = self.augmentation.scale ** rng.uniform(-1, 1)
        size = max(8, round(self.crop_px / factor))
        top, left = _inside(scene, row - size // 2, col - size // 2, size)
        image, truth = _resize(*_cut(scene, top, left, size), self.crop_px)
        which = int(rng.integers(8))
        image, truth = turned(image, which), turned(truth, which)
        side = _points(scene.side, (top, left), size, self.crop_px, which)
        return recolour(image, self.augmentation, rng), np.ascontiguousarray(truth), side

    def _centre(self, rng: np.random.Generator) -> tuple[Scene, int, int]:
        if rng.random() < 0.5:
            scene = self.scenes[rng.choice(len(self.scenes), p=self._area_share)]
            return scene, int(rng.integers(scene.truth.shape[0])), int(rng.integers(scene.truth.shape[1]))
        places = self._places[rng.choice(self._present)]
        index, row, col = places[rng.integers(len(places))]
        shift = rng.integers(-self.crop_px // 3, self.crop_px // 3 + 1, 2)
        return self.scenes[index], int(row + shift[0]), int(col + shift[1])


def _places_by_class(scenes: Sequence[Scene], class_id: int) -> NDArray[np.int32]:
    """(n, 3): scene, row, column of pixels of one class, at most POINTS_PER_CLASS a scene, evenly spread."""
    found = []
    for index, scene in enumerate(scenes):
        pixels = np.flatnonzero(scene.truth == class_id)
        pixels = pixels[:: max(1, len(pixels) // POINTS_PER_CLASS)]
        rows, cols = np.divmod(pixels, scene.truth.shape[1])
        found.append(np.stack([np.full_like(rows, index), rows, cols], axis=1).astype(np.int32))
    return np.concatenate(found) if found else np.empty((0, 3), np.int32)


def _inside(scene: Scene, top: int, left: int, size: int) -> tuple[int, int]:
    """The square's corner, pushed inside where it can be."""
    rows, cols = scene.truth.shape
    return max(0, min(top, rows - size)), max(0, min(left, cols - size))


def _cut(scene: Scene, top: int, left: int, size: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A square of the scene, mirrored (truth: void) where the scene is too small."""
    image = scene.image[:, top : top + size, left : left + size].astype(np.float32) / 255.0
    truth = scene.truth[top : top + size, left : left + size]
    below, right = size - truth.shape[0], size - truth.shape[1]
    if below or right:
        image = np.pad(image, ((0, 0), (0, below), (0, right)), mode="symmetric")
        truth = np.pad(truth, ((0, below), (0, right)), constant_values=VOID)
    return image, truth


def _resize(
    image: NDArray[np.float32], truth: NDArray[np.uint8], size: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    if truth.shape == (size, size):
        return image, truth
    grown = F.interpolate(torch.from_numpy(image)[None], (size, size), mode="bilinear", antialias=True)
    nearest = F.interpolate(torch.from_numpy(truth)[None, None], (size, size), mode="nearest-exact")
    return grown[0].numpy(), nearest[0, 0].numpy()


def turned(values: NDArray[Scalar], which: int) -> NDArray[Scalar]:
    """One of the eight symmetries of a square (…, rows, columns); a view."""
    rotated = np.rot90(values, which % 4, (-2, -1))
    return rotated[..., ::-1] if which >= 4 else rotated


def _points(side: SideInformation, corner: tuple[int, int], size: int, crop_px: int, which: int) -> SideInformation:
    """The points in the square of the scene at that corner (row, column), where `_resize` and `turned` put them."""
    if not len(side):
        return NOWHERE
    places = (side.points - np.array(corner[::-1], np.float32)) * np.float32(crop_px / size)
    inside = ((places >= 0) & (places < crop_px)).all(axis=1)
    x, y = places[inside].T
    for _ in range(which % 4):
        x, y = y, crop_px - x
    x = crop_px - x if which >= 4 else x
    return SideInformation(np.stack([x, y], axis=1), side.values[inside])


def recolour(image: NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """Vary brightness, contrast, gamma and the bands' gains; float32 (bands, rows, columns) in [0, 1]."""
    gamma = np.exp(rng.uniform(-1, 1) * augmentation.gamma)
    gain = 1 + rng.uniform(-1, 1) * augmentation.contrast
    gains = gain * (1 + rng.uniform(-1, 1, (len(image), 1, 1)) * augmentation.colour)
    shift = rng.uniform(-1, 1) * augmentation.brightness
    mean = image.mean()
    varied = (np.power(image, gamma) - mean) * gains + mean + shift * mean
    return np.clip(varied, 0.0, 1.0).astype(np.float32)
