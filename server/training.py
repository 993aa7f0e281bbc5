"""`terrafine train`'s configuration file, and the scenes it names."""

from __future__ import annotations

import dataclasses
import fnmatch
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, TypeVar, Union

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from terrafine.models.data import Augmentation, Scene
from terrafine.models.metrics import VOID
from terrafine.models.normalise import to_unit
from terrafine.models.train import MarkOptions, TrainOptions
from terrafine.server import raster_io
from terrafine.server.datasets import layouts
from terrafine.shared import spec as specs
from terrafine.shared.errors import ConfigError, TerrafineError
from terrafine.shared.spec import ModelSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
DATA_TYPES: dict[str, tuple[Union[type, tuple[type, ...]], str]] = {
    "images": (str, "a folder"),
    "labels": (str, "a folder"),
    "layout": (str, "the name of a data set's layout"),
    "train": (list, "a list of patterns"),
    "validate": (list, "a list of patterns"),
    "test": (list, "a list of patterns"),
    "share": ((int, float), "a share in (0, 1]"),
    "gsd_m": ((int, float), "a number of metres"),
    "counted": (int, "a number of classes"),
    "labels_are": (str, "'indices' or 'colours'"),
}
HINT = "Check [data], or give --data FOLDER."
Options = TypeVar("Options")


@dataclass(frozen=True)
class DataOptions:
    """Where the rasters are. Paths are relative to the data folder; an image and its labels have the same stem.

    layout                 of a published data set (`datasets/layouts.py`) in `images`: it finds and reads the labels
    train, validate, test  patterns of stems, as the shell has them; studies report on `test`
    share                  of the training images that are used, spread evenly over their order
    gsd_m                  of images that do not say; None: they are at the model's
    counted                the mean IoU counts the classes below this one
    labels_are             "indices" (0, 1, …; others are void) or "colours" (of the classes; others are void)
    """

    train: tuple[str, ...]
    images: str = "."
    labels: str = ""
    layout: str = ""
    validate: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    share: float = 1.0
    gsd_m: Optional[float] = None
    counted: Optional[int] = None
    labels_are: str = "indices"

    @property
    def labels_kind(self) -> str:
        """What `read_labels` is to take them for."""
        return self.layout or self.labels_are


@dataclass(frozen=True)
class TrainingConfig:
    """A whole configuration file."""

    spec: ModelSpec
    encoder_weights: Optional[str]
    data: DataOptions
    training: TrainOptions


def read_config(path: Path) -> TrainingConfig:
    """Read a TOML file; raises ConfigError that names the table and the key at fault."""
    return parse(read_document(path), str(path))


def read_document(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; raises ConfigError where it is none."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"'{path}' cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"'{path}' is not TOML: {error}.") from error


def parse(document: Mapping[str, Any], name: str) -> TrainingConfig:
    """The configuration in the tables of the file called `name`."""
    missing = {"model", "data"} - document.keys()
    if missing:
        raise ConfigError(f"'{name}' lacks the table [{missing.pop()}].")
    model = dict(document["model"])
    weights = model.pop("encoder_weights", None)
    return TrainingConfig(_spec(model), weights, _data(document["data"]), _training(document.get("training", {})))


def load_scenes(config: TrainingConfig, root: Path, patterns: Sequence[str]) -> list[Scene]:
    """The images that match, with their labels, at the model's GSD; raises ConfigError where one half is missing."""
    return [load_scene(image, labels, config) for image, labels in pairs(config, root, patterns)]


