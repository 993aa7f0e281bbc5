"""A made-up town on a made-up coast, seen from above at 0.5 m a pixel, with its truth.

It stands in where no real raster is at hand; its classes are those of the zoo model's legend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terrafine.server.demo import things
from terrafine.server.demo.canvas import Array, Points, Surface, along, blank, inside, noise, texture
from terrafine.server.demo.things import BUILDING, LAND, LAWN, LEAVES, ROAD, VEGETATION, WATER, Frame, fill

GSD_M = 0.5
SAND = (203, 193, 180)


@dataclass(frozen=True)
class Scene:
    """image uint8 (3, rows, columns), truth uint8 (rows, columns)"""

    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]


def draw(size_px: int = 1536, seed: int = 7) -> Scene:
    """Draw the scene, 256 pixels a side or more; the same arguments give the same pixels."""
    rng = np.random.default_rng(seed)
    town = blank(size_px, rng)

    def at(x: float, y: float) -> Points:
        return np.array((x, y)) * size_px

    _desert(town, rng)
    _tracks(town, rng)
    shore = _sea(town, rng)
    _mangroves(town, shore, rng)
    _shrubs(town, shore, rng)
    highway = things.spline(at(1, 1) * ((0.44, -0.05), (0.50, 0.25), (0.48, 0.55), (0.56, 0.80), (0.62, 1.05)))
    _park(town, at(0.355, 0.26), 0.10 * size_px, rng)
    _villas(town, Frame(tuple(at(0.60, -0.05)), 0.16), 0.55 * size_px, 0.74 * size_px, highway, rng)
    _sheds(town, Frame(tuple(at(0.30, 0.62)), -0.30), rng)
    _towers(town, Frame(tuple(at(0.68, 0.82)), 0.16), rng)
    _highway(town, highway, rng)
    return Scene(_photograph(town, rng), town.truth)


# ---- ground ---------------------------------------------------------------------------------------------------------


def _desert(town: Surface, rng: np.random.Generator) -> None:
    tone, hue = texture(town.shape, (400, 160, 60, 20), rng), noise(town.shape, 350, rng)
    damp = inside(3 * (1.0 - texture(town.shape, (160, 60, 24, 9, 4), rng, 0.75)))
    ripples = np.sin(town.grain * 0.6 + 2.5 * noise(town.shape, 120, rng) + np.arange(town.shape[0])[:, None] / 2.2)
    town.paint(np.ones(town.shape, np.float32), SAND, LAND, grain=5)
    town.image += (15 * tone + 2.5 * ripples)[..., None] * np.array((1.0, 0.98, 0.92), np.float32)
    town.image += hue[..., None] * np.array((4.0, 0.0, -5.0), np.float32)
    town.paint(0.5 * damp * np.clip(0.6 + 0.4 * town.grain, 0, 1), (138, 136, 138))


def _shrubs(town: Surface, depth: Array, rng: np.random.Generator) -> None:
    """Bushes that stand alone, in loose groups, where the sand is dry."""
    for centre in rng.uniform(0, town.shape[0], (40, 2)):
        for place in centre + rng.normal(0, 45, (rng.integers(4, 16), 2)):
            col, row = np.clip(place.astype(int), 0, town.shape[0] - 1)
            if depth[row, col] < -20:
                things.tree(town, place, rng.uniform(1.3, 2.8), rng)


def _tracks(town: Surface, rng: np.random.Generator) -> None:
    """Ruts that cars have left in the sand: brighter, in pairs."""
    for _ in range(14):
        bends = rng.normal(0, 160, (4, 2)).cumsum(axis=0)
        curve = things.spline(rng.uniform(0, town.shape[0], 2) + np.concatenate([np.zeros((1, 2)), bends]))
        part = town.around(curve, 8)
        if 0 not in part.shape:
            across = np.abs(along(part, curve, 8).across)
            part.paint(rng.uniform(0.25, 0.5) * inside(np.abs(across - 1.8) - 0.7), (226, 219, 208))


def _sea(town: Surface, rng: np.random.Generator) -> Array:
    """Paint the sea on the left; returns the distance to the shore in pixels, negative on land."""
    rows, cols = np.indices(town.shape).astype(np.float32) / town.shape[0]
    edge = 0.20 + 0.05 * np.sin(3.2 * rows + 0.6) - 0.10 * np.exp(-(((rows - 0.86) / 0.10) ** 2))
    wet = cols < edge + 0.008 * texture(town.shape, (200, 70, 24, 8), rng)
    depth = ndimage.distance_transform_edt(wet) - ndimage.distance_transform_edt(~wet)
    depth = ndimage.gaussian_filter(depth.astype(np.float32), 1.0)
    town.paint(0.75 * inside((-depth - 14 - 5 * town.grain) / 6), (170, 165, 158))
    town.paint(0.8 * inside(np.abs(depth + 5) - 3), (222, 216, 204))
    shallow = np.exp(-np.maximum(depth, 0) / 14)[..., None] * np.array((60, 72, 58), np.float32)
    deep = np.array((11, 15, 16)) + shallow + 3.0 * texture(town.shape, (300, 90, 5, 2), rng, 0.8)[..., None]
    town.paint(inside(-depth), deep.astype(np.float32), WATER)
    return depth


def _mangroves(town: Surface, depth: Array, rng: np.random.Generator) -> None:
    rows = np.arange(town.shape[0])[:, None] / town.shape[0]
    belt = np.exp(-(((depth + 55) / 45) ** 2)) * np.exp(-(((rows - 0.84) / 0.12) ** 2))
    grown = inside(9 * (0.75 - belt - 0.22 * texture(town.shape, (30, 10, 4), rng)))
    town.paint(grown, LEAVES, VEGETATION, grain=13)


# ---- town -----------------------------------------------------------------------------------------------------------


def _park(town: Surface, centre: Points, radius: float, rng: np.random.Generator) -> None:
    """A lawn of uneven green around a dark pond, with a path and trees."""
    angles = np.linspace(0, 2 * np.pi, 200)
    rim = np.stack([np.cos(angles), 1.25 * np.sin(angles)], axis=1)
    lawn = centre + rim * radius * (1 + 0.10 * np.sin(3 * angles + 1) + 0.03 * np.sin(7 * angles))[:, None]
    fill(town, lawn, LAWN, VEGETATION, grain=12)
    for turn in rng.uniform(0, 2 * np.pi, 9):  # where the grass is thin
        patch = rim * rng.uniform(7, 20) * (1 + 0.3 * np.sin(2 * angles + turn)[:, None])
        fill(town, centre + patch + radius * 0.8 * np.array((np.cos(turn), np.sin(turn))), (138, 132, 100), grain=14)
    fill(town, centre + rim * radius * 0.46 + (4, 4), (168, 160, 146), LAND)
    fill(town, centre + rim * radius * 0.42 * (1 + 0.14 * np.sin(2 * angles)[:, None]), (24, 36, 33), WATER, grain=1.5)
    things.street(town, things.spline(lawn[::10]), 4)
    for _ in range(170):
        turn, out = rng.uniform(0, 2 * np.pi), rng.uniform(0.55, 0.93)
        place = centre + np.array((np.cos(turn), 1.25 * np.sin(turn))) * radius * out
        things.tree(town, place, rng.uniform(3.5, 7.5), rng)


def _villas(
    town: Surface, frame: Frame, width: float, height: float, highway: Points, rng: np.random.Generator
) -> None:
    """Rows of villas in walled plots, back to back between streets, which begin at the highway."""
    plot, road, run = 62.0, 18.0, 5
    across, down = np.arange(0, width, run * plot + road), np.arange(0, height, 2 * plot + road)
    beside = things.turned(highway - frame.origin, -frame.angle)
    for v in down:
        start = np.interp(v, beside[:, 1], beside[:, 0])
        things.street(town, things.spline(np.stack([frame.place(start, v), frame.place(width, v)])), road / 2)
    for u in across:
        things.street(town, things.spline(np.stack([frame.place(u, 0), frame.place(u, down[-1])])), road / 2)
    for u in across:
        for v in down[:-1]:
            for k in range(2 * run):
                row, column = divmod(k, run)
                place = frame.place(u + road / 2 + plot * (column + 0.5), v + road / 2 + plot * (row + 0.5))
                _plot(town, Frame((place[0], place[1]), frame.angle + np.pi * row), plot, rng)


def _plot(town: Surface, frame: Frame, side: float, rng: np.random.Generator) -> None:
    """One in ten is still sand; else a walled yard with a house, sometimes a lawn, some trees."""
    if rng.random() < 0.1:
        return
    fill(town, frame.box(0, 0, side - 2, side - 2), (212, 206, 198))
    ground = np.array((184, 176, 168)) * rng.normal(1, 0.07) + rng.normal(0, 2, 3)
    fill(town, frame.box(0, 0, side - 6, side - 6), ground, LAND, grain=7)
    if rng.random() < 0.4:
        fill(town, frame.box(0, -side * 0.33, side - 9, side * 0.24), LAWN, VEGETATION, grain=11)
    place = frame.place(rng.uniform(-6, 6), rng.uniform(2, 8))
    size = (rng.uniform(30, 42), rng.uniform(27, 36))
    things.house(town, Frame((place[0], place[1]), frame.angle), size, rng.uniform(10, 16), rng)
    for _ in range(rng.integers(0, 6)):
        place = frame.place(rng.choice((-1, 1)) * side * 0.4, rng.uniform(-0.4, 0.4) * side)
        things.tree(town, place, rng.uniform(2.2, 4.2), rng)


def _sheds(town: Surface, frame: Frame, rng: np.random.Generator) -> None:
    """A harbour yard: long roofs with ribs on hard ground, and a road to them."""
    fill(town, frame.box(60, 60, 330, 270), (166, 160, 154), LAND, grain=10)
    things.street(town, things.spline(np.stack([frame.place(-100, 62), frame.place(330, 62)])), 9)
    for u, v in ((-40, 0), (60, -6), (165, 2), (-30, 130), (90, 128), (190, 134)):
        roof = frame.box(u, v, rng.uniform(74, 92), rng.uniform(56, 78))
        colour = np.asarray(((228, 226, 222), (205, 150, 104), (150, 168, 190), (186, 182, 178))[rng.integers(4)])
        things.shadow(town, roof, 15)
        fill(town, roof, colour, BUILDING, grain=3)
        for k in np.linspace(0.06, 0.94, 12):
            rib = np.stack([roof[0] + k * (roof[1] - roof[0]), roof[3] + k * (roof[2] - roof[3])])
            fill(town, np.concatenate([rib, rib[::-1] + (1.2, 0.4)]), colour * 0.86)
    for _ in range(60):
        place = frame.place(rng.uniform(-90, 210), rng.choice((52, 72, 185)) + rng.normal(0, 2))
        things.car(town, place, frame.angle + np.pi / 2 * rng.integers(2), rng)


def _towers(town: Surface, frame: Frame, rng: np.random.Generator) -> None:
    """High buildings, whose shadows lie on what is behind them, around a car park."""
    fill(town, frame.box(190, 70, 470, 260), (172, 166, 160), LAND, grain=7)
    things.street(town, things.spline(np.stack([frame.place(-150, 66), frame.place(460, 66)])), 10)
    fill(town, frame.box(400, 150, 60, 60), LAWN, VEGETATION, grain=12)
    fill(town, frame.box(190, 130, 300, 70), (92, 85, 84), ROAD, grain=4)
    for u in np.arange(50, 330, 7.0):
        for v in (103.0, 125.0, 137.0, 158.0):
            fill(town, frame.box(u + 3.5, v, 0.8, 12), (190, 187, 182))
            if rng.random() < 0.7:
                things.car(town, frame.place(u, v), frame.angle + np.pi / 2, rng)
    for u, v in ((0, 10), (85, -4), (170, 8), (255, -4), (340, 6), (395, 108)):
        roof = frame.box(u, v, rng.uniform(44, 56), rng.uniform(44, 60))
        things.shadow(town, roof, rng.uniform(55, 95))
        things.flat_roof(town, roof, np.asarray((200, 194, 186)) * rng.uniform(0.85, 1.1), rng)
    for u in np.arange(-30.0, 420.0, 17.0):
        things.tree(town, frame.place(u, 185 + rng.normal(0, 1.5)), rng.uniform(4, 6), rng)


def _highway(town: Surface, middle: Points, rng: np.random.Generator) -> None:
    """Two carriageways with a planted strip between them, and the cars on them."""
    half, lane = 17.0, 10.0
    strip = np.concatenate([things.offset(middle, -9), things.offset(middle, 9)[::-1]])
    fill(town, strip, (150, 146, 132), LAND, grain=9)
    for side in (-1, 1):
        curve = things.offset(middle, side * (half + 8))
        things.carriageway(town, curve, half, lane)
        for k in rng.integers(20, len(curve) - 20, 60):
            heading = curve[k + 2] - curve[k - 2]
            place = things.offset(curve, rng.choice((-1, 0, 1)) * lane)[k]
            things.car(town, place, float(np.arctan2(heading[1], heading[0])), rng)
    for k in range(0, len(middle), 34):
        things.tree(town, middle[k] + rng.normal(0, 1, 2), rng.uniform(3.0, 5.0), rng)


def _photograph(town: Surface, rng: np.random.Generator) -> NDArray[np.uint8]:
    """What a satellite's sensor makes of it: uneven light, blur, sharpening, noise; uint8 (3, rows, columns)."""
    lit = town.image * (1 + 0.03 * noise(town.shape, 500, rng))[..., None]
    seen = ndimage.gaussian_filter(lit, (0.8, 0.8, 0))
    seen += 0.7 * (seen - ndimage.gaussian_filter(seen, (1.6, 1.6, 0)))
    seen += rng.normal(0, 3.0, town.shape)[..., None] + rng.normal(0, 1.2, seen.shape)
    return np.ascontiguousarray(np.clip(seen, 0, 255).astype(np.uint8).transpose(2, 0, 1))
