"""What several networks are built of."""

from __future__ import annotations

from torch import nn


def conv_norm_relu(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """(B, inputs, H, W) → (B, outputs, H / stride, W / stride)."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
