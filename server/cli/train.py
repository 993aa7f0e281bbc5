"""terrafine train: a configuration file and a folder of rasters become a model folder."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

import torch
import torch.nn.functional as F  # noqa: N812
from tqdm import tqdm

from terrafine.models import pretrained, registry
from terrafine.models.data import Scene
from terrafine.models.metrics import VOID
from terrafine.models.mobilenet import MobileNetV2
from terrafine.models.network import MarkedNetwork
from terrafine.models.train import Trainer, validate
from terrafine.server.training import TrainingConfig, load_scenes, read_config
from terrafine.shared.errors import ConfigError

HELP = """\
Train an annotation-as-channel network on image and label rasters.

examples:
  terrafine train models/zoo/landcover-rgb/train.toml --data ~/data --out runs/landcover
  terrafine train my-city.toml --data . --out runs/my-city --device cuda
  terrafine train my-city.toml --data . --out runs/my-city --resume
  terrafine train finer.toml --data . --out runs/finer --start-from runs/my-city/model

The folder given with --out receives model/ (for `terrafine serve --models`), log.csv, curves.png and the checkpoint
from which --resume goes on. --data defaults to $TERRAFINE_DATA, then to the configuration file's folder.
"""
VALIDATION_CLICKS, VALIDATION_PX = 8, 512
UNFOLD_BATCHES = 8
LOG, CURVES, MODEL = "log.csv", "curves.png", "model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, help="TOML file; models/zoo/landcover-rgb/train.toml is an example")
    parser.add_argument("--data", type=Path, help="folder that the paths in the file are relative to")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model, the log and the checkpoint")
    parser.add_argument("--start-from", type=Path, metavar="DIR", help="begin with the weights of this model folder")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads (all by default)")


def run(arguments: argparse.Namespace) -> int:
    _check_usable(arguments.device)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    config = read_config(arguments.config)
    root = arguments.data or Path(os.environ.get("TERRAFINE_DATA", arguments.config.parent))
    if (arguments.out / LOG).exists() and not arguments.resume:
        hint = "Go on with --resume, or choose another --out."
        raise ConfigError(f"'{arguments.out}' holds a training already.", hint)
    torch.manual_seed(config.training.seed)
    network = _network(config, arguments.start_from)
    scenes = load_scenes(config, root, config.data.train)
    if all((scene.truth == VOID).all() for scene in scenes):
        raise ConfigError("The training images have no label at all.", "Check labels_are and the classes' colours.")
    trainer = Trainer(config.spec, network, scenes, config.training, arguments.out, arguments.device)
    if not (arguments.resume and trainer.resume()) and arguments.start_from is None:
        _start_encoder(config, root, network, trainer)
    validation = [_middle(scene) for scene in load_scenes(config, root, config.data.validate)]
    _train(config, trainer, validation, arguments)
    registry.save(arguments.out / MODEL, config.spec, trainer.result)
    print(f"The model is in {arguments.out / MODEL}; its curves are in {arguments.out / CURVES}.")
    return 0


def _check_usable(device: str) -> None:
    """Better now than after hours."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError("There is no CUDA device here.", "Use --device cpu.")
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("The curves are drawn with matplotlib, which is missing.", "pip install 'terrafine[train]'")


def _network(config: TrainingConfig, start_from: Optional[Path]) -> MarkedNetwork:
    """The network that the file describes, with random weights or those of a model of the same make."""
    if start_from is None:
        return registry.build(config.spec)
    spec, network = registry.load(start_from)
    for part in ("architecture", "encoder", "options", "bands", "encoding"):
        if getattr(spec, part) != getattr(config.spec, part):
            raise ConfigError(f"The model in '{start_from}' has another {part}.", "Start from one of the same make.")
    if len(spec.classes) != len(config.spec.classes):
        known, wanted = len(spec.classes), len(config.spec.classes)
        raise ConfigError(f"The model in '{start_from}' has {known} classes, not {wanted}.")
    return network


