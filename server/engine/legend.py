"""What a session's classes are called and shown as. Ids never change, so that marks and maps stay what they are."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Optional

import torch
from torch import Tensor

from terrafine.server.engine.blending import most_likely
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import BadRequest
from terrafine.shared.spec import LandCover

REMOVED = -1
MOST_CLASSES = 255  # 255 itself means "no data" in a class raster
SHADES = ((0.6, 0.9), (0.65, 0.55), (0.95, 0.8), (0.3, 0.85))  # saturation and value of new classes' colours


@dataclass(frozen=True)
class Legend:
    """The classes by id, and for each the id that it is shown as: its own, another class's, or REMOVED."""

    classes: tuple[LandCover, ...]
    becomes: tuple[int, ...]

    @staticmethod
    def of(classes: Sequence[LandCover]) -> Legend:
        """Every class is shown as itself."""
        return Legend(tuple(classes), tuple(range(len(classes))))

    @cached_property
    def shown(self) -> tuple[int, ...]:
        """The ids in the map, ascending."""
        return tuple(index for index, target in enumerate(self.becomes) if index == target)

    @property
    def is_whole(self) -> bool:
        """Is every class shown as itself?"""
        return len(self.shown) == len(self.classes)

    def checked_change(self, classes: Sequence[LandCover], becomes: Sequence[int]) -> Legend:
        """The legend that follows this one; raises BadRequest for one that cannot."""
        ids = range(len(classes))
        problems = {
            f"it has {len(classes)} classes, {len(self.classes)} before": len(classes) < len(self.classes),
            f"there can be {MOST_CLASSES} classes": len(classes) > MOST_CLASSES,
            "class ids count up from 0": [item.id for item in classes] != list(ids),
            "a class becomes itself, one that stays itself, or -1": len(becomes) != len(classes)
            or not all(target == REMOVED or target in ids and becomes[target] == target for target in becomes),
            "no class is left": all(target == REMOVED for target in becomes),
        }
        for problem, holds in problems.items():
            if holds:
                raise BadRequest(f"The legend cannot be this one: {problem}.")
        return Legend(tuple(classes), tuple(becomes))

    def counted(self, mark: Annotation) -> Optional[Annotation]:
        """The mark as what its class became; None if that is removed."""
        target = self.becomes[mark.class_id]
        if target == REMOVED:
            return None
        return mark if target == mark.class_id else replace(mark, class_id=target)

    def merged(self, logits: Tensor, temperature: float = 1.0) -> Tensor:
        """Logits float32 (classes, …) → (shown, …): a class that others became has the sum of their probabilities.

        Probabilities are the softmax of the logits ÷ `temperature`, before and after.
        """
        if self.is_whole:
            return logits
        members = [[i for i, target in enumerate(self.becomes) if target == shown] for shown in self.shown]
        return torch.stack([_summed(logits[group], temperature) for group in members])

    def classified(self, logits: Tensor) -> Tensor:
        """The id of the most likely of the `merged` classes, uint8."""
        index = most_likely(logits)
        if self.shown == tuple(range(len(self.shown))):
            return index
        return torch.tensor(self.shown, dtype=torch.uint8, device=index.device)[index.long()]


def grown(classes: Sequence[LandCover], names: Sequence[str]) -> tuple[LandCover, ...]:
    """The classes and new ones of these names, in colours that lie far apart; raises BadRequest for a name twice."""
    _check_distinct([*(item.name for item in classes), *names])
    return (*classes, *(LandCover(index, name, _color(index)) for index, name in enumerate(names, len(classes))))


def own(known: Sequence[LandCover], names: Sequence[str]) -> tuple[LandCover, ...]:
    """Classes of these names alone: known ones keep their colours; raises BadRequest for a name twice."""
    _check_distinct(names)
    colors = {item.name: item.color for item in known}
    return tuple(LandCover(index, name, colors.get(name) or _color(index)) for index, name in enumerate(names))


def _check_distinct(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise BadRequest(f"There is a class of that name already: {', '.join(names)}.")


def _color(number: int) -> str:
    """Hues a golden section of the circle apart, in turn light, dark, strong and pale."""
    parts = colorsys.hsv_to_rgb(number * 0.618034 % 1.0, *SHADES[number % len(SHADES)])
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def _summed(logits: Tensor, temperature: float) -> Tensor:
    """The logit of the sum of the probabilities, over the first axis."""
    if len(logits) == 1:
        return logits[0]
    return logits.div(temperature).logsumexp(0) * temperature
