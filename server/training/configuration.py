"""`terrafine train`'s configuration file."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, TypeVar, Union

from terrafine.models.data import Augmentation
from terrafine.models.detail.train import HARSH, RefinerOptions
from terrafine.models.objects.samples import ObjectOptions
from terrafine.models.training.options import MarkOptions, TrainOptions
from terrafine.shared import spec as specs
from terrafine.shared.errors import ConfigError, TerrafineError
from terrafine.shared.spec import ModelSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DATA_TYPES: dict[str, tuple[Union[type, tuple[type, ...]], str]] = {
    "images": (str, "a folder"),
    "labels": (str, "a folder"),
    "points": (str, "a folder"),
    "layout": (str, "the name of a data set's layout"),
    "train": (list, "a list of patterns"),
    "validate": (list, "a list of patterns"),
    "test": (list, "a list of patterns"),
    "share": ((int, float), "a share in (0, 1]"),
    "gsd_m": ((int, float), "a number of metres"),
    "counted": (int, "a number of classes"),
    "labels_are": (str, "'indices' or 'colours'"),
    "means": (list, "a list of classes"),
    "others": (str, "a class"),
}
Options = TypeVar("Options")


@dataclass(frozen=True)
class DataOptions:
    """Where the rasters are. Paths are relative to the data folder; labels have the stem of their image, or that and
    "_labels".

    layout                 of a published data set (`datasets/layouts.py`) in `images`: it finds and reads the labels
    train, validate, test  patterns of stems, as the shell has them; studies report on `test`
    share                  of the training images that are used, spread evenly over their order
    gsd_m                  of images that do not say; None: they are at the model's
    counted                the mean IoU counts the classes below this one
    labels_are             "indices" (0, 1, …; others are void) or "colours" (of the classes; others are void)
    points                 where, under the stem of their image, GeoPackages or GeoJSON of points are, with the numbers
                           that the model is told ([model] side) as attributes; none: scores of the classes are made up
    means                  the classes that the labels' 0, 1, … stand for, "" for void; if empty, the model's in order
    others                 in reports by a shorter legend: the one of `means` that the other classes are shown as
    """

    train: tuple[str, ...] = ()
    images: str = "."
    labels: str = ""
    layout: str = ""
    validate: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    share: float = 1.0
    gsd_m: Optional[float] = None
    counted: Optional[int] = None
    labels_are: str = "indices"
    points: str = ""
    means: tuple[str, ...] = ()
    others: str = ""

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
    refiner: RefinerOptions


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
    weights = model.pop("encoder_weights", "") or None
    if not document["data"].get("train"):
        raise ConfigError(f"'{name}' lacks [data] train, the images to train on.")
    training, refiner = _training(document.get("training", {})), _refiner(document.get("refiner", {}))
    return TrainingConfig(_spec(model), weights, data_options(document), training, refiner)


def _spec(table: dict[str, Any]) -> ModelSpec:
    try:
        classes = [{"id": index, **entry} for index, entry in enumerate(table.pop("classes"))]
        return specs.from_json({"format": specs.FORMAT, "classes": classes, **table})
    except KeyError as error:
        raise ConfigError(f"[model] lacks {error}.") from error
    except TerrafineError as error:
        raise ConfigError(f"[model]: {error.message}") from error


def data_options(document: Mapping[str, Any]) -> DataOptions:
    """Of the table [data]; raises ConfigError that names the key at fault."""
    table = document.get("data", {})
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
    objects = options(ObjectOptions, "training.objects", table.pop("objects", {}))
    marks = options(MarkOptions, "training.marks", table.pop("marks", {}))
    augmentation = options(Augmentation, "training.augmentation", table.pop("augmentation", {}))
    training = options(TrainOptions, "training", table)
    return dataclasses.replace(training, marks=marks, augmentation=augmentation, objects=objects)


def _refiner(table: Mapping[str, Any]) -> RefinerOptions:
    table = dict(table)
    colours = {**dataclasses.asdict(HARSH), **table.pop("augmentation", {})}
    augmentation = options(Augmentation, "refiner.augmentation", colours)
    wanted = dataclasses.replace(options(RefinerOptions, "refiner", table), augmentation=augmentation)
    try:
        wanted.detail  # noqa: B018
    except TerrafineError as error:
        raise ConfigError(f"[refiner]: {error.message}") from error
    return wanted


def options(kind: type[Options], name: str, table: Mapping[str, Any]) -> Options:
    """A dataclass of numbers and words from the table `name`; every key is known, every value of the right sort."""
    defaults = kind()
    _refuse_unknown(name, table, {key for key, value in vars(defaults).items() if not dataclasses.is_dataclass(value)})
    table = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
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
