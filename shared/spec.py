"""ModelSpec: everything needed to run a model, as `model.json` holds it beside the weights."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Mapping, Union

from terrafine.shared.errors import UnusableModel

FORMAT = 1  # of model.json
NODATA_CLASS = 255  # in class rasters
_COLOR = re.compile(r"#[0-9a-f]{6}")
Option = Union[str, int, float, bool]


@dataclass(frozen=True)
class LandCover:
    """A class of the legend: `id` is its value in class rasters (0 … 254, equal to its place in the model's output)."""

    id: int
    name: str
    color: str  # "#rrggbb", lower case


@dataclass(frozen=True)
class EncodingSpec:
    """How marks become channels: kind "distance" or "binary", `radius_px` in model pixels (see models/encoding.py)."""

    kind: str = "distance"
    radius_px: float = 8.0


@dataclass(frozen=True)
class Normalisation:
    """Band values, stretched to [0, 1], become (value − mean) / std; one number a band."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class ModelSpec:
    """A trained model.

    name           the folder's name in the zoo; what clients ask for
    title          for people
    architecture   name in the registry ("linknet", "unet", …); `options` go to its builder
    encoder        name of the encoder
    bands          what the input bands are, in order ("red", "green", "blue", "nir", …)
    classes        the legend; class i is the i-th output channel
    gsd_m          metres per pixel that the model was trained at
    tile_px        side of the square that the network sees, overlap_px of it shared with its neighbour
    temperature    logits are divided by it before the softmax
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
    options: Mapping[str, Option] = field(default_factory=dict)


def to_json(spec: ModelSpec) -> dict[str, Any]:
    """The spec as plain JSON values."""
    return {"format": FORMAT, **asdict(spec), "options": dict(spec.options)}


def from_json(document: Any) -> ModelSpec:
    """The spec that `document` (parsed JSON) describes; raises UnusableModel that names the field at fault."""
    try:
        return _checked(_parse(document))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnusableModel(f"The model's description is broken: {error}.") from error


def dumps(spec: ModelSpec) -> str:
    return json.dumps(to_json(spec), indent=2, ensure_ascii=False) + "\n"


def loads(text: str) -> ModelSpec:
    try:
        return from_json(json.loads(text))
    except json.JSONDecodeError as error:
        raise UnusableModel(f"The model's description is not JSON: {error}.") from error


def _parse(document: Mapping[str, Any]) -> ModelSpec:
    if document["format"] != FORMAT:
        raise UnusableModel(f"model.json has format {document['format']}; this Terrafine reads format {FORMAT}.")
    known = {item.name for item in fields(ModelSpec)}
    values = {key: value for key, value in document.items() if key in known}
    values["bands"] = tuple(values["bands"])
    values["classes"] = tuple(LandCover(int(c["id"]), str(c["name"]), str(c["color"]).lower()) for c in values["classes"])
    scale = values["normalisation"]
    values["normalisation"] = Normalisation(tuple(map(float, scale["mean"])), tuple(map(float, scale["std"])))
    if "encoding" in values:
        values["encoding"] = EncodingSpec(**values["encoding"])
    return ModelSpec(**values)


def _checked(spec: ModelSpec) -> ModelSpec:
    bands = len(spec.bands)
    problems = {
        "name must be letters, digits, '.', '_' or '-'": not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", spec.name),
        "bands must not be empty": bands == 0,
        "there must be 2 to 255 classes": not 2 <= len(spec.classes) <= 255,
        "class ids must count up from 0": [c.id for c in spec.classes] != list(range(len(spec.classes))),
        "colours look like #a1b2c3": not all(_COLOR.fullmatch(c.color) for c in spec.classes),
        "gsd_m must be positive": not spec.gsd_m > 0,
        "mean and std need one number a band": not len(spec.normalisation.mean) == len(spec.normalisation.std) == bands,
        "std must be positive": not all(value > 0 for value in spec.normalisation.std),
        "encoding is 'distance' or 'binary' with a positive radius_px": spec.encoding.kind not in ("distance", "binary")
        or not spec.encoding.radius_px > 0,
        "tile_px must be a multiple of 32": spec.tile_px <= 0 or spec.tile_px % 32 != 0,
        "overlap_px must be even, and less than half of tile_px": not 0 <= spec.overlap_px < spec.tile_px / 2
        or spec.overlap_px % 2 != 0,
        "temperature must be positive": not spec.temperature > 0,
    }
    for problem, holds in problems.items():
        if holds:
            raise UnusableModel(f"The model's description is broken: {problem}.")
    return spec
