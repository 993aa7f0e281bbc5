"""Train a refinement module beside the frozen network whose maps it refines."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from terrafine.models import metrics
from terrafine.models.data import Augmentation, Scene
from terrafine.models.detail.lessons import Lesson, draw_lessons
from terrafine.models.metrics import VOID
from terrafine.models.networks.magnet import Refiner
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.training.loop import schedule
from terrafine.shared.spec import Detail, ModelSpec

# The network knows these scenes by heart: only in colours that it has never seen does it err as it does elsewhere.
HARSH = Augmentation(brightness=0.4, contrast=0.5, colour=0.3, gamma=0.6)
AS_THEY_ARE = Augmentation(scale=1.0, brightness=0.0, contrast=0.0, colour=0.0, gamma=0.0)
STRENGTHS = (0.0, 0.1, 0.25, 0.5, 1.0)  # of a module; the first of equally good ones is taken
HARDEST = 0.2  # at least this share of the pixels counts in the loss


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


def train_refiner(
    refiner: Refiner,
    network: MarkedNetwork,
    spec: ModelSpec,
    scenes: Sequence[Scene],
    options: RefinerOptions,
) -> Iterator[tuple[int, int, float]]:
    """Train `refiner` beside the frozen `network`, on its device; yields (done, of how much, loss).

    What the network makes of the lessons comes first: their steps have the loss NaN.
    """
    total = options.lessons + options.steps
    drawn = draw_lessons(network, spec, scenes, options.scales, options.lessons, options.augmentation, options.seed)
    lessons = []
    for lesson in drawn:
        lessons.append(lesson)
        yield len(lessons), total, float("nan")
    optimiser = torch.optim.AdamW(refiner.parameters(), options.lr, weight_decay=options.weight_decay)
    refiner.train()
    for step in range(options.steps):
        rng = np.random.default_rng((options.seed, 1, step))
        optimiser.param_groups[0]["lr"] = options.lr * schedule(step, options.warmup, options.steps)
        loss = _loss(refiner, _batch(lessons, options, rng), spec.temperature, options)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        yield options.lessons + step + 1, total, float(loss.detach())
    refiner.eval()


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


def _batch(
    lessons: Sequence[Lesson], options: RefinerOptions, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of the coarser maps and of the finer ones (B, classes, C, C), and the truth uint8 (B, C, C)."""
    chosen = (lessons[index] for index in rng.integers(len(lessons), size=options.batch))
    crops = [lesson.crop(options.crop_px, rng) for lesson in chosen]
    maps = (np.stack([getattr(crop, name) for crop in crops]) for name in ("coarse", "fine", "truth"))
    coarse, fine, truth = (torch.from_numpy(array) for array in maps)
    return coarse.float(), fine.float(), truth


def _loss(
    refiner: Refiner, batch: tuple[Tensor, Tensor, Tensor], temperature: float, options: RefinerOptions
) -> Tensor:
    device = next(refiner.parameters()).device
    coarse, fine, truth = (tensor.to(device) for tensor in batch)
    with torch.autocast(device.type, torch.bfloat16, enabled=options.mixed_precision):
        logits = refiner((coarse / temperature).softmax(1), (fine / temperature).softmax(1))
    return hard_cross_entropy(logits, truth, options.sure)
