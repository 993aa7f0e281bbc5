"""SideInfNet (Koh et al. 2020): side information, diffused and fused at stride 4 of a DeepLab.

The encoder's first two stages see the image alone and are kept; everything behind them runs for every change of the
annotations. These are diffused (`diffusion.py`) and concatenated to the map at stride 4. A 1×1 convolution that starts
as the identity on the image's channels leads back to the width that the third stage expects, so that pretrained weights
stay what they are. Residual blocks of the later stages have gates (`gates.py`).

The head is a DeepLab's: an atrous pyramid at stride 16, and a decoder at stride 4 that sees the fused map once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from terrafine.models.networks.diffusion import ROUNDS, Diffusion, KernelRegression, Silence
from terrafine.models.networks.gates import Gate, gated
from terrafine.models.networks.layers import conv_norm_relu
from terrafine.models.networks.network import Features, MarkedNetwork, Thinning
from terrafine.models.networks.staged import Staged, is_residual, units, used_piecewise
from terrafine.shared.errors import UnusableModel
from terrafine.shared.spec import Option

EARLY = 2  # stages that see the image alone
WIDTH, SKIP = 128, 48
RATES = (3, 6, 9, 12)  # DeepLab's 6 … 24 at stride 8 reach as far
DEFAULTS: dict[str, Option] = {
    "spread": "diffusion", "dimension": 64, "rate": 0.6, "rounds": ROUNDS, "sparse": True, "coarse": False,
}  # fmt: skip


class SideInfNet(MarkedNetwork):
    """Any encoder in stages, and `side`, which turns annotations into (B, dimension, H/4, W/4).

    inputs  K, of channels of annotations: marks, a channel a class, then other side information, which may be left out
    rate    share of the gated blocks that training aims to run; 0: no gates
    """

    measures = ("odin", "mc-dropout")

    def __init__(
        self,
        encoder: Staged,
        side: nn.Module,
        dimension: int,
        inputs: int,
        classes: int,
        rate: float,
    ) -> None:
        super().__init__()
        self.encoder, self.side, self.inputs, self.rate = encoder, side, inputs, rate
        used_piecewise(encoder)
        low, middle, deep = (encoder.channels[level] for level in (1, 3, 4))
        self.fuse = _fusion(low, dimension)
        self.gates = nn.ModuleDict(self._new_gates() if rate else {})
        self.middle, self.deep = conv_norm_relu(middle, WIDTH), conv_norm_relu(deep, WIDTH)
        self.pyramid = _Pyramid(WIDTH)
        self.skip, self.refine = conv_norm_relu(low, SKIP), _Separable(WIDTH + SKIP, WIDTH)
        self.head = nn.Sequential(
            nn.Conv2d(WIDTH, classes, 1), nn.Upsample(scale_factor=4, mode="bilinear", align_corners=False)
        )
        self._decisions: list[Tensor] = []

    def features(self, image: Tensor) -> Features:
        for stage in self.encoder.stages[:EARLY]:
            image = stage(image)
        return (image,)

    def decode(self, features: Features, marks: Tensor) -> Tensor:
        logits: Tensor = self.head(self.trunk(features, marks)[0])
        return logits

    def trunk(self, features: Features, marks: Tensor) -> tuple[Tensor, Tensor]:
        context, low = self._encoded(features, marks)
        return self.refine(_beside(context, low)), context.new_zeros(())

    def thinned(self, features: Features, marks: Tensor, passes: Sequence[Thinning]) -> Iterator[Tensor]:
        context, low = self._encoded(features, marks)
        return (self.head(thin(self.refine(_beside(thin(context), low)))) for thin in passes)

    def image_side(self) -> tuple[nn.Module, ...]:
        return (self.encoder,)

    def mark_side(self) -> tuple[nn.Module, ...]:
        return self.side, self.fuse

    def penalty(self) -> Tensor:
        """(rate of the last decode − target)²."""
        if not self._decisions:
            return super().penalty()
        rate, self._decisions = torch.stack(self._decisions).mean(), []
        return (rate - self.rate) ** 2

    def _encoded(self, features: Features, marks: Tensor) -> tuple[Tensor, Tensor]:
        """The context at stride 16 and the fused map at stride 4, narrowed."""
        annotations = F.pad(marks, (0, 0, 0, 0, 0, self.inputs - marks.shape[1]))
        fused = self.fuse(torch.cat([features[0], self.side(annotations).to(features[0].dtype)], 1))
        _, middle, deep = self._later_stages(fused)
        deep = F.interpolate(self.deep(deep), middle.shape[-2:], mode="bilinear", align_corners=False)
        return self.pyramid(self.middle(middle) + deep), self.skip(fused)

    def _later_stages(self, x: Tensor) -> list[Tensor]:
        maps, decisions = [], []
        for level, stage in enumerate(self.encoder.stages[EARLY:], EARLY):
            for index, unit in enumerate(units(stage)):
                name = _name(level, index)
                if name in self.gates:
                    decisions.append(self.gates[name](x))
                    x = gated(unit, decisions[-1], x)
                else:
                    x = unit(x)
            maps.append(x)
        if self.training:
            self._decisions = decisions
        return maps

    def _new_gates(self) -> dict[str, nn.Module]:
        return {
            _name(level, index): Gate(_outputs(unit))
            for level, stage in enumerate(self.encoder.stages[EARLY:], EARLY)
            for index, unit in enumerate(units(stage))
            if is_residual(unit)
        }


def build(encoder: Staged, inputs: int, classes: int, options: Mapping[str, Option]) -> SideInfNet:
    """The network that a ModelSpec's options describe; raises UnusableModel where they make no sense.

    inputs     K, channels of annotations
    spread     "diffusion"; "kernel": Unified's regression; "none": the plain network
    dimension  d, of the side information
    rate       as of SideInfNet
    rounds, sparse, coarse  as of Diffusion
    """
    chosen = {**DEFAULTS, **options}
    if chosen.keys() != DEFAULTS.keys() or any(type(chosen[key]) is not type(value) for key, value in DEFAULTS.items()):
        raise UnusableModel("SideInfNet has no such option.", f"There are, with their defaults: {DEFAULTS}.")
    dimension, rate, rounds = int(chosen["dimension"]), float(chosen["rate"]), int(chosen["rounds"])
    if chosen["spread"] not in ("diffusion", "kernel", "none") or dimension < 1 or not 0 <= rate <= 1 or rounds < 0:
        raise UnusableModel(f"SideInfNet cannot be built with {dict(options)}.")
    if chosen["spread"] == "none":
        return SideInfNet(encoder, Silence(), 0, inputs, classes, rate)
    if chosen["spread"] == "kernel":
        return SideInfNet(encoder, KernelRegression(inputs, dimension), dimension, inputs, classes, rate)
    diffusion = Diffusion(inputs, dimension, bool(chosen["sparse"]), rounds, bool(chosen["coarse"]))
    return SideInfNet(encoder, diffusion, dimension, inputs, classes, rate)


class _Pyramid(nn.Module):
    """Atrous spatial pyramid: what lies at several distances around, added up."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_Separable(width, width, rate) for rate in RATES)

    def forward(self, x: Tensor) -> Tensor:
        around: Tensor = sum(branch(x) for branch in self.branches)
        return x + around


class _Separable(nn.Sequential):
    """3×3 in each channel, 1×1 over them, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        depthwise = nn.Conv2d(inputs, inputs, 3, padding=dilation, dilation=dilation, groups=inputs, bias=False)
        super().__init__(depthwise, *conv_norm_relu(inputs, outputs))


def _fusion(image: int, side: int) -> nn.Conv2d:
    """Image and side information → the image's channels: the identity on these, anything on those."""
    layer = nn.Conv2d(image + side, image, 1, bias=False)
    with torch.no_grad():
        layer.weight[:, :image] = torch.eye(image)[:, :, None, None]
    return layer


def _beside(context: Tensor, low: Tensor) -> Tensor:
    return torch.cat([F.interpolate(context, low.shape[-2:], mode="bilinear", align_corners=False), low], 1)


def _name(level: int, index: int) -> str:
    return f"{level}-{index}"


def _outputs(unit: nn.Module) -> int:
    return [module for module in unit.modules() if isinstance(module, nn.Conv2d)][-1].out_channels
