"""LinkNet (Chaurasia and Culurciello 2017) that listens to marks, with late fusion.

The encoder sees the image alone. Its five maps are projected to the decoder's widths once and kept. Marks enter the
bottleneck and every skip as maps of the same width, made from their channels by a small pyramid of strided convolutions
and, at stride 4, from the affinity of each pixel to each class's marks (`affinity.py`), which also leads straight to
the logits. Without marks all of that is zero but a bias, and the network is a plain LinkNet. What is learnt at once of
a scene's colours (`scene.py`) leads straight to the logits, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, Optional, Union

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from terrafine.models.affinity import MarkAffinity
from terrafine.models.networks.merged import Merged
from terrafine.models.networks.network import Features, MarkedNetwork, Thinning
from terrafine.models.networks.scene import SceneLayer, colours, of_cells

WIDTHS = (32, 48, 64, 96, 160)  # of the decoder at strides 2, 4, 8, 16, 32
EMBEDDING = 32
AFFINITY_LEVEL = 1  # stride 4
SHORTCUT = 4.0  # at the start; three heads together must be able to outvote a network that is sure of itself


class LateLinkNet(MarkedNetwork):
    """Any encoder with five maps at strides 2 … 32, given as `encoder.channels`, and `classes` outputs.

    The affinity ends `reach_px` pixels from a mark.
    """

    measures = ("odin", "mc-dropout")
    is_steady = True

    def __init__(self, encoder: nn.Module, channels: tuple[int, ...], classes: int, reach_px: float = math.inf) -> None:
        super().__init__()
        self.encoder = encoder
        self.skips = nn.ModuleList(_Unit(c, width, 1) for c, width in zip(channels, WIDTHS))
        self.embed = nn.ModuleList(nn.Conv2d(width, EMBEDDING, 1) for width in WIDTHS[AFFINITY_LEVEL:])
        self.affinity = MarkAffinity(reach_px / 2 ** (AFFINITY_LEVEL + 1))
        self.mark_pyramid = nn.ModuleList(
            nn.Conv2d(inputs, width, 3, 2, 1) for inputs, width in zip((classes, *WIDTHS[:-1]), WIDTHS)
        )
        self.mark_affinity = nn.ModuleList(
            nn.Conv2d(self.affinity.heads * classes, width, 1, bias=False) for width in WIDTHS
        )
        self.blocks, self.fuse = _blocks(), _fusions()
        self.head: Union[nn.ConvTranspose2d, Merged] = nn.ConvTranspose2d(WIDTHS[0], classes, 2, 2)
        self.shortcut = nn.Parameter(torch.full((self.affinity.heads,), SHORTCUT))
        self.scene: Optional[SceneLayer] = None
        self._silence: Optional[dict[torch.Size, list[Tensor]]] = None

    def settle(self) -> None:
        self._silence = {}

    def features(self, image: Tensor) -> Features:
        skips = [project(x) for project, x in zip(self.skips, self.encoder(image))]
        return (*skips, self._embedding(skips), colours(image))

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """With a scene layer, and with merged outputs, where the state has them."""
        if "head.classes" in state_dict:
            classes = state_dict["head.classes"].tolist()
            self.head = Merged(nn.ConvTranspose2d(WIDTHS[0], len(classes), 2, 2), classes, 1.0)
        if "scene.weight" in state_dict:
            self.scene = SceneLayer(len(state_dict["scene.mean"]), len(state_dict["scene.weight"]))
        return super().load_state_dict(state_dict, strict, assign)

    def decode(self, features: Features, marks: Tensor) -> Tensor:
        return self.answer(self.heard(features, marks))

    def trunk(self, features: Features, marks: Tensor) -> tuple[Tensor, Tensor]:
        return self.trunk_of(self.heard(features, marks))

    def answer(self, heard: Features) -> Tensor:
        return self._answer(*self.trunk_of(heard))

    def trunk_of(self, heard: Features) -> tuple[Tensor, Tensor]:
        *fused, affinity, seen = heard
        return _climb(self.blocks, self.fuse, fused), self._beside(affinity, seen)

    def heard(self, features: Features, marks: Tensor) -> Features:
        """The skips with the marks in them, the affinity, a scalar 0 without marks, and the colours."""
        *skips, embedding, seen = features
        if self._silence is not None and _is_empty(marks):
            quiet = self._unmarked(self._silence, marks, skips)
            return (*(skip + mark for skip, mark in zip(skips, quiet)), marks.new_zeros(()), seen)
        affinity = self.affinity(embedding, of_cells(seen), _largest(marks, 2 ** (AFFINITY_LEVEL + 1)))
        spread = affinity.to(skips[0].dtype, memory_format=torch.channels_last)
        maps = self._marks(marks.to(skips[0].dtype), spread, skips)
        # Numbers of two precisions would be added thirty times as slowly.
        return (*(mark.add_(skip.to(mark.dtype)) for mark, skip in zip(maps, skips)), affinity, seen)

    def thinned(self, features: Features, marks: Tensor, passes: Sequence[Thinning]) -> Iterator[Tensor]:
        *fused, affinity, seen = self.heard(features, marks)
        beside = self._beside(affinity, seen)
        return (self._answer(x, beside) for x in _thinned(self.blocks, self.fuse, fused, passes))

    def reducible(self) -> tuple[nn.Module, ...]:
        return self.encoder, self.skips, self.embed, self.mark_pyramid, self.mark_affinity, self.blocks, self.fuse

    def image_side(self) -> tuple[nn.Module, ...]:
        return self.encoder, self.skips, self.embed

    def mark_side(self) -> tuple[nn.Module, ...]:
        return self.affinity, self.mark_pyramid, self.mark_affinity

    def _answer(self, x: Tensor, beside: Tensor) -> Tensor:
        logits: Tensor = self.head(x.to(self.shortcut.dtype))
        return logits.add_(beside) if beside.ndim else logits

    def _unmarked(self, known: dict[torch.Size, list[Tensor]], marks: Tensor, skips: list[Tensor]) -> list[Tensor]:
        """What `_marks` makes of no marks at all: the same for every tile of a size."""
        if marks.shape not in known:
            size = [side // 2 ** (AFFINITY_LEVEL + 1) for side in marks.shape[-2:]]
            affinity = skips[0].new_zeros(1, self.affinity.heads * marks.shape[1], *size)
            known[marks.shape] = self._marks(marks[:1].to(skips[0].dtype), affinity, skips)
        return known[marks.shape]

    def _embedding(self, skips: list[Tensor]) -> Tensor:
        """Unit vectors (B, EMBEDDING, H/4, W/4) from all maps at stride 4 and above."""
        maps = [project(x) for project, x in zip(self.embed, skips[AFFINITY_LEVEL:])]
        return F.normalize(sum(_upsampled(x, maps[0]) for x in maps).float(), dim=1)  # type: ignore[union-attr]

    def _marks(self, marks: Tensor, affinity: Tensor, skips: list[Tensor]) -> list[Tensor]:
        maps, x = [], marks
        for conv, mix, skip in zip(self.mark_pyramid, self.mark_affinity, skips):
            x = F.relu(conv(x), inplace=True)
            maps.append(mix(_resized(affinity, skip)).add_(x))
        return maps

    def _beside(self, affinity: Tensor, seen: Tensor) -> Tensor:
        """What the affinity and the scene's colours add to the logits; a scalar 0 without both."""
        coarse = affinity
        if affinity.ndim:
            heads = affinity.unflatten(1, (len(self.shortcut), -1))
            coarse = torch.einsum("bhcyx,h->bcyx", heads, self.shortcut.to(affinity.dtype))
        if self.scene is not None:
            coarse = coarse + self.scene(seen.float())
        if not coarse.ndim:
            return coarse
        size = [side * 2 ** (AFFINITY_LEVEL + 1) for side in coarse.shape[-2:]]
        return F.interpolate(coarse, size, mode="bilinear", align_corners=False)


