"""A network that finds objects, at work: in training's validation, in evaluation and behind the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from terrafine.models.infer import TileFeatures
from terrafine.models.networks.object_network import ObjectNetwork
from terrafine.models.objects.crop import Crop, image_of, restored
from terrafine.models.objects.view import View
from terrafine.shared.geo import Window
from terrafine.shared.objects import ObjectGuide
from terrafine.shared.spec import ModelSpec

CLICK_CHANNELS = 2  # inside and outside
Floats = NDArray[np.float32]
Read = Callable[[Window], tuple[Floats, NDArray[np.bool_]]]


@dataclass(frozen=True)
class Seen:
    """What is kept of an object between clicks: where the network looked, and what it made of it."""

    crop: Crop
    features: TileFeatures


class ObjectFinder:
    """A network in evaluation mode on one device, and how it is shown an object."""

    def __init__(self, spec: ModelSpec, network: ObjectNetwork, device: str = "cpu") -> None:
        """Raises UnusableModel where the model's options make no sense."""
        self.spec = spec
        self.view = View.of(spec)
        self.device = torch.device(device)
        self._network = network.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def look(self, guide: ObjectGuide, read: Read) -> Seen:
        """Look at an object for the first time; its box and its first click inside count, and stay what they are.

        read  a window, which may reach outside the image → its pixels float32 (bands, …) in [0, 1] and their mask
        """
        crop = self.view.crop(guide)
        image = image_of(*read(crop.window), crop, self.spec)
        return Seen(crop, self._features(image, self.view.first_clicks(guide, crop)))

    def logits(self, seen: Seen, guide: ObjectGuide) -> Floats:
        """Logits of the object, given all clicks of `guide`: float32 (*seen.crop.window.shape), above 0 inside."""
        return restored(self._decoded(seen.features, self.view.all_clicks(guide, seen.crop)), seen.crop)

    @torch.inference_mode()
    def _features(self, image: Floats, first_clicks: Floats) -> TileFeatures:
        images = self._batch(image).to(memory_format=torch.channels_last)
        return TileFeatures(self._network.features(images, self._batch(first_clicks)))

    @torch.inference_mode()
    def _decoded(self, features: TileFeatures, all_clicks: Floats) -> Floats:
        answer: Floats = self._network.decode(features.tensors, self._batch(all_clicks))[-1][0].float().cpu().numpy()
        return answer

    def _batch(self, values: Floats) -> torch.Tensor:
        return torch.from_numpy(values)[None].to(self.device)
