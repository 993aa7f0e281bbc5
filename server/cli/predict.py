"""terrafine predict: classify a raster file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Optional

from terrafine.server.cli import opening
from terrafine.server.cli.mapping import in_making, made_of
from terrafine.server.logs import LogStyle
from terrafine.shared.errors import ConfigError
from terrafine.shared.spec import DETAILS, PLAIN

HELP = f"""Classify a raster file into a GeoTIFF of classes: tiled, compressed, with colours, names and overviews.

The map lies exactly where the raster does; pixels without data are 255. After an error or Ctrl-C there is no map;
what was finished is in OUT.tif.part, and the same command goes on from there. Of a folder each raster gets a map of its
name in another folder; those that the same command has made are not made again.

{opening.MARKS_HELP}

examples:
  terrafine predict image.tif map.tif --model landcover-rgb
  terrafine predict sentinel.tif map.tif --model landcover-rgb --bands 4,3,2
  terrafine predict scan.jpg map.tif --model landcover-rgb --gsd 0.3
  terrafine predict image.tif map.tif --model landcover-rgb --marks corrections.gpkg
  terrafine predict image.tif map.tif --model my-model --side photographs.gpkg --fields height,shade
  terrafine predict image.tif map.tif --model landcover-rgb --uncertainty entropy doubt.tif
  terrafine predict image.tif map.tif --model landcover-rgb --detail fine
  terrafine predict image.tif map.tif --model landcover-rgb --server tcp://gpu:5590 --server-key server.pub \\
      --key alice.key
  terrafine predict images/ maps/ --model landcover-rgb
  terrafine predict images/ maps/ --model landcover-rgb --ray auto   (on a Ray cluster: docs/cluster.md)

terrafine models lists the names of the models there are; --json says which uncertainties each has, and whether it can
make a map of more detail: "fine" looks at the image again, twice as close, which takes several times as long; "fast"
does so only where the plain map is least sure (docs/methods/magnet.md).
"""
SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".img", ".png", ".jpg", ".jpeg")  # of a folder's rasters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("raster", type=Path, metavar="RASTER", help="any raster file that GDAL can read, or a folder")
    parser.add_argument("map", type=Path, metavar="OUT.tif", help="the map, replaced if it is there, or a folder")
    opening.add_arguments(parser)
    parser.add_argument("--marks", type=Path, metavar="FILE", help="marks that the map obeys")
    parser.add_argument("--side", type=Path, metavar="FILE", help="points whose numbers the model is told")
    parser.add_argument(
        "--fields", metavar="A,B", help="attributes of the points, one a number that the model takes (default: its own)"
    )
    parser.add_argument("--detail", choices=DETAILS, default=PLAIN, help="how finely the map is drawn (default: plain)")
    parser.add_argument(
        "--uncertainty",
        nargs=2,
        default=("", None),
        metavar=("METHOD", "OUT.tif"),
        help="also write how unsure the model is, 0 to 254: entropy, margin, odin, …",
    )
    parser.add_argument("--server", metavar="ADDRESS", help="let a Terrafine server do the work: tcp://HOST:PORT")
    parser.add_argument("--server-key", type=Path, metavar="FILE", help="the public key of a server that encrypts")
    parser.add_argument("--key", type=Path, metavar="FILE", help="your own secret key, for such a server")
    opening.add_ray(parser)
    parser.set_defaults(made_of="")


def run(arguments: argparse.Namespace) -> int:
    each = _each(arguments)
    for one in each:
        doubt = one.uncertainty[1] and Path(one.uncertainty[1])
        _refuse_overwriting(one.raster, one.marks, one.side, one.map, doubt)
    if arguments.ray and arguments.server:
        raise ConfigError("A map is made by a server or by a cluster, not by both.", "Leave out --server or --ray.")
    wanted = [one for one in each if not _is_made(one)]
    if arguments.ray:
        _make_on_cluster(arguments, wanted)
        return 0
    for one in wanted:
        _make(one)
    return 0


def _make(arguments: argparse.Namespace) -> None:
    if arguments.server:
        from terrafine.server.cli.remote import make_at_server

        make_at_server(arguments)
    else:
        with in_making(arguments) as made:
            made.make()


def _each(arguments: argparse.Namespace) -> list[argparse.Namespace]:
    """The arguments for each raster of a folder; for a single raster, the arguments as they are."""
    if not arguments.raster.is_dir():
        return [arguments]
    rasters = sorted(file for file in arguments.raster.iterdir() if file.suffix.lower() in SUFFIXES)
    if not rasters:
        raise ConfigError(
            f"There is no raster in '{arguments.raster}'.", f"Their names end with {', '.join(SUFFIXES)}."
        )
    if len({file.stem for file in rasters}) != len(rasters):
        raise ConfigError(f"Two rasters in '{arguments.raster}' would have a map of the same name.")
    for folder in filter(None, (arguments.map, arguments.uncertainty[1])):
        Path(folder).mkdir(exist_ok=True)
    return [_of_sheet(arguments, raster) for raster in rasters]


def _of_sheet(arguments: argparse.Namespace, raster: Path) -> argparse.Namespace:
    """What is to be made of one of a folder's rasters."""
    method, doubts = arguments.uncertainty
    one = argparse.Namespace(**vars(arguments))
    one.raster, one.map = raster, arguments.map / f"{raster.stem}.tif"
    one.uncertainty = method, doubts and Path(doubts) / one.map.name
    one.made_of = made_of(one)
    return one


def _is_made(arguments: argparse.Namespace) -> bool:
    """Has an earlier run of the same command made this raster's map?"""
    from terrafine.server.rasters import map_writer

    return bool(arguments.made_of) and map_writer.made_of(arguments.map) == arguments.made_of


def _make_on_cluster(arguments: argparse.Namespace, wanted: list[argparse.Namespace]) -> None:
    from terrafine.server.cluster import fleet, link
    from terrafine.server.cluster.making import make
    from terrafine.server.process.child import EngineOptions

    options = EngineOptions(device=arguments.device, threads=arguments.threads, log=LogStyle(arguments.verbose))
    with link.linked(arguments.ray):
        engines = fleet.found() or fleet.started(options, share=arguments.ray_share)
        for _ in opening.with_progress(make(engines, map(in_making, wanted)), "classify", "block"):
            pass


def _refuse_overwriting(*files: Optional[Path]) -> None:
    """The raster is read while the map is written, and nobody wants to lose it."""
    paths = [path.resolve() for path in files if path is not None]
    if len(set(paths)) != len(paths):
        raise ConfigError("What is read and what is written must be different files.")
