"""Networks that find objects, by name; the folders they come from are registry.py's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from terrafine.models import registry
from terrafine.models.networks import encoders
from terrafine.models.networks.click_channels import ClickChannels
from terrafine.models.networks.iog import IOG
from terrafine.models.networks.linknet import LinkNet
from terrafine.models.networks.object_network import ObjectNetwork
from terrafine.models.objects.finder import CLICK_CHANNELS, ObjectFinder
from terrafine.shared.errors import UnusableModel
from terrafine.shared.spec import ModelSpec


def build(spec: ModelSpec) -> ObjectNetwork:
    """A network with random weights, as `spec` describes it; raises UnusableModel for one that finds no objects."""
    if spec.task != "object" or spec.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UnusableModel(f"'{spec.name}' does not find single objects.", f'With task = "object" there are: {known}.')
    return ARCHITECTURES[spec.architecture](spec)


def load(folder: Path) -> tuple[ModelSpec, ObjectNetwork]:
    """Read a model folder; the network is in evaluation mode. Raises NotFound or UnusableModel."""
    spec = registry.describe(folder)
    network = build(spec)
    registry.load_weights(folder, spec, network)
    return spec, network.eval()


def load_finder(folder: Path, device: str = "cpu") -> ObjectFinder:
    """The model in a folder, ready to run; raises as `load` does."""
    return ObjectFinder(*load(folder), device)


def _iog(spec: ModelSpec) -> ObjectNetwork:
    return IOG(*encoders.with_maps(spec.encoder, len(spec.bands) + CLICK_CHANNELS, output_stride=16))


def _click_channels(spec: ModelSpec) -> ObjectNetwork:
    return ClickChannels(LinkNet(*encoders.with_maps(spec.encoder, len(spec.bands) + CLICK_CHANNELS), 1))


ARCHITECTURES: dict[str, Callable[[ModelSpec], ObjectNetwork]] = {"iog": _iog, "click-channels": _click_channels}
