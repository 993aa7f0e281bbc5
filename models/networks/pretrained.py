"""Start an encoder from published weights, or from those of a model that we trained.

The one published format read here is the ImageNet MobileNetV2 converted from TensorFlow Lite to a NumPy archive:
convolutions in network order, batch norm folded into each weight and bias. A folded network has no norms left to train
with, so `unfold` gives each norm the statistics of its own input and the affine map that undoes them: the function is
unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file
from torch import Tensor, nn

from terrafine.models.networks.mobilenet import ConvNorm, MobileNetV2
from terrafine.shared.errors import ConfigError


def load_folded_mobilenet(encoder: MobileNetV2, path: Path) -> None:
    """Copy the archive's convolutions into `encoder`, whose input may have more bands than the archive's three.

    Extra bands start at zero. The norms hold the folded biases afterwards; call `unfold` before training.
    """
    units = [module for module in encoder.modules() if isinstance(module, ConvNorm)]
    with np.load(path, allow_pickle=False) as archive:
        names = [name[: -len(".weight")] for name in archive.files if name.endswith(".weight")][: len(units)]
        for unit, name in zip(units, names):
            _fill(unit, torch.from_numpy(archive[f"{name}.weight"]), torch.from_numpy(archive[f"{name}.bias"]))


def load_trained_encoder(encoder: MobileNetV2, path: Path) -> None:
    """Copy the encoder out of a model's weights; raises ConfigError where it has none of this make.

    Extra bands of `encoder` start at zero.
    """
    prefix = "encoder."
    tensors = {name[len(prefix) :]: tensor for name, tensor in load_file(path).items() if name.startswith(prefix)}
    for name, weight in encoder.state_dict().items():
        if weight.dim() == 4 and name in tensors and weight.shape[1] > tensors[name].shape[1]:
            tensors[name] = F.pad(tensors[name], (0, 0, 0, 0, 0, weight.shape[1] - tensors[name].shape[1]))
    try:
        encoder.load_state_dict(tensors)
    except RuntimeError as error:  # torch's word for names or shapes that differ
        raise ConfigError(f"The encoder in '{path}' is of another make: {error}.") from error


@torch.no_grad()
def _fill(unit: ConvNorm, weight: Tensor, bias: Tensor) -> None:
    convolution, norm = unit.convolution, unit.norm
    if convolution.weight.shape[0] != weight.shape[0] or convolution.weight.shape[2:] != weight.shape[2:]:
        shapes = f"{tuple(weight.shape)} for {tuple(convolution.weight.shape)}"
        raise ConfigError(f"The encoder weights do not fit: {shapes}.")
    convolution.weight.zero_()
    convolution.weight[:, : weight.shape[1]] = weight
    _set(norm, mean=torch.zeros_like(bias), variance=torch.full_like(bias, 1.0 - norm.eps), shift=bias)


@torch.no_grad()
def unfold(encoder: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give every norm the statistics of its input over `batches`, and the affine parameters that keep the function."""
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)]
    moments: dict[nn.Module, list[Tensor]] = {norm: [] for norm in norms}

    def observe(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0]
        moments[norm].append(torch.stack([x.mean((0, 2, 3)), x.square().mean((0, 2, 3))]))

    hooks = [norm.register_forward_pre_hook(observe) for norm in norms]
    encoder.eval()
    for batch in batches:
        encoder(batch)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        mean, square = torch.stack(moments[norm]).mean(0)
        variance = (square - mean.square()).clamp_min(1e-6)
        _set(norm, mean, variance, shift=norm.bias + mean)


def _set(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, shift: Tensor) -> None:
    """Statistics, and the affine parameters under which the norm only adds `shift` − mean."""
    norm.load_state_dict(
        {
            "running_mean": mean, "running_var": variance, "num_batches_tracked": torch.tensor(0),
            "weight": (variance + norm.eps).sqrt(), "bias": shift,
        }
    )  # fmt: skip
