"""terrafine demo: the main job, from a raster to a refined map, with a simulated analyst."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HELP = """Classify a raster through a real server, let a simulated analyst mark mistakes, refine after each, and write
before.tif, after.tif, demo.png, summary.md and summary.json into a folder.

Without RASTER it takes dubai/tile3.tif under $TERRAFINE_DATA (or ../shared/data beside the checkout), and where that is
missing it draws a scene, and says so. The truth of NAME.tif is NAME_labels.tif beside it; without one the analyst
follows a script, and no accuracy is reported. Of a raster larger than 2048 pixels a side the middle is taken.

examples:
  terrafine demo
  terrafine demo my.tif --marks 20 --out my_demo
  terrafine demo --models my_models/ --model my-model
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("raster", type=Path, nargs="?", metavar="RASTER", help="a raster file (default: see above)")
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="where to write (default: demo)")
    parser.add_argument("--marks", type=_positive, default=40, metavar="N", help="how many marks (default: 40)")
    parser.add_argument("--model", default="", metavar="NAME", help="which model (default: the server's first)")
    parser.add_argument("--models", type=Path, metavar="DIR", help="more model folders for the server")
    parser.add_argument("--show", action="store_true", help="open QGIS on the result, if there is a display")


def run(arguments: argparse.Namespace) -> int:
    from terrafine.server.demo import job, report, source

    arguments.out.mkdir(parents=True, exist_ok=True)
    found = source.find(arguments.raster, arguments.out)
    print(f"{found.raster.name}: {found.origin}")
    summary = job.run(found, arguments.out, arguments.marks, arguments.model, arguments.models)
    print(report.to_markdown(summary))
    print(f"Open {arguments.out / 'demo.png'} to see it, or load before.tif and after.tif into QGIS.")
    if arguments.show:
        _show_in_qgis([found.raster, arguments.out / "before.tif", arguments.out / "after.tif"])
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _show_in_qgis(layers: list[Path]) -> None:
    """Start QGIS and do not wait for it; nothing happens where it could not open a window."""
    qgis = shutil.which("qgis")
    has_display = sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if qgis and has_display:
        subprocess.Popen([qgis, "--nologo", *map(str, layers)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
