"""terrafine evaluate: what clicks gain on rasters with truth."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from terrafine.models import registry
from terrafine.server.evaluation.annotator import POSITIONS, PROTOCOLS, Annotator
from terrafine.server.evaluation.evaluate import Curve, Step, annotate, summarise
from terrafine.server.evaluation.refinement import Refinement, load_subject
from terrafine.server.training.configuration import DataOptions
from terrafine.shared.errors import ConfigError
from terrafine.shared.spec import ModelSpec

HELP = """\
Measure what clicks gain: a simulated annotator, who knows the truth, drives the engine that QGIS drives.

examples:
  terrafine evaluate --model landcover-rgb --images dubai/images/tile3_* --labels dubai/labels
  terrafine evaluate --model runs/mine/model --images tiles/*.tif --labels labels --protocol disir --seeds 3

Labels have the image's name, up to the suffix. The mean IoU is pooled: one confusion matrix over all rasters.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="a model of the zoo, or a model folder")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="rasters to annotate")
    parser.add_argument("--labels", type=Path, required=True, help="folder of their labels")
    parser.add_argument("--labels-are", choices=("indices", "colours"), default="indices")
    parser.add_argument("--clicks", type=int, default=30, help="clicks a raster (default: 30)")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="ritm", help="which mistake is clicked")
    parser.add_argument("--position", choices=POSITIONS[1:], default="", help="where in it (default: as the protocol)")
    parser.add_argument("--by-class", action="store_true", help="draw the class first, then the mistake")
    parser.add_argument("--offset", type=float, default=0.0, metavar="PX", help="a click misses its place by so much")
    parser.add_argument(
        "--wrong-class", type=float, default=0.0, metavar="SHARE", help="so many clicks name a wrong class"
    )
    parser.add_argument("--seeds", type=int, default=1, help="repetitions; the deterministic ritm needs one")
    parser.add_argument("--counted", type=int, help="mean over the first so many classes (default: all)")
    parser.add_argument("--json", type=Path, help="write every figure there too")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")


def run(arguments: argparse.Namespace) -> int:
    predictor = registry.load_predictor(registry.find_or_open(arguments.model), arguments.device)
    spec = predictor.spec
    counted = arguments.counted or len(spec.classes)
    subjects = [_labels(path, arguments.labels) for path in sorted(arguments.images)]
    curves = []
    with tqdm(total=arguments.seeds * len(subjects) * (arguments.clicks + 1), unit="map") as bar:
        for seed in range(arguments.seeds):
            runs = []
            for image, labels in subjects:
                subject = load_subject(image, labels, spec, DataOptions(labels_are=arguments.labels_are))
                runs.append(_run(Refinement(subject, predictor), subject.name, arguments, seed, bar))
            curves.append(summarise(runs, counted))
    print(report(curves, spec, [image.stem for image, _ in subjects], arguments.protocol))
    if arguments.json:
        arguments.json.write_text(json.dumps([_plain(curve) for curve in curves], indent=1) + "\n", "utf-8")
    return 0


def _annotator(arguments: argparse.Namespace) -> Annotator:
    return Annotator(
        arguments.protocol, arguments.position, arguments.by_class, arguments.offset, arguments.wrong_class
    )


def _labels(image: Path, folder: Path) -> tuple[Path, Path]:
    found = sorted(folder.glob(f"{image.stem}.*")) + sorted(folder.glob(f"{image.stem}_labels.*"))
    if not found:
        raise ConfigError(f"'{image}' has no labels in '{folder}'.", "Labels have the same name, up to the suffix.")
    return image, found[0]


def _run(refinement: Refinement, name: str, arguments: argparse.Namespace, seed: int, bar: tqdm) -> list[Step]:
    steps = []
    rng = np.random.default_rng((seed, len(name), refinement.truth.size))
    for step in annotate(refinement, arguments.clicks, _annotator(arguments), rng):
        steps.append(step)
        bar.update()
    refinement.close()
    return steps


def report(curves: Sequence[Curve], spec: ModelSpec, names: Sequence[str], protocol: str) -> str:
    """The figures as Markdown: the curve, the classes, the rasters; mean ± spread over seeds."""
    head = f"{len(names)} rasters, {len(curves[0].miou) - 1} clicks each, protocol {protocol}, {len(curves)} seed(s)"
    parts = ([head], _by_clicks(curves), _by_class(curves, spec), _by_raster(curves, names), _gains(curves))
    return "\n\n".join("\n".join(part) for part in parts)


def _by_clicks(curves: Sequence[Curve]) -> list[str]:
    steps = len(curves[0].miou)
    stops = sorted({0, steps - 1, *(2**i for i in range(steps.bit_length()) if 2**i < steps), *range(10, steps, 10)})
    lines = ["| clicks | mIoU % | without marked pixels | accuracy % |", "|---|---|---|---|"]
    for stop in stops:
        values = (
            [c.miou[stop] for c in curves], [c.unmarked_miou[stop] for c in curves],
            [c.accuracy[:, stop].mean() for c in curves],
        )  # fmt: skip
        lines.append(f"| {stop} | " + " | ".join(_percent(v) for v in values) + " |")
    return lines


def _by_class(curves: Sequence[Curve], spec: ModelSpec) -> list[str]:
    lines = ["| class | IoU % before | after |", "|---|---|---|"]
    for entry in spec.classes:
        before, after = ([c.class_iou[stop, entry.id] for c in curves] for stop in (0, -1))
        lines.append(f"| {entry.name} | {_percent(before)} | {_percent(after)} |")
    return lines


def _by_raster(curves: Sequence[Curve], names: Sequence[str]) -> list[str]:
    lines = ["| raster | accuracy % before | after |", "|---|---|---|"]
    for index, name in enumerate(names):
        before, after = ([c.accuracy[index, stop] for c in curves] for stop in (0, -1))
        lines.append(f"| {name} | {_percent(before)} | {_percent(after)} |")
    return lines


def _gains(curves: Sequence[Curve]) -> list[str]:
    seconds = np.concatenate([c.seconds[:, 1:].ravel() for c in curves])
    return [
        f"gain: {100 * np.mean([c.miou[-1] - c.miou[0] for c in curves]):+.1f} points of mIoU, "
        f"{100 * np.mean([c.unmarked_miou[-1] - c.unmarked_miou[0] for c in curves]):+.1f} without the marked pixels",
        f"a click corrected {np.mean([c.corrected.mean() for c in curves]):.0f} pixels "
        f"and broke {np.mean([c.broken.mean() for c in curves]):.0f}",
        f"marked pixels obeyed: {'always' if all(c.obeyed for c in curves) else 'NOT always'}",
        f"seconds a click: p50 {np.percentile(seconds, 50):.2f}, p95 {np.percentile(seconds, 95):.2f}",
    ]


def _percent(values: Sequence[float]) -> str:
    mean = 100 * float(np.mean(values))
    if math.isnan(mean):
        return "–"
    return f"{mean:.1f}" if len(values) == 1 else f"{mean:.1f} ± {100 * float(np.std(values)):.1f}"


def _plain(curve: Curve) -> dict[str, object]:
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(curve).items()}
