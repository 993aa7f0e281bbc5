"""The numbers that a device computes in fastest, and those that logits are kept in."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

LARGEST = 60_000.0  # of what is kept in float16, which ends at 65 504
_NATIVE_BFLOAT16 = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


def half(device: torch.device) -> torch.dtype:
    """The half precision that the device has instructions for, float32 where it has none.

    bfloat16 before float16: it cannot overflow. A processor without instructions for it imitates them, slowly.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    native = device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in _NATIVE_BFLOAT16)
    return torch.bfloat16 if native else torch.float32


def to_halves(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Float16, clipped to ±LARGEST. torch, for it is ten times as fast as numpy at this; `to_floats` likewise."""
    halves: NDArray[np.float16] = torch.from_numpy(values).clamp(-LARGEST, LARGEST).half().numpy()
    return halves


def to_floats(values: NDArray[np.float16]) -> NDArray[np.float32]:
    floats: NDArray[np.float32] = torch.from_numpy(values).float().numpy()
    return floats
