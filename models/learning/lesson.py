"""A tile that holds marks, as learning sees it: tensors, and what its map looked like before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models.encoding.encode import UNMARKED
from terrafine.models.infer import TileFeatures
from terrafine.models.networks.network import Features, MarkedNetwork


@dataclass(frozen=True)
class Example:
    """A tile that holds marks.

    features  what `Predictor.features` made of its image, or None
    image     float32 (bands, T, T), normalised
    channels  float32 (channels, T, T): the encoded marks, a channel a class, and side information
    marked    int16 (T, T): the class of each marked pixel, UNMARKED (−1) elsewhere
    valid     bool (T, T): where there is data
    logits    of the network without and with the marks as input, (classes, T, T), or None; for scene layers alone
    """

    features: Optional[TileFeatures]
    image: NDArray[np.float32]
    channels: NDArray[np.float32]
    marked: NDArray[np.int16]
    valid: NDArray[np.bool_]
    logits: Optional[tuple[Tensor, Tensor]] = None

    @property
    def counted(self) -> NDArray[np.bool_]:
        """The pixels that are marked, and have data."""
        return (self.marked != UNMARKED) & self.valid


@dataclass(frozen=True)
class Lesson:
    """An example as tensors on one device, batches of one.

    features    of the image, by the network before learning
    channels    the marks as input (1, classes, T, T), then side information, if there is any
    rows, cols  of the marked pixels, whose classes are `classes`; int64 (M,)
    shown_as    float32 (classes, classes): 1 where the class of the row is shown as that of the column; a removed class
                has none
    valid       bool (T, T)
    before      p₀ (1, classes, T, T): the class probabilities before learning
    trunk       what made them: `MarkedNetwork.trunk` of the features and the channels
    """

    image: Tensor
    features: Features
    channels: Tensor
    rows: Tensor
    cols: Tensor
    classes: Tensor
    shown_as: Tensor
    valid: Tensor
    before: Tensor
    trunk: tuple[Tensor, Tensor]

    @property
    def meant(self) -> Tensor:
        """bool (M, classes): what the mark of each pixel may mean, all the classes that are shown as its own."""
        return self.shown_as.T[self.classes] > 0

    @property
    def unseen(self) -> Tensor:
        """Channels without marks; side information, which comes after them, stays."""
        classes = self.before.shape[1]
        return torch.cat([torch.zeros_like(self.channels[:, :classes]), self.channels[:, classes:]], 1)


@torch.no_grad()
def prepare(example: Example, network: MarkedNetwork, device: torch.device, becomes: Sequence[int] = ()) -> Lesson:
    """The lesson of an example; `before` is the map with its marks as input.

    `becomes` has for each class the one that it is shown as, −1 for none; empty: every class is shown as itself.
    """
    image = torch.from_numpy(example.image)[None].to(device, memory_format=torch.channels_last)
    cached = example.features.tensors if example.features is not None else network.features(image)
    # A copy, for what inference mode made cannot be learnt from; the cache may hold half precision.
    features = tuple(tensor.to(torch.float32, copy=True) for tensor in cached)
    channels = torch.from_numpy(example.channels)[None].to(device)
    with precision(device):
        x, beside = network.trunk(features, channels)
        logits = network.head(x) + beside
    rows, cols = (torch.from_numpy(axis).to(device) for axis in np.nonzero(example.counted))
    classes = torch.from_numpy(example.marked.astype(np.int64)).to(device)[rows, cols]
    valid = torch.from_numpy(example.valid).to(device)
    shown = shown_as(becomes or range(logits.shape[1])).to(device)
    before = logits.float().softmax(1)
    return Lesson(image, features, channels, rows, cols, classes, shown, valid, before, (x, beside))


def shown_as(becomes: Sequence[int]) -> Tensor:
    """Float32 (classes, classes): 1 where the class of the row is shown as that of the column."""
    return torch.tensor([[float(target == shown) for shown in range(len(becomes))] for target in becomes])


def share_right(lessons: Sequence[Lesson], maps: Sequence[Tensor]) -> float:
    """Of the marked pixels, where each of the maps (logits, (1, classes, T, T)) shows the class of the mark."""
    right = 0
    for lesson, logits in zip(lessons, maps):
        shown = logits[0, :, lesson.rows, lesson.cols].T.float().softmax(1) @ lesson.shown_as
        right += int((shown.argmax(1) == lesson.classes).sum())
    return right / sum(len(lesson.classes) for lesson in lessons)


def precision(device: torch.device) -> torch.autocast:
    """bfloat16 where the device computes in it: a step is then three times as fast as in float32, and no worse."""
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16, enabled=torch.cuda.is_bf16_supported())
    return torch.autocast(device.type, torch.bfloat16, enabled=torch.ops.mkldnn._is_mkldnn_bf16_supported())
