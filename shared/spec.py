"""ModelSpec: everything needed to run a model, as `model.json` holds it beside the weights."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Union

from terrafine.shared import codec
from terrafine.shared.errors import BadRequest, UnusableModel
from terrafine.shared.side import SideFields

FORMAT = 1  # of model.json
TASKS = ("map", "object")
ENCODINGS = ("distance", "binary", "guided", "component", "onehot")
PLAIN, FINE, FAST = DETAILS = ("plain", "fine", "fast")  # of maps: see docs/methods/magnet.md
NODATA_CLASS = 255  # in class rasters
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # of a model
_COLOR = re.compile(r"#[0-9a-f]{6}")
Option = Union[str, int, float, bool]


@dataclass(frozen=True)
class LandCover:
    """A class of the legend: `id` is its value in class rasters (0 … 254, equal to its place in the model's output)."""

    id: int
    name: str
    color: str  # "#rrggbb", lower case

    def __post_init__(self) -> None:
        object.__setattr__(self, "color", self.color.lower())


@dataclass(frozen=True)
class EncodingSpec:
    """How marks become channels: kind is one of ENCODINGS, `radius_px` in model pixels (see models/encoding)."""

    kind: str = "distance"
    radius_px: float = 8.0


@dataclass(frozen=True)
class Normalisation:
    """Band values, stretched to [0, 1], become (value − mean) / std; one number a band."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Detail:
    """How a model's map gains detail (docs/methods/magnet.md).

    scales   model pixels that a pixel of each map takes a side, from the map that it starts from to the last; each is a
             multiple of the next
    pixels   share of a tile's pixels that the next finer map may change
    patches  share of the tiles that are looked at again where a map is made "fast"
    """

    scales: tuple[float, ...] = (1.0, 0.5)
    pixels: float = 1.0
    patches: float = 0.25

    def __post_init__(self) -> None:
        steps = list(zip(self.scales, self.scales[1:]))
        if not steps or any(not a > b > 0 or a % b for a, b in steps):
            raise UnusableModel(f"The model's description is broken: no detail comes from the scales {self.scales}.")
        if not (0 < self.pixels <= 1 and 0 < self.patches <= 1):
            raise UnusableModel("The model's description is broken: detail's pixels and patches are shares in (0, 1].")


@dataclass(frozen=True)
class ModelSpec:
    """A trained model; one that makes no sense raises UnusableModel.

    name           the folder's name in the zoo; what clients ask for
    title          for people
    architecture   name in the registry ("linknet", "unet", …); `options` go to its builder
    encoder        name of the encoder
    bands          what the input bands are, in order ("red", "green", "blue", "nir", …)
    classes        the legend; class i is the i-th output channel
    gsd_m          metres per pixel that the model was trained at; 0 if it takes every raster as it is
    tile_px        side of the square that the network sees, overlap_px of it shared with its neighbour
    temperature    logits are divided by it before the softmax
    uncertainty    the measures of uncertainty that it offers (models/certainty/uncertainty.py)
    detail         how it makes maps of more detail; None if it does not
    side           numbers at points that it can be told besides marks; none for most
    task           what it does, one of TASKS: classify a raster, or find one object from a box and clicks
    """

    name: str
    title: str
    architecture: str
    encoder: str
    bands: tuple[str, ...]
    classes: tuple[LandCover, ...]
    gsd_m: float
    normalisation: Normalisation
    encoding: EncodingSpec = EncodingSpec()
    tile_px: int = 512
    overlap_px: int = 64
    temperature: float = 1.0
    uncertainty: tuple[str, ...] = ("entropy", "margin", "odin")
    options: Mapping[str, Option] = field(default_factory=dict)
    side: SideFields = SideFields()
    task: str = "map"
    detail: Optional[Detail] = None

    def __post_init__(self) -> None:
        for problem, holds in _problems(self).items():
            if holds:
                raise UnusableModel(f"The model's description is broken: {problem}.")


def to_json(spec: ModelSpec) -> dict[str, Any]:
    """The spec as plain JSON values."""
    return {"format": FORMAT, **codec.encode(spec, [])}


def from_json(document: Any) -> ModelSpec:
    """The spec that `document` (parsed JSON) describes; raises UnusableModel that names the field at fault."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UnusableModel(f"The model's description is broken: this Terrafine reads format {FORMAT}.")
    try:
        return codec.decode(ModelSpec, document)
    except BadRequest as error:
        raise UnusableModel(f"The model's description is broken: {error.message}") from error


def dumps(spec: ModelSpec) -> str:
    return json.dumps(to_json(spec), indent=2, ensure_ascii=False) + "\n"


def loads(text: str) -> ModelSpec:
    try:
        return from_json(codec.parse(text))
    except BadRequest as error:
        raise UnusableModel(f"The model's description is broken: {error.message}") from error


def _problems(spec: ModelSpec) -> dict[str, bool]:
    """What could be wrong with a spec, and whether it is."""
    bands = len(spec.bands)
    return {
        "name must be letters, digits, '.', '_' or '-'": not NAME.fullmatch(spec.name),
        "bands must not be empty": bands == 0,
        "there must be 2 to 255 classes": not 2 <= len(spec.classes) <= 255,
        "class ids must count up from 0": [c.id for c in spec.classes] != list(range(len(spec.classes))),
        "colours look like #a1b2c3": not all(_COLOR.fullmatch(c.color) for c in spec.classes),
        "gsd_m must be 0 or more": not spec.gsd_m >= 0,
        "mean and std need one number a band": not len(spec.normalisation.mean) == len(spec.normalisation.std) == bands,
        "std must be positive": not all(value > 0 for value in spec.normalisation.std),
        f"encoding is one of {', '.join(ENCODINGS)} with a positive radius_px": spec.encoding.kind not in ENCODINGS
        or not spec.encoding.radius_px > 0,
        "the encoding onehot needs a radius_px of 1 or more": spec.encoding.kind == "onehot"
        and spec.encoding.radius_px < 1,
        "tile_px must be a multiple of 32": spec.tile_px <= 0 or spec.tile_px % 32 != 0,
        "overlap_px must be even, and less than half of tile_px": not 0 <= spec.overlap_px < spec.tile_px / 2
        or spec.overlap_px % 2 != 0,
        "temperature must be positive": not spec.temperature > 0,
        f"task is one of {', '.join(TASKS)}": spec.task not in TASKS,
    }
