"""The numbers that a device computes in fastest, and those that logits are kept in."""

from __future__ import annotations

import torch
from torch import Tensor

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


def to_halves(values: Tensor) -> Tensor:
    """Float16 of what is at most ±LARGEST; what is more becomes that, in `values` themselves."""
    return values.clamp_(-LARGEST, LARGEST).half()
