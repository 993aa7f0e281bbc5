"""Names become networks; folders become models and models folders.

A model folder holds `model.json` (the ModelSpec), `weights.safetensors`, `card.md`, if it offers the uncertainty
"confidnet" `confidence.safetensors`, and if it offers maps of more detail `refiner.safetensors`. Nothing in it is
executable.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from terrafine.models.certainty import confidence
from terrafine.models.certainty.confidence import ConfidNet
from terrafine.models.encoding import channels
from terrafine.models.infer import Predictor
from terrafine.models.networks import encoders, magnet, sideinfnet
from terrafine.models.networks.forest import PixelForest
from terrafine.models.networks.grabcut import GrabCut
from terrafine.models.networks.linknet import LateLinkNet, LinkNet
from terrafine.models.networks.network import EarlyFusion, MarkedNetwork
from terrafine.models.precision import half
from terrafine.shared import spec as specs
from terrafine.shared.errors import NotFound, TerrafineError, UnusableModel
from terrafine.shared.spec import Detail, ModelSpec

log = logging.getLogger(__name__)

ZOO = Path(__file__).parent / "zoo"
DESCRIPTION, WEIGHTS, CARD, CONFIDENCE = "model.json", "weights.safetensors", "card.md", "confidence.safetensors"
REFINER = "refiner.safetensors"


def build(spec: ModelSpec) -> MarkedNetwork:
    """A network with random weights, as `spec` describes it; raises UnusableModel for names nobody knows."""
    if spec.side.names and spec.architecture != "sideinfnet":
        raise UnusableModel(f"'{spec.name}' has no place for side information.", "Its architecture is no SideInfNet.")
    if spec.task != "map":
        raise UnusableModel(f"'{spec.name}' finds single objects; it makes no map.", "Choose another model.")
    return ARCHITECTURES.get(spec.architecture, _build_from_library)(spec)


def load(folder: Path) -> tuple[ModelSpec, MarkedNetwork]:
    """Read a model folder; the network is in evaluation mode. Raises NotFound or UnusableModel."""
    spec = describe(folder)
    network = build(spec)
    load_weights(folder, spec, network)
    return spec, network.eval()


def load_weights(folder: Path, spec: ModelSpec, network: nn.Module) -> None:
    """Give `network`, which `spec` describes, the weights of a model folder; raises UnusableModel."""
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise UnusableModel(f"The weights of '{spec.name}' cannot be read: {error}.") from error
    except RuntimeError as error:  # torch's word for names or shapes that differ
        raise UnusableModel(f"The weights of '{spec.name}' do not fit its model.json: {error}.") from error


def load_predictor(folder: Path, device: str = "cpu") -> Predictor:
    """The model in a folder, ready to run as fast as the device can, with what goes with what it offers.

    Raises as `load` does.
    """
    spec, network = load(folder)
    trained = _load_confidence(folder) if "confidnet" in spec.uncertainty else None
    refiner = _load_refiner(folder, spec) if spec.detail else None
    return Predictor(spec, network, device, trained, refiner, half(torch.device(device)))


def _load_refiner(folder: Path, spec: ModelSpec) -> magnet.Refiner:
    try:
        refiner = magnet.load(folder / REFINER)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise UnusableModel(f"The refinement module in '{folder}' cannot be read: {error}.") from error
    if refiner.classes != len(spec.classes):
        raise UnusableModel(f"The refinement module in '{folder}' is for {refiner.classes} classes.")
    return refiner


def save_refiner(folder: Path, trained: magnet.Refiner, detail: Detail) -> None:
    """Put a refinement module into a model folder, which offers maps of more detail from now on."""
    magnet.save(folder / REFINER, trained)
    _redescribe(folder, detail=detail)


def _redescribe(folder: Path, **changes: Any) -> None:
    (folder / DESCRIPTION).write_text(specs.dumps(dataclasses.replace(describe(folder), **changes)), "utf-8")


def _load_confidence(folder: Path) -> ConfidNet:
    try:
        return confidence.load(folder / CONFIDENCE)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise UnusableModel(f"The ConfidNet in '{folder}' cannot be read: {error}.") from error


def save_confidence(folder: Path, trained: ConfidNet) -> None:
    """Put a ConfidNet into a model folder, which offers it from now on."""
    confidence.save(folder / CONFIDENCE, trained)
    _redescribe(folder, uncertainty=tuple(dict.fromkeys((*describe(folder).uncertainty, "confidnet"))))


def describe(folder: Path) -> ModelSpec:
    """The ModelSpec of a model folder."""
    try:
        return specs.loads((folder / DESCRIPTION).read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise UnusableModel(f"'{folder / DESCRIPTION}' is not UTF-8.") from error
    except OSError as error:
        hint = f"A model folder holds {DESCRIPTION} and {WEIGHTS}."
        raise NotFound(f"There is no model in '{folder}'.", hint) from error


def digest(folder: Path) -> str:
    """SHA-256 of what a model's maps depend on: its description and all its weights."""
    files = (folder / DESCRIPTION, *sorted(folder.glob("*.safetensors")))
    parts = (hashlib.sha256(file.read_bytes()).digest() for file in files)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def save(folder: Path, spec: ModelSpec, network: nn.Module) -> None:
    """Write a model folder (without a card); half-precision copies are not made, the weights stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / WEIGHTS)
    (folder / DESCRIPTION).write_text(specs.dumps(spec), "utf-8")


def zoo(extra: Sequence[Path] = ()) -> dict[str, Path]:
    """Name → folder of every model in the zoo and in the folders of `extra`; the latter win."""
    folders = [path.parent for root in (ZOO, *extra) for path in sorted(root.glob(f"*/{DESCRIPTION}"))]
    folders += [path for path in extra if (path / DESCRIPTION).is_file()]
    found = {}
    for folder in folders:
        try:
            found[describe(folder).name] = folder
        except TerrafineError as error:  # one broken model must not hide the others
            log.warning("the model in '%s' is left out: %s", folder, error)
    return found


def find(name: str, extra: Sequence[Path] = ()) -> Path:
    """The folder of the model called `name`; raises NotFound with the names there are."""
    known = zoo(extra)
    if name not in known:
        raise NotFound(f"There is no model '{name}'.", f"There are: {', '.join(known) or 'none'}.")
    return known[name]


def find_or_open(model: str) -> Path:
    """The folder of a model of the zoo by its name, or a model folder by its path; raises NotFound."""
    path = Path(model)
    return path if (path / DESCRIPTION).is_file() else find(model)


def _build_linknet(spec: ModelSpec) -> MarkedNetwork:
    """Late fusion by default, its affinity as far as the option reach_px says; the option fusion = "early" gives
    DISIR's, of the library if it has the encoder.
    """
    if spec.options.get("fusion") != "early":
        return _build_late(spec)
    if spec.encoder != encoders.OWN:
        return _build_from_library(spec)
    if set(spec.options) != {"fusion"}:
        raise UnusableModel("LinkNet with early fusion has no further options.")
    classes = len(spec.classes)
    encoder, channels = encoders.with_maps(spec.encoder, len(spec.bands) + classes)
    return EarlyFusion(LinkNet(encoder, channels, classes))


def _build_late(spec: ModelSpec) -> LateLinkNet:
    options = {"fusion": "late", "reach_px": math.inf, **spec.options}
    reach_px = options.pop("reach_px")
    if options != {"fusion": "late"} or isinstance(reach_px, (str, bool)) or not reach_px > 0:
        hint = 'fusion is "late" or "early", reach_px a positive number of pixels.'
        raise UnusableModel("LinkNet has no options but 'fusion' and 'reach_px'.", hint)
    encoder, channels = encoders.with_maps(spec.encoder, len(spec.bands))
    return LateLinkNet(encoder, channels, len(spec.classes), reach_px)


def _build_sideinfnet(spec: ModelSpec) -> MarkedNetwork:
    encoder = encoders.in_stages(spec.encoder, len(spec.bands))
    return sideinfnet.build(encoder, channels.count(spec), len(spec.classes), spec.options)


def _build_from_library(spec: ModelSpec) -> MarkedNetwork:
    """Any architecture of segmentation-models-pytorch, marks stacked under the image; options go to its builder."""
    library = encoders.library(spec.architecture)
    inputs = len(spec.bands) + len(spec.classes)
    try:
        network = library.create_model(
            spec.architecture, spec.encoder, encoder_weights=None, in_channels=inputs, classes=len(spec.classes),
            **{name: value for name, value in spec.options.items() if name != "fusion"},
        )  # fmt: skip
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise UnusableModel(f"'{spec.architecture}' with encoder '{spec.encoder}' cannot be built: {error}.") from error
    return EarlyFusion(network)


def _build_forest(spec: ModelSpec) -> MarkedNetwork:
    return PixelForest(len(spec.classes))


def _build_grabcut(spec: ModelSpec) -> MarkedNetwork:
    return GrabCut(spec.normalisation)


ARCHITECTURES: dict[str, Callable[[ModelSpec], MarkedNetwork]] = {
    "linknet": _build_linknet,
    "forest": _build_forest,
    "sideinfnet": _build_sideinfnet,
    "grabcut": _build_grabcut,
}