def _start_encoder(config: TrainingConfig, root: Path, network: MarkedNetwork, trainer: Trainer) -> None:
    """Load the pretrained encoder that the file names, and give its norms the statistics of the training images."""
    if config.encoder_weights is None:
        return
    encoder = next((module for module in network.modules() if isinstance(module, MobileNetV2)), None)
    path = root / config.encoder_weights
    if encoder is None or not path.is_file():
        raise ConfigError(
            f"encoder_weights = '{config.encoder_weights}' cannot be used.",
            f"It needs the encoder '{registry.OWN_ENCODER}' and the file '{path}'.",
        )
    pretrained.load_folded_mobilenet(encoder, path)
    unseen = range(trainer.options.steps, trainer.options.steps + UNFOLD_BATCHES)
    marks = encoder.bands - len(config.spec.bands)  # channels that early fusion adds, empty here
    images = (F.pad(trainer.batch(step).images, (0, 0, 0, 0, 0, marks)) for step in unseen)
    pretrained.unfold(encoder, (image.to(trainer.device) for image in images))
    trainer.averaged.module.load_state_dict(network.state_dict())


def _train(
    config: TrainingConfig, trainer: Trainer, validation: Sequence[Scene], arguments: argparse.Namespace
) -> None:
    options, counted = config.training, config.data.counted or len(config.spec.classes)
    bar = tqdm(total=options.steps, initial=trainer.step, unit="step")
    with bar, Log(arguments.out / LOG, trainer.step) as log:
        for step, values in trainer.run():
            bar.update()
            bar.set_postfix({name: f"{value:.3f}" for name, value in values.items()})
            if step % options.validate_every == 0 or step == options.steps:
                curve = validate(
                    config.spec, trainer.result, validation, VALIDATION_CLICKS, counted, arguments.device
                )
                values |= {f"miou_{clicks}_clicks": value for clicks, value in curve.items()}
                registry.save(arguments.out / MODEL, config.spec, trainer.result)
            log.write(step, values)
            if "miou_0_clicks" in values:
                draw_curves(arguments.out / LOG, arguments.out / CURVES)


def _middle(scene: Scene) -> Scene:
    """The middle of a validation scene, in one tile: sides are multiples of 32, as networks want them."""
    if min(scene.truth.shape) < 32:
        raise ConfigError(f"'{scene.name}' is smaller than 32 pixels at the model's GSD: too small for validation.")
    rows, cols = (min(VALIDATION_PX, side // 32 * 32) for side in scene.truth.shape)
    top, left = (scene.truth.shape[0] - rows) // 2, (scene.truth.shape[1] - cols) // 2
    inside = slice(top, top + rows), slice(left, left + cols)
    return Scene(scene.name, scene.image[(slice(None), *inside)], scene.truth[inside])


class Log:
    """log.csv, in long form: step, name, value. What a resumed training does again is forgotten first."""

    def __init__(self, path: Path, step: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [row for row in _rows(path) if row[0] <= step] if path.exists() else []
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["step", "name", "value"])
        self._writer.writerows((step, name, f"{value:.6g}") for step, name, value in kept)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, step: int, values: dict[str, float]) -> None:
        self._writer.writerows([step, name, f"{value:.6g}"] for name, value in values.items())
        self._file.flush()


def draw_curves(log: Path, picture: Path) -> None:
    """Losses, accuracies and validation mIoU against the step, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves: dict[str, list[tuple[int, float]]] = {}
    for step, name, value in _rows(log):
        curves.setdefault(name, []).append((step, value))
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4))
    for axis, prefix in zip(axes, ("loss", "accuracy", "miou")):
        for name in sorted(curves):
            if name.startswith(prefix):
                axis.plot(*zip(*_smoothed(curves[name])), label=name)
        axis.set(xlabel="step", ylabel=prefix)
        if axis.lines:
            axis.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)


def _rows(log: Path) -> Iterator[tuple[int, str, float]]:
    with log.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield int(row["step"]), row["name"], float(row["value"])


def _smoothed(points: list[tuple[int, float]]) -> list[tuple[float, float]]:
    """At most 200 points, each the mean of its neighbours."""
    size = max(1, len(points) // 200)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(p[0] for p in g) / len(g), sum(p[1] for p in g) / len(g)) for g in groups]
