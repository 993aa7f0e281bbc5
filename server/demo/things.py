"""Single things seen from above: houses and their roofs, trees, cars, roads. Lengths are pixels of 0.5 m."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
from scipy.interpolate import make_interp_spline

from terrafine.server.demo.canvas import Array, Colour, Points, Surface, along, inside, polygon

WATER, LAND, ROAD, BUILDING, VEGETATION = range(5)
SUN = np.array([-0.82, -0.57])  # the way shadows fall, (x, y)
STEP = 0.5  # between the points of a curve
SHADOW = (0.36, 0.39, 0.47)
ASPHALT, LEAVES, LAWN, PAINT = (84, 76, 75), (60, 72, 46), (96, 114, 66), (206, 203, 197)
ROOFS = np.array(((232, 226, 214), (214, 204, 188), (190, 180, 170), (236, 234, 232), (150, 146, 150), (176, 122, 92)))
CARS = ((235, 235, 235), (245, 245, 250), (225, 225, 228), (40, 40, 45), (72, 74, 80), (128, 46, 40), (110, 120, 135),
        (205, 200, 190))  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """A frame of reference turned by `angle`: positions (u, v) in pixels from `origin`."""

    origin: tuple[float, float]
    angle: float

    def place(self, u: float, v: float) -> Points:
        """Where (u, v) lies on the canvas: float (2,)."""
        return np.asarray(self.origin) + turned(np.array((u, v)), self.angle)

    def box(self, u: float, v: float, width: float, height: float) -> Points:
        """The corners of a box around (u, v): float (4, 2)."""
        half = np.array(((-1, -1), (1, -1), (1, 1), (-1, 1))) * (width / 2, height / 2)
        return np.asarray(self.origin) + turned(half + (u, v), self.angle)


def turned(points: Points, angle: float) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array(((cos, sin), (-sin, cos))))


def fill(town: Surface, corners: Points, colour: Colour, class_id: Optional[int] = None, grain: float = 0.0) -> None:
    part = town.around(corners)
    part.paint(polygon(part, corners), colour, class_id, grain)


def shadow(town: Surface, corners: Points, tall: float) -> None:
    """The shadow on the ground of something with this outline, whose top's shadow falls `tall` pixels away."""
    part = town.around(np.concatenate([corners, corners + SUN * tall]))
    steps = [polygon(part, corners + SUN * step) for step in np.linspace(0, tall, max(2, int(tall / 3)))]
    part.darken(np.maximum.reduce(steps), SHADOW)


def tree(town: Surface, at: Points, radius: float, rng: np.random.Generator) -> None:
    angles = np.linspace(0, 2 * np.pi, 11)[:-1]
    rim = np.stack([np.cos(angles), np.sin(angles)], axis=1) * rng.uniform(0.75, 1.15, (10, 1)) * radius
    shadow(town, at + rim, radius * 0.9)
    fill(town, at + rim, np.asarray(LEAVES) * rng.uniform(0.8, 1.15), VEGETATION, grain=9)
    fill(town, at + rim * 0.5 - SUN * radius * 0.3, np.asarray(LEAVES) * 1.4, grain=9)


def car(town: Surface, at: Points, angle: float, rng: np.random.Generator) -> None:
    body = Frame((float(at[0]), float(at[1])), angle).box(0, 0, rng.uniform(8, 10), 3.8)
    shadow(town, body, 2.0)
    fill(town, body, CARS[rng.integers(len(CARS))])


def house(town: Surface, frame: Frame, size: tuple[float, float], tall: float, rng: np.random.Generator) -> None:
    """A building around the frame's origin, of one or two wings, with a flat roof or hipped ones."""
    width, depth = size
    colour = ROOFS[rng.choice(len(ROOFS), p=(0.27, 0.22, 0.15, 0.16, 0.08, 0.12))] * rng.uniform(0.9, 1.06)
    wings = [frame.box(0, 0, width, depth)]
    if rng.random() < 0.7:
        side, end = rng.choice((-1, 1), 2)
        wings.append(frame.box(side * width * 0.3, end * depth * 0.4, width * 0.42, depth * 0.5))
    for wing in wings:
        shadow(town, wing, tall)
    for wing in wings:
        if colour[2] < 110:
            hipped_roof(town, wing, colour)
        else:
            flat_roof(town, wing, colour, rng)


