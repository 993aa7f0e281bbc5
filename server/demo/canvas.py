"""A canvas for made-up aerial images: every stroke of the brush also writes the truth.

Colours are RGB in 0 … 255, arrays are (rows, columns), positions are (x, y) in pixels (see shared/geo.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

Array = NDArray[np.floating[Any]]
Points = NDArray[np.float64]  # (points, 2)
Colour = Union[Sequence[float], Array]
SUPERSAMPLING = 4  # polygons are drawn this much larger and reduced, which smooths their edges


class Along(NamedTuple):
    """Where pixels lie beside a curve, float32 (rows, columns) each.

    across  distance from the curve in pixels, positive on its right; infinite out of reach and beyond its ends
    length  how far along the curve, in pixels
    """

    across: Array
    length: Array


def noise(shape: tuple[int, int], size_px: float, rng: np.random.Generator) -> Array:
    """Smooth noise with features of about `size_px`: float32 (rows, columns), mean 0, standard deviation 1."""
    coarse = rng.standard_normal([int(side / size_px) + 4 for side in shape]).astype(np.float32)
    rows, cols = (np.arange(side, dtype=np.float32) / size_px + 1 for side in shape)
    smooth = ndimage.map_coordinates(coarse, np.meshgrid(rows, cols, indexing="ij"), order=3, mode="nearest")
    return (smooth - smooth.mean()) / smooth.std()


def texture(shape: tuple[int, int], sizes_px: Sequence[float], rng: np.random.Generator, fall: float = 0.7) -> Array:
    """Noise of several sizes, each `fall` times as strong as the one before it; standard deviation about 1."""
    weights = fall ** np.arange(len(sizes_px), dtype=np.float32)
    layers = [weight * noise(shape, size, rng) for weight, size in zip(weights, sizes_px)]
    return np.sum(layers, axis=0) / np.sqrt(np.sum(weights**2))


def inside(distance: Array) -> Array:
    """How much of each pixel an area covers, 0 … 1, from the distance to its outline in pixels (negative inside)."""
    return np.clip(0.5 - distance, 0.0, 1.0)


@dataclass
class Surface:
    """A canvas or a part of one.

    image  float32 (rows, columns, 3), truth uint8 (rows, columns), grain float32 (rows, columns): the roughness of
    things; origin (x, y) of the first pixel on the canvas. A part's arrays are views of the whole's.
    """

    image: Array
    truth: NDArray[np.uint8]
    grain: Array
    origin: tuple[int, int] = (0, 0)

    @property
    def shape(self) -> tuple[int, int]:
        return self.truth.shape[0], self.truth.shape[1]

    def paint(self, area: Array, colour: Colour, class_id: Optional[int] = None, grain: float = 0.0) -> None:
        """Cover `area` (0 … 1 a pixel) with `colour`, roughened by `grain`; without a class the truth stays."""
        target = np.asarray(colour, np.float32) + grain * self.grain[..., None]
        self.image += area[..., None] * (target - self.image)
        if class_id is not None:
            self.truth[area > 0.5] = class_id

    def darken(self, area: Array, factor: Colour) -> None:
        """Multiply the colours of `area`: a shadow."""
        self.image *= 1 - area[..., None] * (1 - np.asarray(factor, np.float32))

    def around(self, points: Points, reach: float = 1.0) -> Surface:
        """The part within `reach` pixels of the points' bounding box; it may be empty."""
        low = np.floor(points.min(axis=0) - reach).astype(int) - self.origin
        high = np.ceil(points.max(axis=0) + reach).astype(int) - self.origin
        left, top = np.clip(low, 0, self.shape[::-1])
        right, bottom = np.clip(high, 0, self.shape[::-1])
        where = (slice(top, bottom), slice(left, right))
        place = (self.origin[0] + int(left), self.origin[1] + int(top))
        return Surface(self.image[where], self.truth[where], self.grain[where], place)


def blank(size_px: int, rng: np.random.Generator) -> Surface:
    """A square canvas; all of it black, class 0."""
    shape = (size_px, size_px)
    grain = texture(shape, (24, 6, 2.5), rng, 0.9)
    return Surface(np.zeros((*shape, 3), np.float32), np.zeros(shape, np.uint8), grain)


def polygon(surface: Surface, corners: Points) -> Array:
    """How much of each pixel of `surface` a polygon covers, 0 … 1."""
    if 0 in surface.shape:
        return np.zeros(surface.shape, np.float32)
    large = Image.new("L", (surface.shape[1] * SUPERSAMPLING, surface.shape[0] * SUPERSAMPLING))
    ImageDraw.Draw(large).polygon([tuple(point) for point in (corners - surface.origin) * SUPERSAMPLING], fill=255)
    return np.asarray(large.reduce(SUPERSAMPLING), np.float32) / 255


def along(surface: Surface, curve: Points, reach: float) -> Along:
    """Where each pixel of `surface` lies beside `curve`, whose points are less than a pixel apart.

    A distance transform of the pixels that the curve crosses finds its nearest point, the rest is exact.
    """
    index = _nearest_point(surface, curve - surface.origin)
    tangent = np.gradient(curve, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    rows, cols = np.indices(surface.shape) + 0.5
    dx, dy = cols + surface.origin[0] - curve[index, 0], rows + surface.origin[1] - curve[index, 1]
    across = tangent[index, 0] * dy - tangent[index, 1] * dx
    beyond = np.hypot(dx, dy) > np.minimum(reach, np.abs(across) + 2)
    return Along(np.where(beyond, np.inf, across).astype(np.float32), length[index].astype(np.float32))


def _nearest_point(surface: Surface, curve: Points) -> NDArray[np.int64]:
    """The index of the point of `curve` (relative to the surface) that is nearest to each pixel."""
    crossed = np.full(surface.shape, -1, np.int64)
    cells = np.clip(np.floor(curve).astype(int), 0, np.array(surface.shape[::-1]) - 1)
    crossed[cells[:, 1], cells[:, 0]] = np.arange(len(curve))
    nearest = ndimage.distance_transform_edt(crossed < 0, return_distances=False, return_indices=True)
    return crossed[tuple(nearest)]
