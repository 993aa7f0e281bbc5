"""The rasters and labels that a configuration names."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Optional

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from terrafine.models.data import Scene
from terrafine.models.metrics import VOID
from terrafine.models.normalise import to_unit
from terrafine.server.datasets import layouts
from terrafine.server.rasters import raster_io
from terrafine.server.rasters.side_file import read_side
from terrafine.server.training.configuration import DataOptions, TrainingConfig
from terrafine.shared.errors import ConfigError
from terrafine.shared.side import NOWHERE, SideInformation
from terrafine.shared.spec import ModelSpec

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
POINTS = (".gpkg", ".geojson", ".json")
HINT = "Check [data], or give --data FOLDER."


def load_scenes(config: TrainingConfig, root: Path, patterns: Sequence[str]) -> list[Scene]:
    """The images that match, with their labels, at the model's GSD; raises ConfigError where one half is missing."""
    return [load_scene(image, labels, config) for image, labels in pairs(config.data, root, patterns)]


def training_scenes(config: TrainingConfig, root: Path) -> list[Scene]:
    """The scenes to train on: `share` of those that match, spread evenly over their order, with the points they have.

    Raises ConfigError also where the model is told numbers that neither files have nor can be made up.
    """
    found = pairs(config.data, root, config.data.train)
    count = max(1, round(config.data.share * len(found)))
    chosen = [found[index * len(found) // count] for index in range(count)]
    scenes = [load_scene(image, labels, config, _points_file(image, config.data, root)) for image, labels in chosen]
    names = config.spec.side.names
    if names and not any(len(scene.side) for scene in scenes) and len(names) != len(config.spec.classes):
        hint = "Name the folder of the points in [data] points, or give [model] side a score for each class."
        raise ConfigError(f"Nothing says where the training images have the numbers {', '.join(names)}.", hint)
    return scenes


def pairs(data: DataOptions, root: Path, patterns: Sequence[str]) -> list[tuple[Path, Path]]:
    """(image, labels) of every image that matches; raises ConfigError where one half is missing."""
    chosen = []
    for name, image, labels in _all_pairs(data, root):
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            if labels is None:
                hint = "Labels have the same name, up to the suffix."
                raise ConfigError(f"'{image}' has no labels in '{root / data.labels}'.", hint)
            chosen.append((image, labels))
    if not chosen:
        raise ConfigError(f"No image in '{root / data.images}' matches {', '.join(patterns)}.", HINT)
    return chosen


def _all_pairs(data: DataOptions, root: Path) -> Iterable[tuple[str, Path, Optional[Path]]]:
    """(name, image, labels) of all images there are."""
    if data.layout:
        return layouts.find(data.layout).pairs(root / data.images)
    by_stem = {path.stem: path for path in _rasters(root / data.labels)}
    return [
        (path.stem, path, by_stem.get(f"{path.stem}_labels", by_stem.get(path.stem)))
        for path in _rasters(root / data.images)
    ]


def _points_file(image: Path, data: DataOptions, root: Path) -> Optional[Path]:
    """Of an image, if it has one."""
    files = [root / data.points / f"{image.stem}{suffix}" for suffix in POINTS] if data.points else []
    return next((file for file in files if file.is_file()), None)


def load_scene(image_path: Path, label_path: Path, config: TrainingConfig, points: Optional[Path] = None) -> Scene:
    """One image, its labels and a file of points, resampled to the model's GSD; pixels without data are void."""
    with raster_io.open_raster(image_path, config.spec) as raster:
        patch = raster.read(raster.info.grid.window)
        unit = to_unit(patch.array, raster.info)
        gsd_m = raster.info.grid.gsd_m or config.data.gsd_m or config.spec.gsd_m
        side = read_side(points, config.spec.side.names, raster.info.grid) if points else NOWHERE
    truth = np.where(patch.valid, read_labels(label_path, config.spec, config.data), np.uint8(VOID))
    if truth.shape != unit.shape[1:]:
        raise ConfigError(f"'{label_path}' is {truth.shape}, its image {unit.shape[1:]} pixels.")
    image = np.rint(unit * 255.0).astype(np.uint8)
    scale = gsd_m / config.spec.gsd_m if config.spec.gsd_m else 1.0
    side = SideInformation(side.points * np.float32(scale), side.values)
    return Scene(image_path.stem, *_resampled(image, truth, scale), side)


def read_labels(path: Path, spec: ModelSpec, data: DataOptions) -> NDArray[np.uint8]:
    """A file's labels as classes of the model, uint8 (rows, columns), VOID where they say nothing that it knows.

    Raises ConfigError where they cannot be read as `data` says, or mean classes that the model has not.
    """
    codes = _read_codes(path, spec, data.labels_kind)
    table = np.full(256, VOID, np.uint8)
    meant = [class_id(spec, name) if name else VOID for name in data.means] or [entry.id for entry in spec.classes]
    table[: len(meant)] = meant
    return table[codes]


def class_id(spec: ModelSpec, name: str) -> int:
    """The id of the class of that name; raises ConfigError where the model has none."""
    for entry in spec.classes:
        if entry.name == name:
            return entry.id
    raise ConfigError(f"The model has no class '{name}'.", f"It has: {', '.join(c.name for c in spec.classes)}.")


def _read_codes(path: Path, spec: ModelSpec, kind: str) -> NDArray[np.uint8]:
    """The values 0, 1, … of a raster of "indices", "colours" or a layout's codes; all else is VOID."""
    if kind in layouts.LAYOUTS:
        return layouts.find(kind).read(path)
    bands = raster_io.read_all(path)
    if kind == "indices":
        return np.where((bands[0] >= 0) & (bands[0] < VOID), bands[0], VOID).astype(np.uint8)
    if kind != "colours" or len(bands) < 3:
        raise ConfigError(f"The labels of '{path}' cannot be read as {kind}.", "labels_are is 'indices' or 'colours'.")
    codes = np.full(bands.shape[1:], VOID, np.uint8)
    for entry in spec.classes:
        colour = np.frombuffer(bytes.fromhex(entry.color[1:]), np.uint8)
        codes[(bands[:3] == colour[:, None, None]).all(axis=0)] = entry.id
    return codes


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
