"""What can be said about a training."""

from __future__ import annotations

from dataclasses import dataclass, field

from terrafine.models.data import Augmentation
from terrafine.models.objects.samples import ObjectOptions


@dataclass(frozen=True)
class MarkOptions:
    """How marks are simulated: none in a share `none` of the crops, otherwise 1 … `most`, fewer more often.

    Side information, for models that are told any, is `side_points` points at most, fewer more often, in crops with
    marks: some of the scenes' own, or, where these have none, scores of the classes (`simulate.noisy_scores`) that are
    off by a normal error of `side_noise`.

    Marks drawn from the truth are equally often of each class if `balanced`, by area if not; `on_border` puts them on
    the rims of regions instead of anywhere in them.

    In a share `relabel` of the crops the marks and the truth that they are drawn from have one class where another was,
    up to `relabel_px` from a place (`simulate.relabelled`): only the marks know. Without that a network that has become
    good on its training images finds nothing large to be corrected any more, and forgets to listen.
    """

    none: float = 0.15
    relabel: float = 0.35
    relabel_px: float = 360.0
    most: int = 24
    rounds: int = 3
    side_points: int = 64
    side_noise: float = 0.5
    stroke_share: float = 0.15
    from_errors_after: float = 0.1
    balanced: bool = True
    on_border: bool = False


@dataclass(frozen=True)
class TrainOptions:
    """How long and how hard. Rates follow a warm-up and half a cosine; `ema` is the decay of the averaged weights.

    An encoder_lr of 0 freezes the encoder: a step then takes about half the time. `objects` is for networks that find
    single ones, which have no use for `marks`, `affinity_lr` and `balance`.

    patience  0: all steps are done, and the last weights kept. Otherwise those are kept that do best with clicks on the
              validation scenes (the area under IoU against clicks), and training ends when so many validations in a
              row have found none better
    """

    steps: int = 6000
    batch: int = 8
    crop_px: int = 256
    lr: float = 1e-3
    encoder_lr: float = 3e-4
    affinity_lr: float = 2e-2
    weight_decay: float = 1e-4
    warmup: int = 200
    balance: float = 0.35
    ema: float = 0.998
    seed: int = 1
    validate_every: int = 500
    patience: int = 0
    checkpoint_every: int = 100
    mixed_precision: bool = True
    marks: MarkOptions = field(default_factory=MarkOptions)
    augmentation: Augmentation = field(default_factory=Augmentation)
    objects: ObjectOptions = field(default_factory=ObjectOptions)
