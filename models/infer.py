"""A network at work: batches of tiles in, features and logits out, which stay on its device.

Where there are many at once, as many tiles go through the network together as `Predictor.batch` says, always: smaller
batches are filled up, so that the shapes never vary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models.certainty import uncertainty
from terrafine.models.certainty.confidence import ConfidNet, gain
from terrafine.models.certainty.uncertainty import Shown, as_they_are
from terrafine.models.cuda import Replayed, download, lane, lent, upload
from terrafine.models.encoding import channels
from terrafine.models.lasting import Lasting
from terrafine.models.networks.fused import fused
from terrafine.models.networks.magnet import Refiner
from terrafine.models.networks.network import Features, MarkedNetwork
from terrafine.models.precision import to_halves
from terrafine.shared.errors import UnusableModel
from terrafine.shared.spec import ModelSpec

BATCH = 4  # tiles at once on CUDA: most clicks touch no more
Floats = NDArray[np.float32]


class TileFeatures(Lasting):
    """What the network made of one tile's image; opaque, to be kept and given back to `Predictor.logits`."""


class Predictor:
    """A network in evaluation mode on one device."""

    def __init__(
        self,
        spec: ModelSpec,
        network: MarkedNetwork,
        device: str = "cpu",
        confidence: Optional[ConfidNet] = None,
        refiner: Optional[Refiner] = None,
        precision: torch.dtype = torch.float32,
    ) -> None:
        """`confidence` is needed for the uncertainty "confidnet" alone, `refiner` for maps of more detail.

        With a half `precision` (precision.py) the network computes in it, where it can; logits are float32 always.
        """
        self.spec = spec
        self.precision = precision
        self.device = torch.device(device)
        self.confidence = confidence.eval().to(self.device) if confidence is not None else None
        self.refiner = refiner.eval().to(self.device) if refiner is not None else None
        # On a processor channels last is 1.4 to 2 times as fast for these depthwise networks.
        self._network = network.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._before: Optional[tuple[MarkedNetwork, MarkedNetwork]] = None

    @property
    def network(self) -> MarkedNetwork:
        """For those who make another of it; this one must not be changed."""
        return self._network

    def successor(self, network: MarkedNetwork, spec: Optional[ModelSpec] = None) -> Predictor:
        """A predictor with another network, and legend if `spec` says so; the rest stays what it is."""
        spec, refiner = spec or self.spec, self.refiner
        if [entry.name for entry in spec.classes] != [entry.name for entry in self.spec.classes]:
            spec, refiner = replace(spec, detail=None), None
        successor = Predictor(spec, network, str(self.device), self.confidence, refiner, self.precision)
        for name in vars(self).keys() & {"is_same_in_threads", "batch"}:
            vars(successor)[name] = vars(self)[name]
        if "_fast" in vars(self):
            successor._before = self._network, self._fast
        return successor

    @cached_property
    def _fast(self) -> MarkedNetwork:
        """The network as it runs while nothing learns; made when it is first needed."""
        twin = fused(self._network, self._before)
        self._before = None
        for module in twin.reducible():
            module.to(self.precision)
        return twin

    @cached_property
    def _look(self) -> Replayed:
        return Replayed(self._fast.features)

    @cached_property
    def _answer(self) -> Callable[[Features], Tensor]:
        """Heard to logits: recorded, where that does the same whatever was heard."""
        if not self._fast.is_steady:
            return self._fast.answer
        replayed = Replayed(lambda *heard: (self._fast.answer(heard),))
        return lambda heard: replayed(*heard)[0]

    def warm_up(self) -> None:
        """Do what the first tile would have to wait for."""
        _ = self.is_same_in_threads, self.batch

    def rest(self) -> None:
        """Give up what only makes it quick, as large as the network itself; it is made again when it next runs."""
        self._before = None
        for name in ("_fast", "_look", "_answer"):
            vars(self).pop(name, None)

    @torch.inference_mode()
    def features(self, images: Floats) -> list[TileFeatures]:
        """Images float32 (B, bands, T, T), normalised → the features of each."""
        with lane(self.device):
            maps = self._look(self._batch(_filled(images, self.batch)))
            tiles = zip(*(_apart(tensor, len(images)) for tensor in maps))
            return [TileFeatures(tensors) for tensors in tiles]

    @torch.inference_mode()
    def logits(self, features: Sequence[TileFeatures], marks: Floats) -> Floats:
        """Features of B tiles and their marks float32 (B, classes, T, T) → logits float32 (B, classes, T, T)."""
        with lane(self.device):
            result: Floats = download(self._decoded(features, marks).float())
        return result

    @torch.inference_mode()
    def halves(self, features: Sequence[TileFeatures], marks: Floats) -> list[Tensor]:
        """Likewise, of each tile as float16 (classes, T, T) on the device, clipped to ±LARGEST."""
        with lane(self.device):
            logits = to_halves(self._decoded(features, marks).float())
            return [tensor[0] for tensor in _apart(logits, len(features))]

    def _decoded(self, features: Sequence[TileFeatures], marks: Floats) -> Tensor:
        missing = max(0, self.batch - len(features))
        tiles = _joined([*features, *[features[0]] * missing])
        heard = self._fast.heard(tiles, upload(_filled(marks, self.batch), self.device))
        return self._answer(heard)[: len(features)]

    @cached_property
    def is_same_in_threads(self) -> bool:
        """Do one thread and all of them give the same bits on this machine? Found out once, with a tile of noise."""
        threads, together = torch.get_num_threads(), self._of_noise()
        if self.device.type != "cpu":
            return True
        try:
            torch.set_num_threads(1)
            return np.array_equal(self._of_noise(), together)
        finally:
            torch.set_num_threads(threads)

    @cached_property
    def batch(self) -> int:
        """How many tiles go through the network together: 1 on a processor, whose cores do better with one each.

        Elsewhere BATCH, unless a tile then has other bits in one place of the batch than in another. Found out once.
        """
        if self.device.type == "cpu":
            return 1
        vars(self)["batch"] = BATCH
        together, alone = self._of_noise(range(BATCH)), [self._of_noise([number]) for number in range(BATCH)]
        return BATCH if np.array_equal(together, np.concatenate(alone, 1)) else 1

    def _of_noise(self, seeds: Sequence[int] = (0,)) -> NDArray[np.float16]:
        """Logits (2, B, classes, T, T) of images of noise, without marks and with some."""
        side, bands = self.spec.tile_px, len(self.spec.bands)
        images = [np.random.default_rng(seed).random((bands, side, side), np.float32) for seed in seeds]
        features = self.features(np.stack(images))
        marks = np.zeros((len(seeds), channels.count(self.spec), side, side), np.float32)
        quiet = self.halves(features, marks)
        marks[:, :, :: side // 8, :: side // 8] = 1.0
        return np.stack([download(torch.stack(logits)) for logits in (quiet, self.halves(features, marks))])

    @torch.inference_mode()
    def refined(self, coarse: Floats, fine: Floats) -> Floats:
        """What the refinement module makes of two maps of one place, the coarser at the finer one's pixels.

        All are logits in the network's units, float32 (classes, T, T). Raises UnusableModel without a module.
        """
        if self.refiner is None:
            raise UnusableModel(f"'{self.spec.name}' has no refinement module.")
        temperature = self.spec.temperature
        both = (torch.from_numpy(logits)[None].to(self.device) / temperature for logits in (coarse, fine))
        logits = self.refiner(*(map_.softmax(1) for map_ in both)).log_softmax(1)
        result: Floats = logits[0].mul(temperature).cpu().numpy()
        return result

    def uncertainty(
        self,
        method: str,
        features: Sequence[TileFeatures],
        images: Optional[Floats],
        marks: Floats,
        shown: Shown = as_they_are,
    ) -> Tensor:
        """How unsure the model is of B tiles, by a method that needs more than the logits: float32 (B, T, T) in [0, 1],
        on the device.

        method    "mc-dropout", "odin" or "confidnet"; one that the model does not offer raises UnusableModel
        features  of the tiles; "odin" goes back to the images instead
        images    float32 (B, bands, T, T), normalised; only "odin" needs them
        marks     float32 (B, classes, T, T)
        shown     logits (classes, …) → those of the classes that are shown, two at least; its inverse temperature is
                  the model's
        """
        if method not in self.spec.uncertainty or method in uncertainty.PER_LOGITS:
            raise UnusableModel(f"'{self.spec.name}' does not offer '{method}' by the tile.")
        encoded = torch.from_numpy(marks).to(self.device)
        if method == "odin":
            if images is None:
                raise ValueError("ODIN needs the images")
            return self._odin(images, encoded, shown)
        with torch.inference_mode():
            if method == "confidnet":
                return self._unconfidence(_joined(features), encoded, shown)
            return uncertainty.mc_dropout(self._fast, _joined(features), encoded, self.spec.temperature, shown)

    def _unconfidence(self, features: Features, marks: Tensor, shown: Shown) -> Tensor:
        """ConfidNet's, turned round."""
        if self.confidence is None:
            raise UnusableModel(f"'{self.spec.name}' has no ConfidNet.")
        last, beside = (tensor.float() for tensor in self._fast.trunk(features, marks))
        sure: Tensor = self.confidence(last)
        if shown is as_they_are:
            return 1.0 - sure
        logits = (self._fast.head(last) + beside).transpose(0, 1)
        return 1.0 - (sure * gain(logits, self.spec.temperature, shown)).clamp_(max=1.0)

    def _odin(self, images: Floats, marks: Tensor, shown: Shown) -> Tensor:
        batch = torch.from_numpy(images).to(self.device, memory_format=torch.channels_last)
        std = torch.tensor(self.spec.normalisation.std, device=self.device)
        return uncertainty.odin(self._network, batch, marks, std, self.spec.temperature, shown)

    def _batch(self, images: Floats) -> Tensor:
        dtype = self.precision if self._fast.reducible() else torch.float32
        return upload(images, self.device).to(dtype, memory_format=torch.channels_last)


def _joined(features: Sequence[TileFeatures]) -> Features:
    levels = zip(*(map(lent, tile.tensors) for tile in features))
    return tuple(level[0] if len(level) == 1 else torch.cat(level) for level in levels)


def _apart(batch: Tensor, count: int) -> list[Tensor]:
    """The first tiles of a batch, each with memory of its own, so that each can be forgotten alone."""
    return [batch] if len(batch) == 1 else [tile.clone() for tile in batch[:count].split(1)]


def _filled(tiles: Floats, count: int) -> Floats:
    """As many tiles at least; those that are added are the first once more."""
    return tiles if len(tiles) >= count else np.concatenate([tiles, *[tiles[:1]] * (count - len(tiles))])
