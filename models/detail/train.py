"""Train a refinement module beside the frozen network whose maps it refines."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from terrafine.models import metrics
from terrafine.models.data import Augmentation
from terrafine.models.detail.lessons import Lesson
from terrafine.models.metrics import VOID
from terrafine.models.networks.magnet import Refiner
from terrafine.models.training.loop import Task, Values
from terrafine.models.training.options import TrainOptions
from terrafine.shared.spec import Detail, ModelSpec

# The network knows these scenes by heart: only in colours that it has never seen does it err as it does elsewhere.
HARSH = Augmentation(brightness=0.4, contrast=0.5, colour=0.3, gamma=0.6)
AS_THEY_ARE = Augmentation(scale=1.0, brightness=0.0, contrast=0.0, colour=0.0, gamma=0.0)
STRENGTHS = (0.0, 0.1, 0.25, 0.5, 1.0)  # of a module; the first of equally good ones is taken
OF_THE_LOOP = ("steps", "batch", "crop_px", "lr", "weight_decay", "warmup", "seed", "mixed_precision")
HARDEST = 0.2  # at least this share of the pixels counts in the loss
Batch = tuple[Tensor, Tensor, Tensor]  # logits of coarser maps and of finer (B, classes, C, C), truth uint8 (B, C, C)


@dataclass(frozen=True)
class RefinerOptions:
    """How a refinement module is trained and used.

    lessons         tiles that the frozen network sees, at two scales each; the module learns from crops of them
    checks          such tiles of the validation scenes, by which its strength is chosen
    sure            pixels whose true class has this probability do not count in the loss; 1: all count
    stride          of the module's grid (networks/magnet.py)
    scales          shared.spec.Detail's, and so are pixels and patches
    augmentation    of the scenes that the lessons are cut from
    """

    lessons: int = 80
    checks: int = 24
    steps: int = 200
    batch: int = 8
    crop_px: int = 256
    lr: float = 1e-3
    weight_decay: float = 1e-4
    warmup: int = 30
    seed: int = 1
    sure: float = 1.0
    stride: int = 4
    mixed_precision: bool = True
    scales: tuple[float, ...] = (1.0, 0.5)
    pixels: float = 1.0
    patches: float = 0.1875
    augmentation: Augmentation = field(default_factory=lambda: HARSH)

    @property
    def detail(self) -> Detail:
        """Raises UnusableModel for scales and shares that make no sense."""
        return Detail(self.scales, self.pixels, self.patches)

    @property
    def training(self) -> TrainOptions:
        """These options as the training loop takes them; the last weights are kept, not their average."""
        return TrainOptions(ema=0.0, **{name: getattr(self, name) for name in OF_THE_LOOP})


class RefinerTask(Task[Refiner, Batch]):
    """The truth of crops of the lessons, from what the frozen network made of them at two scales."""

    def __init__(
        self, spec: ModelSpec, refiner: Refiner, lessons: Sequence[Lesson], options: RefinerOptions, device: str = "cpu"
    ) -> None:
        super().__init__(spec, refiner, options.training, device)
        self.lessons, self.sure = lessons, options.sure

    def draw(self, rng: np.random.Generator) -> Batch:
        chosen = (self.lessons[index] for index in rng.integers(len(self.lessons), size=self.options.batch))
        crops = [lesson.crop(self.options.crop_px, rng) for lesson in chosen]
        maps = (np.stack([getattr(crop, name) for crop in crops]) for name in ("coarse", "fine", "truth"))
        coarse, fine, truth = (torch.from_numpy(array) for array in maps)
        return coarse.float(), fine.float(), truth

    def loss(self, batch: Batch, step: int, rng: np.random.Generator) -> tuple[Tensor, Values]:
        coarse, fine, truth = (tensor.to(self.device) for tensor in batch)
        with self.autocast():
            maps = ((logits / self.spec.temperature).softmax(1) for logits in (coarse, fine))
            logits = self.network(*maps)
        loss = hard_cross_entropy(logits, truth, self.sure)
        return loss, {"loss": float(loss.detach())}


@torch.inference_mode()
def choose_strength(refiner: Refiner, lessons: Iterable[Lesson], temperature: float, counted: int) -> float:
    """Give the module the strength at which the lessons' maps are best; returns that, one of STRENGTHS.

    By the mean IoU over the classes below `counted`. What a module learnt of scenes that its network knows by heart may
    be wrong elsewhere: these lessons are of others.
    """
    tries = {strength: copy.deepcopy(refiner) for strength in STRENGTHS}
    pooled = {strength: np.zeros((refiner.classes,) * 2, np.int64) for strength in STRENGTHS}
    for strength, weakened in tries.items():
        weakened.strength.fill_(strength)
    for lesson in lessons:
        coarse, fine = (torch.from_numpy(logits)[None].float() / temperature for logits in (lesson.coarse, lesson.fine))
        for strength, weakened in tries.items():
            found = weakened.cpu()(coarse.softmax(1), fine.softmax(1))[0].argmax(0).numpy()
            pooled[strength] += metrics.confusion(lesson.truth, found, refiner.classes)
    best = max(STRENGTHS, key=lambda strength: metrics.mean_iou(pooled[strength], counted))
    refiner.strength.fill_(best)
    return best


def hard_cross_entropy(logits: Tensor, truth: Tensor, sure: float, hardest: float = HARDEST) -> Tensor:
    """Mean cross entropy over the pixels that are not settled: online hard example mining (Shrivastava et al. 2016).

    logits   (B, classes, H, W); truth uint8 (B, H, W), void left out
    sure     pixels whose class has less than this probability count …
    hardest  … and at least this share of all pixels that are not void, the hardest
    """
    losses = F.cross_entropy(logits.float(), truth.long(), ignore_index=VOID, reduction="none")[truth != VOID]
    if losses.numel() == 0:
        return logits.sum() * 0.0
    losses = losses.sort(descending=True).values
    unsettled = int((losses > -np.log(sure)).sum())
    return losses[: max(unsettled, round(hardest * losses.numel()), 1)].mean()
