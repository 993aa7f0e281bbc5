"""How a network is shown an object: its crop, and clicks as heat maps. One for training and for serving (IOG, 3.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrafine.models.objects.crop import Crop, around_box, around_point
from terrafine.shared.errors import UnusableModel
from terrafine.shared.objects import Box, ObjectGuide, Points
from terrafine.shared.spec import ModelSpec

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """size_px   side of the crop as the network sees it
    fwhm_px   width of a click's heat map at half of its height, in pixels of the network
    margin    how much of a box's longer side lies around it on each side
    box       False for a network without one: the crop has the image's own pixels, around the first click
    """

    size_px: int
    fwhm_px: float = 10.0
    margin: float = 0.2
    box: bool = True

    @classmethod
    def of(cls, spec: ModelSpec, size_px: int = 0) -> View:
        """The view of the model's options "fwhm_px", "margin" and "box"; `size_px`, if not 0, replaces its tile_px."""
        known = {name: spec.options[name] for name in ("fwhm_px", "margin", "box") if name in spec.options}
        try:
            view = cls(size_px or spec.tile_px, **known)  # type: ignore[arg-type]
            if not (view.fwhm_px > 0 and 0 <= view.margin <= 2):
                raise ValueError
        except (TypeError, ValueError) as error:
            raise UnusableModel("fwhm_px is a positive number, margin one of 0 to 2, box true or false.") from error
        return view

    def crop(self, guide: ObjectGuide) -> Crop:
        """Where to look for the object."""
        if self.box:
            return around_box(guide.box, self.margin, self.size_px)
        return around_point(guide.first_inside, self.size_px, self.size_px)

    def first_clicks(self, guide: ObjectGuide, crop: Crop) -> Floats:
        """Heat maps (2, size_px, size_px), inside and outside, of the first click inside and the box's corners."""
        return self._maps((guide.first_inside,), corners(guide.box) if self.box else (), crop)

    def all_clicks(self, guide: ObjectGuide, crop: Crop) -> Floats:
        """Heat maps of every click so far, the first ones included."""
        inside = guide.inside or (guide.first_inside,)
        return self._maps(inside, (*(corners(guide.box) if self.box else ()), *guide.outside), crop)

    def heat(self, points: Points) -> Floats:
        """Heat map of points in the crop's own pixels: (size_px, size_px)."""
        return heat_map(points, self.size_px, self.fwhm_px)

    def _maps(self, inside: Points, outside: Points, crop: Crop) -> Floats:
        return np.stack([self.heat(crop.points(points)) for points in (inside, outside)])


def corners(box: Box) -> Points:
    """The four corners of a box: the user clicks two of them, the other two follow."""
    left, top, right, bottom = box
    return (left, top), (right, top), (right, bottom), (left, bottom)


def heat_map(points: Points, size_px: int, fwhm_px: float) -> Floats:
    """max over points of exp(−4 ln2 d² / fwhm²), float32 (size_px, size_px); d from a point to a pixel's centre.

    It is a half at a distance of fwhm_px / 2 from a point.
    """
    heat = np.zeros((size_px, size_px), np.float32)
    centres = np.arange(size_px) + 0.5
    factor = -4.0 * math.log(2.0) / fwhm_px**2
    for x, y in points:  # separable: e^(a + b) = e^a · e^b
        across, down = (np.exp(factor * (centres - at) ** 2) for at in (x, y))
        np.maximum(heat, np.outer(down, across), out=heat, casting="same_kind")
    return heat
