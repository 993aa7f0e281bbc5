"""terrafine bench: times and memory, as a table and as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import tempfile
from pathlib import Path

import numpy as np
import torch

from terrafine.models import registry
from terrafine.server.bench import clicks as bench
from terrafine.server.bench import learning as bench_learning
from terrafine.server.bench.clicks import ClickFigures, RasterFigures
from terrafine.server.bench.learning import REFERENCE, LearningFigures
from terrafine.shared.spec import DETAILS, PLAIN

HELP = """\
Measure on this machine what docs/benchmarks.md reports. Nothing else should run meanwhile.

examples:
  terrafine bench click                     60 marks, every third a stroke, on a drawn 2048² raster, through a
                                            server of its own
  terrafine bench click --size 4096 --clicks 200 --json clicks.json
  terrafine bench raster                    time and peak memory of `terrafine predict` on 20000² pixels
  terrafine bench raster --detail fast      likewise, of a map of more detail
  terrafine bench learning                  clicks, learning and uncertainty beside a ResNet-34 LinkNet's plain pass

`click` also compares the refreshed map with the map from scratch, and looks for changes where none may be.
"""
TARGETS = ("click", "raster", "learning")
DEFAULT_SIZE = {"click": 2048, "raster": 20000}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--model", default="landcover-rgb", metavar="NAME")
    parser.add_argument("--models", type=Path, metavar="DIR", help="more model folders")
    parser.add_argument("--size", type=int, metavar="PX", help="side of the raster (default: 2048, or 20000)")
    parser.add_argument("--clicks", type=int, default=60, metavar="N")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="of learning: each item so often")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detail", choices=DETAILS, default=PLAIN, help="of raster: how finely the map is drawn")
    parser.add_argument("--folder", type=Path, help="keep the rasters there (default: a temporary folder)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")


def run(arguments: argparse.Namespace) -> int:
    size = arguments.size or DEFAULT_SIZE.get(arguments.target, 0)
    with tempfile.TemporaryDirectory(prefix="terrafine-bench-", ignore_cleanup_errors=True) as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures: ClickFigures | RasterFigures | LearningFigures
        if arguments.target == "click":
            figures = bench.measure_clicks(
                folder, arguments.model, arguments.models, size, arguments.clicks, arguments.seed
            )
            print(machine(), click_table(figures), sep="\n\n")
        elif arguments.target == "learning":
            models = (arguments.models,) if arguments.models else ()
            figures = bench_learning.measure(registry.find(arguments.model, models), arguments.rounds)
            print(machine(), learning_table(figures), sep="\n\n")
        else:
            figures = bench.measure_raster(folder, arguments.model, arguments.models, size, arguments.detail)
            print(machine(), raster_table(figures), sep="\n\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(dataclasses.asdict(figures), indent=1) + "\n", "utf-8")
    return 0


def machine() -> str:
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"


def click_table(figures: ClickFigures) -> str:
    p50, p95, p99 = np.percentile(figures.clicks, (50, 95, 99))
    strokes = f"{np.median(figures.strokes):.2f} s" if figures.strokes else "–"
    total = figures.stages.get("total", 0.0) or float("nan")
    stages = [
        f"| {name} | {1000 * seconds:.0f} ms | {100 * seconds / total:.0f} % |"
        for name, seconds in figures.stages.items()
        if name != "total"
    ]
    return "\n".join(
        [
            f"| raster | {figures.size_px}² pixels |",
            "|---|---|",
            f"| first map, upload included | {figures.first_map:.1f} s |",
            f"| a click, p50 / p95 / p99 of {len(figures.clicks)} | {p50:.2f} / {p95:.2f} / {p99:.2f} s |",
            f"| of which strokes, p50 of {len(figures.strokes)} | {strokes} |",
            f"| bytes up a click, at most | {figures.bytes_up} |",
            f"| share of the raster that a click can change | {100 * figures.changed_share:.1f} % |",
            f"| pixels that changed elsewhere | {figures.outside} |",
            f"| pixels that differ from the map from scratch | {figures.differs} |",
            "",
            "| stage, at the server | median | share |",
            "|---|---|---|",
            *stages,
        ]
    )


def raster_table(figures: RasterFigures) -> str:
    layout = f"{'tiled' if figures.tiled else 'striped'}, {figures.compression}, overviews {list(figures.overviews)}"
    return "\n".join(
        [
            f"| raster | {figures.size_px}² pixels, RGB |",
            "|---|---|",
            f"| time | {figures.seconds:.0f} s |",
            f"| speed | {figures.size_px**2 / 1e6 / figures.seconds:.2f} Mpx/s |",
            f"| peak memory | {figures.peak_gb:.2f} GB |",
            f"| result | {layout}, {figures.output_mb:.1f} MB |",
        ]
    )


def learning_table(figures: LearningFigures) -> str:
    """Every item in plain passes; what is done to the large image beside the same without uncertainty, too."""
    plain = figures.seconds[REFERENCE]
    lines = [f"| median of {figures.rounds} | seconds | plain passes |", "|---|---|---|"]
    lines += [f"| {name} | {seconds:.3f} | {seconds / plain:.2f} |" for name, seconds in figures.seconds.items()]
    image, with_entropy = list(figures.seconds.values())[-2:]
    return "\n".join(
        [
            *lines,
            "",
            f"- the plain pass: LinkNet, ResNet-34, {bench_learning.TILE_PX}² tile, {bench_learning.CLASSES} classes",
            f"- entropy takes {with_entropy / image:.2f} times as long as the map alone",
            f"- memory for the {bench_learning.IMAGE_PX}² image: {figures.peak_gb:.2f} GB more than the idle process, "
            f"of which caches may hold {figures.budget_gb:.2f} GB",
        ]
    )
