"""What clicks gain on scenes that a training does not see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from terrafine.models import metrics, simulate
from terrafine.models.data import Scene
from terrafine.models.encoding import channels
from terrafine.models.networks.network import MarkedNetwork
from terrafine.models.normalise import to_network
from terrafine.models.training.maps import context_within
from terrafine.shared.annotation import Annotation
from terrafine.shared.geo import Window
from terrafine.shared.spec import ModelSpec


@torch.inference_mode()
def validate(
    spec: ModelSpec, network: MarkedNetwork, scenes: Sequence[Scene], clicks: int, counted: int,
    device: str = "cpu",
) -> dict[int, float]:  # fmt: skip
    """mIoU (pooled, classes under `counted`) of `scenes`, each one tile, after 0, 1, 2, 4 … `clicks` RITM clicks."""
    network.eval()
    stops = sorted({0, clicks, *(2**i for i in range(clicks.bit_length()))})
    pooled = {stop: np.zeros((len(spec.classes),) * 2, np.int64) for stop in stops}
    rng = np.random.default_rng(0)
    for scene in scenes:
        window = Window(0, 0, *scene.truth.shape[::-1])
        image = to_network(scene.image.astype(np.float32) / 255.0, np.ones(window.shape, bool), spec)
        features = network.features(torch.from_numpy(image)[None].to(device, memory_format=torch.channels_last))
        empty = torch.zeros(1, len(spec.classes), *window.shape, device=device)
        context = context_within(spec, torch.from_numpy(image), network.decode(features, empty)[0])
        marks: list[Annotation] = []
        for count in range(clicks + 1):
            encoded = channels.channels_of(spec, marks, window, context=context)
            logits = network.decode(features, torch.from_numpy(encoded)[None].to(device))
            prediction = logits[0].argmax(0).to(torch.uint8).cpu().numpy()
            if count in pooled:
                pooled[count] += metrics.confusion(scene.truth, prediction, len(spec.classes))
            click = simulate.next_click(prediction, scene.truth, rng)
            if click is not None:
                marks.append(click)
    return {stop: metrics.mean_iou(matrix, counted) for stop, matrix in pooled.items()}
