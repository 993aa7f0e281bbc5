"""GrabCut for every class on its own (Rother et al. 2004, by OpenCV): what marks alone make of an image.

The way SideInfNet's paper has it as a baseline: a cut of each class, whose marks are sure foreground and all others'
sure background. Where several classes claim a pixel, or none does, the nearest mark decides. Nothing is learnt.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from terrafine.models.networks.network import Features, MarkedNetwork
from terrafine.shared.errors import UnusableModel
from terrafine.shared.spec import Normalisation

ROUNDS = 3  # of its own
CLAIM = 1e4  # a claim outweighs any distance

Bytes = NDArray[np.uint8]


class GrabCut(MarkedNetwork):
    """The first three bands are looked at; marks are one-hot, or near it."""

    measures = ()

    def __init__(self, normalisation: Normalisation) -> None:
        super().__init__()
        opencv()  # missing? better now than at the first mark
        self.mean, self.std = (torch.tensor(values[:3]) for values in (normalisation.mean, normalisation.std))

    def features(self, image: Tensor) -> Features:
        mean, std = self.mean.to(image)[:, None, None], self.std.to(image)[:, None, None]
        return ((image[:, :3] * std + mean).clamp(0, 1),)

    def decode(self, features: Features, marks: Tensor) -> Tensor:
        images = (features[0] * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        marked = (marks > 0.5).cpu().numpy()
        return torch.from_numpy(np.stack([self._cuts(*pair) for pair in zip(images, marked)])).to(marks.device)

    def image_side(self) -> tuple[nn.Module, ...]:
        return ()

    def _cuts(self, image: Bytes, marked: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Logits (classes, H, W): claims, less the distance to the nearest mark; all 0 where nothing is marked."""
        logits = np.full(marked.shape, -2 * CLAIM if marked.any() else 0.0, np.float32)
        for class_id in np.flatnonzero(marked.any((1, 2))):
            own, others = marked[class_id], np.delete(marked, class_id, 0).any(0)
            claimed = self._cut(image, own, others & ~own) if others.any() else np.ones_like(own)
            logits[class_id] = CLAIM * claimed - ndimage.distance_transform_edt(~own)
        return logits

    @staticmethod
    def _cut(image: Bytes, own: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
        cv = opencv()
        labels = np.where(own, cv.GC_FGD, np.where(others, cv.GC_BGD, cv.GC_PR_BGD)).astype(np.uint8)
        return foreground(image, labels, ROUNDS)


def foreground(image: Bytes, labels: Bytes, rounds: int) -> NDArray[np.bool_]:
    """What GrabCut takes for foreground, bool (H, W), of an image (H, W, red green blue).

    labels  (H, W), OpenCV's GC_BGD, GC_FGD, GC_PR_BGD or GC_PR_FGD of each pixel; written over
    """
    cv = opencv()
    cv.setRNGSeed(0)  # its clusters start at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    blue_first = np.ascontiguousarray(image[..., ::-1])
    cv.grabCut(blue_first, labels, None, *models, rounds, cv.GC_INIT_WITH_MASK)
    found: NDArray[np.bool_] = (labels == cv.GC_FGD) | (labels == cv.GC_PR_FGD)
    return found


def opencv() -> Any:
    """OpenCV, which only this needs; raises UnusableModel where it is missing."""
    try:
        import cv2
    except ImportError as error:
        raise UnusableModel("GrabCut is OpenCV's, which is missing.", "pip install 'terrafine[objects]'") from error
    return cv2