class LinkNet(nn.Module):
    """Image in, logits out: the same decoder on the same encoder, without a thought of marks.

    With the marks stacked under the image (`network.EarlyFusion`) it is what DISIR is, to compare with late fusion.
    """

    def __init__(self, encoder: nn.Module, channels: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.skips = nn.ModuleList(_Unit(c, width, 1) for c, width in zip(channels, WIDTHS))
        self.blocks, self.fuse = _blocks(), _fusions()
        self.head = nn.ConvTranspose2d(WIDTHS[0], classes, 2, 2)

    def forward(self, image: Tensor) -> Tensor:
        skips = [project(x) for project, x in zip(self.skips, self.encoder(image))]
        logits: Tensor = self.head(_climb(self.blocks, self.fuse, skips))
        return logits

    def thinned(self, image: Tensor, passes: Sequence[Thinning]) -> Iterator[Tensor]:
        """As MarkedNetwork.thinned."""
        skips = [project(x) for project, x in zip(self.skips, self.encoder(image))]
        return (self.head(x) for x in _thinned(self.blocks, self.fuse, skips, passes))


class DecoderBlock(nn.Module):
    """LinkNet's: 1×1 to a quarter, transposed 3×3 of stride 2, 1×1 to the next width (figure 2 of the paper)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        middle = inputs // 4
        self.reduce = _Unit(inputs, middle, 1)
        self.upsample = nn.ConvTranspose2d(middle, middle, 3, 2, 1, output_padding=1, bias=False)
        self.norm = nn.BatchNorm2d(middle)
        self.expand = _Unit(middle, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.expand(F.relu(self.norm(self.upsample(self.reduce(x)))))
        return y


class _Unit(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
        )


def _blocks() -> nn.ModuleList:
    return nn.ModuleList(DecoderBlock(WIDTHS[i], WIDTHS[i - 1]) for i in range(len(WIDTHS) - 1, 0, -1))


def _fusions() -> nn.ModuleList:
    return nn.ModuleList(_Unit(width, width, 3) for width in reversed(WIDTHS[:-1]))


def _climb(blocks: nn.ModuleList, fuse: nn.ModuleList, skips: list[Tensor]) -> Tensor:
    """From the bottleneck, the last of `skips`, to stride 2."""
    x = skips[-1]
    for block, unit, skip in zip(blocks, fuse, reversed(skips[:-1])):
        x = unit(block(x) + skip)
    return x


def _thinned(
    blocks: nn.ModuleList, fuse: nn.ModuleList, skips: list[Tensor], passes: Sequence[Thinning]
) -> Iterator[Tensor]:
    """_climb once for each of `passes`, which thins what every block leaves; the first block runs once for all."""
    first = _climb(blocks[:1], fuse[:1], skips[-2:])
    for thin in passes:
        x = thin(first)
        for block, unit, skip in zip(blocks[1:], fuse[1:], reversed(skips[:-2])):
            x = thin(unit(block(x) + skip))
        yield x


def _is_empty(x: Tensor) -> bool:
    """`not x.any()`, six times as fast."""
    least, most = x.aminmax()
    return bool(least == 0 and most == 0)


def _upsampled(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def _largest(x: Tensor, side: int) -> Tensor:
    """max_pool2d over squares, row by row and then column by column: ten times as fast."""
    rows = reduce(torch.maximum, x.unflatten(2, (-1, side)).unbind(3))
    return reduce(torch.maximum, rows.unflatten(3, (-1, side)).unbind(4))


def _resized(x: Tensor, like: Tensor) -> Tensor:
    """To a coarser map by the mean, to a finer one by interpolation."""
    factor = x.shape[-1] // like.shape[-1]
    return F.avg_pool2d(x, factor) if factor > 1 else _upsampled(x, like)
