"""How many clicks an object takes: a simulated analyst who corrects the largest mistake, again and again."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from terrafine.models.objects import clicks
from terrafine.models.objects.finder import ObjectFinder, Seen
from terrafine.models.objects.samples import SceneObject, pixels
from terrafine.shared.geo import Window, bounding, slices
from terrafine.shared.objects import ObjectGuide

LOOSE = np.full(4, 0.05)  # how far the box's sides are away, as a share of the object's
BOX_CLICKS = 3  # what a box and one click inside count as


@dataclass(frozen=True)
class Found:
    """What a method takes for the object: bool (*window.shape), nothing outside."""

    window: Window
    mask: NDArray[np.bool_]


Method = Callable[[SceneObject, ObjectGuide], Found]


@dataclass(frozen=True)
class Trial:
    """One object: the IoU and the seconds of each answer, the first after `first` clicks, one click more each time."""

    first: int
    ious: tuple[float, ...]
    seconds: tuple[float, ...]

    def iou_at(self, count: int) -> float:
        """After `count` clicks, 0 before the first answer; the last goes on where no click was left to make."""
        return 0.0 if count < self.first else self.ious[min(count - self.first, len(self.ious) - 1)]

    def clicks_to(self, iou: float, most: int) -> int:
        """The clicks after which the object is found that well; `most` where it never is."""
        return next((count for count in range(1, most + 1) if self.iou_at(count) >= iou), most)


class SceneFinder:
    """An ObjectFinder as a Method: what it saw of the last object is kept."""

    def __init__(self, finder: ObjectFinder) -> None:
        self._finder = finder
        self._last: Optional[tuple[ObjectGuide, Seen]] = None

    def __call__(self, target: SceneObject, guide: ObjectGuide) -> Found:
        beginning = dataclasses.replace(guide, inside=guide.inside[:1], outside=())
        if self._last is None or self._last[0] != beginning:
            self._last = beginning, self._finder.look(guide, lambda window: pixels(target.scene, window))
        seen = self._last[1]
        return Found(seen.crop.window, self._finder.logits(seen, guide) > 0)


def measure(method: Method, target: SceneObject, most: int, first: int = BOX_CLICKS) -> Trial:
    """Click on an object until nothing is wrong or `most` clicks are made."""
    guide = first_guide(target)
    ious: list[float] = []
    seconds: list[float] = []
    for _ in range(first, most + 1):
        begin = time.perf_counter()
        found = method(target, guide)
        seconds.append(time.perf_counter() - begin)
        ious.append(clicks.iou(*_compared(found, target)[1:]))
        following = corrected(found, target, guide)
        if following is None:
            break
        guide = following
    return Trial(first, tuple(ious), tuple(seconds))


def first_guide(target: SceneObject) -> ObjectGuide:
    """A loose box, and a click in the middle of the object."""
    x, y = clicks.click_inside(target.mask)
    inside = ((target.window.col + x, target.window.row + y),)
    return ObjectGuide(clicks.loose_box(target.tight_box, LOOSE), inside)


def corrected(found: Found, target: SceneObject, guide: ObjectGuide) -> Optional[ObjectGuide]:
    """The guide with a click in the middle of the largest mistake; None where nothing is wrong."""
    area, mask, truth = _compared(found, target)
    click = clicks.next_click(mask, truth)
    if click is None:
        return None
    is_inside, (x, y) = click
    place = area.col + x, area.row + y
    if is_inside:
        return dataclasses.replace(guide, inside=(*guide.inside, place))
    return dataclasses.replace(guide, outside=(*guide.outside, place))


def summary(trials: Sequence[Trial], most: int) -> dict[str, float]:
    """Means over objects: IoU after 1, 3, 5 and `most` clicks, NoC@85 and @90, and the shares that never get there."""
    values = {f"iou_{count}": float(np.mean([t.iou_at(count) for t in trials])) for count in (1, 3, 5, most)}
    for percent in (85, 90):
        values[f"noc_{percent}"] = float(np.mean([t.clicks_to(percent / 100, most) for t in trials]))
        values[f"failed_{percent}"] = float(np.mean([max(t.ious) < percent / 100 for t in trials]))
    return values


def _compared(found: Found, target: SceneObject) -> tuple[Window, NDArray[np.bool_], NDArray[np.uint8]]:
    """Where the method or the object is, within the scene, and both there."""
    area = bounding([found.window, target.window])
    mask = np.zeros(area.shape, bool)
    mask[slices(found.window, area)] = found.mask
    return area, mask, target.truth(area)
