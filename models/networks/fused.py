"""A network as it runs while nothing learns: the same function in fewer passes over memory.

A network of depthwise layers does little but read and write its maps. So batch norms are folded into the convolutions
before them; activations, and maps that are added, are computed by oneDNN while a convolution's output is still in the
processor's cache; and no map is copied to pad it at its lower and right edges: the kernel has zeros above and to the
left instead. Where oneDNN is not (CUDA, some other processors), what is added and activated is so in place.

Modules that torch.fx cannot follow, and networks that are asked for more than their output, are taken apart: what they
are made of is fused.
"""

from __future__ import annotations

import operator
from inspect import signature
from typing import Any, Optional, Union, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.networks.staged import PIECEWISE

Layer = Union[nn.Conv2d, nn.ConvTranspose2d]
Activation = tuple[str, tuple[float, ...]]  # oneDNN's name, and its arguments
NONE: Activation = ("none", ())
RELU: Activation = ("relu", ())
RELU6: Activation = ("hardtanh", (0.0, 6.0))
ACTIVATIONS: dict[Any, Activation] = {
    nn.ReLU: RELU, F.relu: RELU, torch.relu: RELU, "relu": RELU, nn.ReLU6: RELU6, F.relu6: RELU6,
}  # fmt: skip
ASKED = "output_stride"  # what the library's networks ask their encoders besides their maps
SUMS = (operator.add, operator.iadd, torch.add)
UNTRACEABLE = (fx.proxy.TraceError, AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError)


def fused(network: MarkedNetwork, before: Optional[tuple[MarkedNetwork, MarkedNetwork]] = None) -> MarkedNetwork:
    """A copy for inference alone; the network stays as it is, and must stay so.

    before  another network and what this function made of it: parts that share their memory are fused already
    """
    twin = network.sharing_copy()
    _fuse_below(twin, before)
    twin.settle()
    return twin


def _fuse_below(module: nn.Module, before: Optional[tuple[nn.Module, nn.Module]]) -> None:
    for name, child in module.named_children():
        earlier = _children(before, name)
        done = earlier[1] if earlier is not None and _same_memory(child, earlier[0]) else _as_one(child)
        if done is None:
            _fuse_below(child, earlier)
        else:
            setattr(module, name, done)


def _children(pair: Optional[tuple[nn.Module, nn.Module]], name: str) -> Optional[tuple[nn.Module, nn.Module]]:
    found = [module._modules.get(name) for module in pair or ()]
    return cast("tuple[nn.Module, nn.Module]", tuple(found)) if found and None not in found else None


