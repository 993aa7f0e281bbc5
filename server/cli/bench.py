"""terrafine bench: times and memory, as a table and as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from terrafine.models import registry
from terrafine.server import machine
from terrafine.server.bench import clicks, clients, faults, learning, raster, tables, throughput, upload
from terrafine.server.zoo import known_folders
from terrafine.shared.spec import DETAILS, PLAIN

HELP = """\
Measure on this machine what docs/benchmarks.md reports. Nothing else should run meanwhile.

examples:
  terrafine bench click                     60 marks, every third a stroke, on a drawn 2048² raster, through a
                                            server of its own that encrypts; cold and warm, by stage
  terrafine bench click --size 4096 --clicks 200 --json clicks.json
  terrafine bench clients --count 1 2 4 10  so many clients at once: clicks, learning and whole rasters
  terrafine bench faults                    an engine killed at each stage, a server, a connection: time to recover
  terrafine bench throughput                the engine on a whole raster beside the network alone, and the floor
  terrafine bench raster                    time and peak memory of `terrafine predict` on 20000² pixels
  terrafine bench raster --size 50000 --folder DIR     the same on 2.5 Gpx; the folder needs 3 GB
  terrafine bench raster --at-server        likewise, through a server that reads the file where it lies
  terrafine bench raster --detail fast      likewise, of a map of more detail
  terrafine bench upload                    a cold map of a whole raster: its pixels sent before, and meanwhile
  terrafine bench learning                  clicks, learning and uncertainty beside a ResNet-34 LinkNet's plain pass
  terrafine bench cluster                   a Ray cluster on this machine: what a second worker adds, what Ray takes
  terrafine bench mixed                     clicks at such a cluster, alone and while it makes others' whole maps

`click` also compares the refreshed map with the map from scratch, and looks for changes where none may be.
"""
DEFAULT_SIZE = {
    "click": 2048,
    "clients": 1536,
    "faults": 1024,
    "throughput": 2048,
    "raster": 20000,
    "upload": 3072,
    "cluster": 2048,
    "mixed": 1536,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", choices=tuple(MEASURED))
    parser.add_argument("--model", default="landcover-rgb", metavar="NAME")
    parser.add_argument("--models", type=Path, metavar="DIR", help="more model folders")
    parser.add_argument("--device", default="", metavar="NAME", help="cpu, cuda or cuda:N (default: cuda if there)")
    parser.add_argument("--size", type=int, metavar="PX", help="side of the raster (default: 1024 to 20000, by target)")
    parser.add_argument("--clicks", type=int, default=60, metavar="N")
    parser.add_argument("--count", type=int, nargs="+", default=[1, 2, 4, 10], metavar="N", help="of clients at once")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="of each number of clients")
    parser.add_argument("--target-s", type=float, default=0.5, metavar="S", help="that p95 of a click should reach")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="of learning, throughput and upload")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detail", choices=DETAILS, default=PLAIN, help="of raster: how finely the map is drawn")
    parser.add_argument("--at-server", action="store_true", help="of raster: by a server that sees the file")
    parser.add_argument("--folder", type=Path, help="keep the rasters there (default: a temporary folder)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")


def run(arguments: argparse.Namespace) -> int:
    arguments.size = arguments.size or DEFAULT_SIZE.get(arguments.target, 0)
    with tempfile.TemporaryDirectory(prefix="terrafine-bench-", ignore_cleanup_errors=True) as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures, table = MEASURED[arguments.target](arguments, folder)
    print(machine.described(), table, sep="\n\n")
    if arguments.json:
        plain = (
            [dataclasses.asdict(one) for one in figures] if isinstance(figures, list) else dataclasses.asdict(figures)
        )
        arguments.json.write_text(json.dumps(plain, indent=1) + "\n", "utf-8")
    return 0


def _click(arguments: argparse.Namespace, folder: Path) -> tuple[Any, str]:
    figures = clicks.measure_clicks(
        folder, arguments.model, arguments.models, arguments.size, arguments.clicks, arguments.seed, arguments.device
    )
    return figures, tables.click_table(figures)


def _clients(arguments: argparse.Namespace, folder: Path) -> tuple[Any, str]:
    figures = clients.measure_clients(
        folder, arguments.model, arguments.models, arguments.count, arguments.seconds, arguments.size,
        arguments.device, arguments.seed,
    )  # fmt: skip
    return figures, tables.clients_table(figures, arguments.target_s)


def _faults(arguments: argparse.Namespace, folder: Path) -> tuple[Any, str]:
    figures = faults.measure_faults(
        folder, arguments.model, arguments.models, arguments.size, arguments.device, arguments.seed
    )
    return figures, tables.faults_table(figures)


def _throughput(arguments: argparse.Namespace, _folder: Path) -> tuple[Any, str]:
    figures = throughput.measure_throughput(_model(arguments), arguments.device, arguments.size, arguments.rounds)
    return figures, tables.throughput_table(figures)


def _raster(arguments: argparse.Namespace, folder: Path) -> tuple[Any, str]:
    figures = raster.measure_raster(
        folder, arguments.model, arguments.models, arguments.size, arguments.device, arguments.detail,
        arguments.at_server,
    )  # fmt: skip
    return figures, tables.raster_table(figures)


def _upload(arguments: argparse.Namespace, folder: Path) -> tuple[Any, str]:
    figures = upload.measure_upload(
        folder, arguments.model, arguments.models, arguments.size, arguments.device, arguments.rounds
    )
    return figures, tables.upload_table(figures)


def _learning(arguments: argparse.Namespace, _folder: Path) -> tuple[Any, str]:
    figures = learning.measure(_model(arguments), arguments.rounds, arguments.device)
    return figures, tables.learning_table(figures)


def _cluster(arguments: argparse.Namespace, folder: Path) -> tuple[Any, str]:
    from terrafine.server.bench import cluster  # which needs Ray

    models = [arguments.models] if arguments.models else []
    figures = cluster.measure_cluster(folder, _model(arguments), models, arguments.size)
    return figures, cluster.table(figures)


def _mixed(arguments: argparse.Namespace, folder: Path) -> tuple[Any, str]:
    from terrafine.server.bench import mixed  # which needs Ray

    figures = mixed.measure_mixed(
        folder, arguments.model, arguments.models, arguments.size, arguments.clicks, arguments.seed
    )
    return figures, mixed.table(figures)


def _model(arguments: argparse.Namespace) -> Path:
    return registry.find(arguments.model, known_folders([arguments.models] if arguments.models else []))


MEASURED: dict[str, Callable[[argparse.Namespace, Path], tuple[Any, str]]] = {
    "click": _click, "clients": _clients, "faults": _faults, "throughput": _throughput, "raster": _raster,
    "upload": _upload, "learning": _learning, "cluster": _cluster, "mixed": _mixed,
}  # fmt: skip
