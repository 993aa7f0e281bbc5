"""From borders to polygons: every region of pixels that touch along an edge is one face, a ring and its holes.

A border is walked once in each direction, with the face's own pixels on the right; at a crossing the walk turns right
as early as it can, so that regions which touch at a corner only stay apart. A step of the walk, a *half-edge*, is
numbered 4 * corner + direction. Every walk begins at its first corner in row-major order: eastwards around a region,
southwards around a hole in one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import numpy as np

from terrafine.qgis_plugin.finish.borders import EAST, NE, NO_CLASS, NORTH, NW, SE, SOUTH, SW, Borders

OWN = (SE, SW, NW, NE)  # the pixel on the right of a step to the east, south, west, north, seen from where it begins


@dataclass(frozen=True)
class Face:
    """A region: `rings` are numbers of corners, the outer ring first, then holes; none repeats its first corner."""

    class_id: int
    rings: tuple[np.ndarray, ...]


def find_faces(borders: Borders) -> Iterator[Face]:
    """All regions that have a class, in row-major order of their first pixel."""
    own = borders.quad[:, OWN].ravel()
    walks = _walks(_next_steps(borders), (borders.to.ravel() >= 0) & (own != NO_CLASS))
    if not walks:
        return
    rings: dict[int, list[np.ndarray]] = {}
    for walk, region in zip(walks, _regions(borders, walks).tolist()):
        rings.setdefault(region, []).extend(_loops((walk // 4).tolist()))  # a region's own walk comes before its holes'
    for region, loops in rings.items():
        yield Face(int(own[walks[region][0]]), tuple(loops))


def _next_steps(borders: Borders) -> np.ndarray:
    """The half-edge that follows each half-edge."""
    here = np.arange(4)
    following = np.zeros_like(borders.to)
    for direction in here:
        end = borders.to[:, direction]
        turns = (direction + np.array([1, 0, 3])) % 4  # right, straight on, left
        choice = (borders.to[end][:, turns] >= 0).argmax(axis=1)
        following[:, direction] = 4 * end + turns[choice]
    return following.ravel()


def _walks(following: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    """The closed walks that half-edges make, each from its smallest number on."""
    after, free, walks = following.tolist(), bytearray(wanted.tobytes()), []
    for start in np.flatnonzero(wanted).tolist():
        step, walk = start, []
        while free[step]:
            free[step] = 0
            walk.append(step)
            step = after[step]
        if walk:
            walks.append(np.array(walk))
    return walks


def _regions(borders: Borders, walks: list[np.ndarray]) -> np.ndarray:
    """The number of the walk around the region that each walk belongs to.

    West of a hole's first corner the region's pixels end at a border, which belongs to the region's outer ring or to
    another of its holes, further west.
    """
    walk_of = np.full(borders.to.size, -1)
    walk_of[np.concatenate(walks)] = np.repeat(np.arange(len(walks)), [len(walk) for walk in walks])
    first = np.array([walk[0] for walk in walks])
    region = np.arange(len(walks))
    holes = np.flatnonzero(first % 4 != EAST)
    region[holes] = walk_of[_step_west_of(borders, first[holes] // 4)]
    while not np.array_equal(region, region[region]):
        region = region[region]
    return region


def _step_west_of(borders: Borders, corners: np.ndarray) -> np.ndarray:
    """The half-edge, northwards, at the western end of the run of pixels that begins north-west of each corner."""
    downwards = np.lexsort((borders.y, borders.x))
    stride = borders.y.max() + 2
    keys = (borders.x * stride + borders.y)[downwards]
    row = borders.y[corners] - 1
    begin = downwards[np.searchsorted(keys, borders.run[corners] * stride + row, side="right") - 1]
    return 4 * borders.to[begin, SOUTH] + NORTH


def _loops(corners: list[int]) -> list[np.ndarray]:
    """A closed walk cut wherever it meets itself: the loop with the first corner, then those that touch it."""
    if len(set(corners)) == len(corners):
        return [np.array(corners)]
    path: list[int] = []
    loops: list[np.ndarray] = []
    place: dict[int, int] = {}
    for corner in corners:
        if corner in place:
            loop = path[place[corner] :]
            loops.append(np.array(loop))
            del path[place[corner] :]
            for other in loop:
                del place[other]
        place[corner] = len(path)
        path.append(corner)
    return [np.array(path), *loops]
