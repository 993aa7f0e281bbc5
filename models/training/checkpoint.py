"""What a training needs to go on as if nothing had happened, in one safetensors file: nothing in it is executable."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

NAME = "checkpoint.safetensors"


def save(folder: Path, step: int, network: nn.Module, averaged: nn.Module, optimiser: Optimizer) -> None:
    """Write everything that the next step needs, under its final name only when it is whole."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"averaged.{name}": tensor for name, tensor in averaged.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{NAME}.part"
    whole = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    save_file(whole, unfinished, {"step": str(step)})
    unfinished.replace(folder / NAME)


def restore(folder: Path, network: nn.Module, averaged: nn.Module, optimiser: Optimizer) -> Optional[int]:
    """Put all of them back into the state of the checkpoint in the folder; returns its step, None if there is none."""
    path = folder / NAME
    if not path.exists():
        return None
    with safe_open(path, "pt") as archive:
        tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
        step = int(archive.metadata()["step"])
    network.load_state_dict(_under("network.", tensors))
    averaged.load_state_dict(_under("averaged.", tensors))
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("optimiser.", tensors).items():
        index, key = name.split(".")
        state.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return step


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
