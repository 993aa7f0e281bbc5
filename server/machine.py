"""The machine that figures were measured on, as it stands beside them."""

from __future__ import annotations

import os
import platform

import torch


def described() -> str:
    """Processor, cores, GPU and torch, in words."""
    kind = platform.processor() or platform.machine()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{kind}, {os.cpu_count()} cores, {device}, torch {torch.__version__}"