def _same_memory(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = ([tensor.data_ptr() for tensor in module.state_dict().values()] for module in (one, other))
    return mine == theirs


def _as_one(module: nn.Module) -> Optional[nn.Module]:
    """The module with its convolutions fused; None where it has to be taken apart."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        return FusedConvolution(module) if _is_plain(module) else module
    if not any(isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) for layer in module.modules()):
        return module
    if _is_taken_apart(module):
        return None
    try:
        traced = fx.symbolic_trace(module)
    except UNTRACEABLE:
        return None
    for node in list(traced.graph.nodes):
        layer = _called(traced, node)
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and _is_plain(layer):
            _Chain(traced, node).fuse(layer)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    traced.delete_all_unused_submodules()
    if hasattr(module, ASKED):
        setattr(traced, ASKED, getattr(module, ASKED))
    return traced


def _is_taken_apart(module: nn.Module) -> bool:
    """Is it asked for more than its output, or may it be called with more than one map?

    The trace would be without what is optional, and silently so.
    """
    return hasattr(module, "encoder") or PIECEWISE in vars(module) or len(signature(module.forward).parameters) != 1


def _is_plain(layer: Layer) -> bool:
    return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def _called(traced: fx.GraphModule, node: fx.Node) -> Optional[nn.Module]:
    return traced.get_submodule(str(node.target)) if node.op == "call_module" else None


class _Chain:
    """A convolution of a traced module, and the nodes around it whose work it can do."""

    def __init__(self, traced: fx.GraphModule, node: fx.Node) -> None:
        self.traced, self.first, self.last = traced, node, node

    def fuse(self, layer: Layer) -> None:
        layer = self._with_norm(layer)
        source, padding = self._before_pad(layer)
        other = self._added() if isinstance(layer, nn.Conv2d) else None
        one = FusedConvolution(layer, padding, self._activation())
        name = f"fused_{self.first.name}"
        self.traced.add_submodule(name, one)
        with self.traced.graph.inserting_after(self.last):
            node = self.traced.graph.call_module(name, (source,) if other is None else (source, other))
        self.last.replace_all_uses_with(node)

    def _with_norm(self, layer: Layer) -> Layer:
        """Folded with the batch norm that follows, if one does."""
        user = self._user()
        norm = _called(self.traced, user) if user is not None else None
        if user is None or not isinstance(norm, nn.BatchNorm2d):
            return layer
        self.last = user
        return fuse_conv_bn_eval(layer, norm, isinstance(layer, nn.ConvTranspose2d))

    def _before_pad(self, layer: Layer) -> tuple[Any, tuple[int, int]]:
        """What the convolution reads, without the zeros that are added below and to the right of it; how many."""
        source = self.first.args[0]
        if not isinstance(source, fx.Node) or source.target is not F.pad or isinstance(layer, nn.ConvTranspose2d):
            return source, (0, 0)
        left, right, top, bottom = cast("tuple[int, int, int, int]", source.args[1])
        zeros = source.kwargs.get("mode", "constant") == "constant" and not source.kwargs.get("value")
        fits = zeros and left == top == 0 and layer.padding == (0, 0) and layer.dilation == (1, 1)
        return (source.args[0], (bottom, right)) if fits else (source, (0, 0))

    def _added(self) -> Optional[fx.Node]:
        """A map that is added to the result, if one is."""
        user = self._user()
        if user is None or user.target not in SUMS or user.kwargs or len(user.args) != 2:
            return None
        (other,) = (argument for argument in user.args if argument is not self.last)
        if not isinstance(other, fx.Node):
            return None
        self.last = user
        return other

    def _activation(self) -> Activation:
        user = self._user()
        if user is None:
            return NONE
        called = _called(self.traced, user)
        found = ACTIVATIONS.get(type(called) if called is not None else user.target)
        if found is None:
            return NONE
        self.last = user
        return found

    def _user(self) -> Optional[fx.Node]:
        """The node that takes the result, if it is the only one."""
        return next(iter(self.last.users)) if len(self.last.users) == 1 else None


class FusedConvolution(nn.Module):
    """activation(layer(x, with zeros below and to the right) + other), with weights of its own memory."""

    def __init__(self, layer: Layer, padding: tuple[int, int] = (0, 0), activation: Activation = NONE) -> None:
        super().__init__()
        rows, cols = padding
        weight = F.pad(layer.weight.detach(), (cols, 0, rows, 0)) if rows or cols else layer.weight.detach()
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), False)
        self.bias = nn.Parameter(layer.bias.detach(), False) if layer.bias is not None else None
        self.transposed = isinstance(layer, nn.ConvTranspose2d)
        self.padding = [int(layer.padding[0]) + rows, int(layer.padding[1]) + cols]
        self.output_padding = list(layer.output_padding)
        self.stride, self.dilation, self.groups = list(layer.stride), list(layer.dilation), layer.groups
        self.activation, self.scalars = activation[0], list(activation[1])
        self.matrix = nn.Parameter(_matrix(self.weight), False) if self._is_apart(layer) else None

    def _is_apart(self, layer: Layer) -> bool:
        """Does every output have one input, as where a transposed convolution's kernel is as large as its stride?"""
        plain = self.groups == 1 and self.bias is not None and self.activation == "none"
        margins = (*self.padding, *self.output_padding)
        return self.transposed and plain and tuple(layer.kernel_size) == layer.stride and not any(margins)

    def forward(self, x: Tensor, other: Optional[Tensor] = None) -> Tensor:
        if self.matrix is not None and self.bias is not None and other is None:
            return self._apart(x, self.matrix, self.bias)
        if x.device.type != "cpu" or not torch.backends.mkldnn.is_available():
            return self._step_by_step(x, other)
        ops, place = torch.ops.mkldnn, (self.stride, self.dilation, self.groups)
        layer = (self.weight, self.bias, self.padding)
        y: Tensor
        if self.transposed:
            y = ops._convolution_transpose_pointwise(
                x, *layer, self.output_padding, *place, self.activation, self.scalars, ""
            )
        elif other is None:
            y = ops._convolution_pointwise(x, *layer, *place, self.activation, self.scalars, "")
        else:
            activation = None if self.activation == "none" else self.activation
            y = ops._convolution_pointwise(x, other, *layer, *place, "add", 1.0, activation, self.scalars, None)
        return y

    def _apart(self, x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
        """As one product. The result's channels come first in memory, as whoever goes on class by class wants it."""
        (rows, cols), (count, _, height, width) = self.stride, x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
        product = torch.addmm(bias.repeat_interleave(rows * cols)[:, None], matrix, pixels.T)
        parts = product.view(len(bias), rows, cols, count, height, width).permute(3, 0, 4, 1, 5, 2)
        return parts.reshape(count, len(bias), height * rows, width * cols)

    def _step_by_step(self, x: Tensor, other: Optional[Tensor]) -> Tensor:
        if self.transposed:
            y = F.conv_transpose2d(
                x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation
            )
        else:
            y = F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        y = y if other is None else y.add_(other)
        if self.activation == "none":
            return y
        return y.relu_() if self.activation == "relu" else F.hardtanh_(y, *self.scalars)


def _matrix(weight: Tensor) -> Tensor:
    """(inputs, outputs, rows, columns) → (outputs · rows · columns, inputs)."""
    return weight.flatten(1).T.contiguous()