def flat_roof(town: Surface, roof: Points, colour: Array, rng: np.random.Generator) -> None:
    """A bright parapet, a duller roof within, and the boxes that stand on it."""
    middle = roof.mean(axis=0)
    spokes = roof - middle
    radius = np.linalg.norm(spokes, axis=1, keepdims=True)
    fill(town, roof, np.minimum(colour * 1.12, 252), BUILDING)
    fill(town, middle + spokes * (1 - 3.2 / radius), colour * 0.93, grain=4)
    for _ in range(int(radius.max() / 4)):
        corner, next_corner = spokes[(rng.integers(4) + np.arange(2)) % 4]
        at = middle + rng.uniform(0.1, 0.75) * (corner + rng.random() * (next_corner - corner))
        box = Frame((at[0], at[1]), float(np.arctan2(*(roof[1] - roof[0])[::-1]))).box(0, 0, *rng.uniform(2.5, 7.0, 2))
        fill(town, box + SUN * 2, colour * 0.5)
        fill(town, box, np.minimum(colour * rng.uniform(0.8, 1.2), 252))


def hipped_roof(town: Surface, roof: Points, colour: Array) -> None:
    """Four slopes, each as bright as it faces the sun."""
    if np.linalg.norm(roof[1] - roof[0]) < np.linalg.norm(roof[2] - roof[1]):
        roof = np.roll(roof, 1, axis=0)
    middle, quarter = roof.mean(axis=0), (roof[1] - roof[0]) * 0.22
    left, right = middle - quarter, middle + quarter
    fill(town, roof, colour, BUILDING)
    north, east, south, west = roof
    for slope in ((north, east, right, left), (east, south, right), (south, west, left, right), (west, north, left)):
        outward = (slope[0] + slope[1]) / 2 - middle
        facing = float(outward @ SUN) / float(np.linalg.norm(outward))
        fill(town, np.array(slope), colour * (1 - 0.26 * facing), grain=3)


def street(town: Surface, curve: Points, half_width: float) -> None:
    """A street with kerbs and a dashed line in its middle."""
    part = town.around(curve, half_width + 6)
    if 0 in part.shape:
        return
    beside = along(part, curve, half_width + 6)
    off = np.abs(beside.across)
    part.paint(inside(off - half_width - 3), (180, 174, 167), grain=4)
    part.paint(inside(off - half_width), ASPHALT, ROAD, grain=4)
    dash = np.where(beside.length % 18 < 7, off - 0.5, np.inf)
    part.paint(0.7 * inside(dash), PAINT)


def carriageway(town: Surface, curve: Points, half_width: float, lane: float) -> None:
    """One direction of a highway: edge lines and dashes between lanes of `lane` pixels, worn where wheels run."""
    part = town.around(curve, half_width + 9)
    beside = along(part, curve, half_width + 9)
    off = np.abs(beside.across)
    part.paint(inside(off - half_width - 4), (168, 161, 153), grain=5)
    part.paint(inside(off - half_width), ASPHALT, ROAD, grain=4)
    place = np.where(off < half_width, beside.across + half_width - 2, 0.0)  # 0 at the left edge line
    part.image += np.where(off < half_width - 1, 5 * np.cos(4 * np.pi * place / lane), 0)[..., None].astype(np.float32)
    part.paint(0.8 * inside(np.abs(off - half_width + 2) - 0.6), PAINT)
    from_line = np.abs((place + lane / 2) % lane - lane / 2)
    dashed = (off < half_width - 4) & (beside.length % 24 < 8)
    part.paint(0.8 * inside(np.where(dashed, from_line - 0.6, np.inf)), PAINT)


def spline(knots: Points) -> Points:
    """A smooth curve through `knots`, float (n, 2), as points about STEP pixels apart."""
    place = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    curve = make_interp_spline(place, knots, k=min(3, len(knots) - 1))
    return np.asarray(curve(np.arange(0, place[-1], STEP)))


def offset(curve: Points, by: float) -> Points:
    """`curve` moved `by` pixels to its right."""
    tangent = np.gradient(curve, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    return np.asarray(curve + by * np.stack([-tangent[:, 1], tangent[:, 0]], axis=1))