def training_scenes(config: TrainingConfig, root: Path) -> list[Scene]:
    """The scenes to train on: `share` of those that match, spread evenly over their order."""
    found = pairs(config, root, config.data.train)
    count = max(1, round(config.data.share * len(found)))
    chosen = [found[index * len(found) // count] for index in range(count)]
    return [load_scene(image, labels, config) for image, labels in chosen]


def pairs(config: TrainingConfig, root: Path, patterns: Sequence[str]) -> list[tuple[Path, Path]]:
    """(image, labels) of every image that matches; raises ConfigError where one half is missing."""
    chosen = []
    for name, image, labels in _all_pairs(config.data, root):
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            if labels is None:
                hint = "Labels have the same name, up to the suffix."
                raise ConfigError(f"'{image}' has no labels in '{root / config.data.labels}'.", hint)
            chosen.append((image, labels))
    if not chosen:
        raise ConfigError(f"No image in '{root / config.data.images}' matches {', '.join(patterns)}.", HINT)
    return chosen


def _all_pairs(data: DataOptions, root: Path) -> Iterable[tuple[str, Path, Optional[Path]]]:
    """(name, image, labels) of all images there are."""
    if data.layout:
        return layouts.find(data.layout).pairs(root / data.images)
    by_stem = {path.stem: path for path in _rasters(root / data.labels)}
    return [(path.stem, path, by_stem.get(path.stem)) for path in _rasters(root / data.images)]


def load_scene(image_path: Path, label_path: Path, config: TrainingConfig) -> Scene:
    """One image and its labels, resampled to the model's GSD; pixels without data are void."""
    with raster_io.open_raster(image_path, config.spec) as raster:
        patch = raster.read(raster.info.grid.window)
        unit = to_unit(patch.array, raster.info)
        gsd_m = raster.info.grid.gsd_m or config.data.gsd_m or config.spec.gsd_m
    truth = np.where(patch.valid, read_labels(label_path, config.spec, config.data.labels_kind), np.uint8(VOID))
    if truth.shape != unit.shape[1:]:
        raise ConfigError(f"'{label_path}' is {truth.shape}, its image {unit.shape[1:]} pixels.")
    image = np.rint(unit * 255.0).astype(np.uint8)
    return Scene(image_path.stem, *_resampled(image, truth, gsd_m / config.spec.gsd_m))


def read_labels(path: Path, spec: ModelSpec, kind: str = "indices") -> NDArray[np.uint8]:
    """Classes uint8 (rows, columns) from a raster of "indices", "colours" or a layout's codes; all else is VOID."""
    if kind in layouts.LAYOUTS:
        truth = layouts.find(kind).read(path)
        return np.where(truth < len(spec.classes), truth, np.uint8(VOID))
    bands = raster_io.read_all(path)
    if kind == "indices":
        known = (bands[0] >= 0) & (bands[0] < len(spec.classes))
        return np.where(known, bands[0], VOID).astype(np.uint8)
    if kind != "colours" or len(bands) < 3:
        raise ConfigError(f"The labels of '{path}' cannot be read as {kind}.", "labels_are is 'indices' or 'colours'.")
    truth = np.full(bands.shape[1:], VOID, np.uint8)
    for entry in spec.classes:
        colour = np.frombuffer(bytes.fromhex(entry.color[1:]), np.uint8)
        truth[(bands[:3] == colour[:, None, None]).all(axis=0)] = entry.id
    return truth


def _resampled(
    image: NDArray[np.uint8], truth: NDArray[np.uint8], scale: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if scale == 1.0:
        return image, truth
    size = tuple(max(1, round(side * scale)) for side in truth.shape)
    grown = F.interpolate(torch.from_numpy(image)[None].float(), size, mode="bilinear", antialias=True)
    nearest = F.interpolate(torch.from_numpy(truth)[None, None], size, mode="nearest-exact")
    return grown[0].round().clamp(0, 255).to(torch.uint8).numpy(), nearest[0, 0].numpy()


def _rasters(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f"There is no folder '{folder}'.", HINT)
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _spec(table: dict[str, Any]) -> ModelSpec:
    try:
        classes = [{"id": index, **entry} for index, entry in enumerate(table.pop("classes"))]
        return specs.from_json({"format": specs.FORMAT, "classes": classes, **table})
    except KeyError as error:
        raise ConfigError(f"[model] lacks {error}.") from error
    except TerrafineError as error:
        raise ConfigError(f"[model]: {error.message}") from error


def _data(table: Mapping[str, Any]) -> DataOptions:
    _refuse_unknown("data", table, set(DATA_TYPES))
    for key, (kind, words) in DATA_TYPES.items():
        if key in table and (not isinstance(table[key], kind) or isinstance(table[key], bool)):
            raise ConfigError(f"[data] {key} must be {words}, not {table[key]!r}.")
    values: dict[str, Any] = {k: tuple(map(str, v)) if isinstance(v, list) else v for k, v in table.items()}
    if not (table.get("layout") or table.get("labels")):
        raise ConfigError("[data] lacks 'labels'.", "Name the folder of the labels, or a layout.")
    if not 0 < table.get("share", 1) <= 1:
        raise ConfigError(f"[data] share must be {DATA_TYPES['share'][1]}, not {table['share']!r}.")
    try:
        return DataOptions(**values)
    except TypeError as error:
        raise ConfigError(f"[data]: {error}.") from error


def _training(table: Mapping[str, Any]) -> TrainOptions:
    table = dict(table)
    marks = options(MarkOptions, "training.marks", table.pop("marks", {}))
    augmentation = options(Augmentation, "training.augmentation", table.pop("augmentation", {}))
    return dataclasses.replace(options(TrainOptions, "training", table), marks=marks, augmentation=augmentation)


def options(kind: type[Options], name: str, table: Mapping[str, Any]) -> Options:
    """A dataclass of numbers and words from the table `name`; every key is known, every value of the right sort."""
    defaults = kind()
    _refuse_unknown(name, table, {key for key, value in vars(defaults).items() if not dataclasses.is_dataclass(value)})
    for key, value in table.items():
        expected = type(getattr(defaults, key))
        fits = isinstance(value, expected) or (expected is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and expected is not bool):
            raise ConfigError(f"[{name}] {key} must be of type {expected.__name__}, not {value!r}.")
    return kind(**table)


def _refuse_unknown(name: str, table: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(table.keys() - known)
    if unknown:
        raise ConfigError(f"[{name}] has no key '{unknown[0]}'.", f"There are: {', '.join(sorted(known))}.")
