"""Take the pictures of the user guide: its three jobs, done on real imagery in the real QGIS with the plugin's zip.

    python tools/pictures/screenshots.py [JOB ...]

Run with the server's Python; needs QGIS and xvfb-run, and the imagery: dubai/tile3.tif, dubai/tile3_labels.tif and
banepa/banepa_west.tif under $TERRAFINE_DATA or ../shared/data. JOB is refine, deliver (which goes on where refine
ended) or adapt. The picture of `terrafine demo --out build/demo` is taken along.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from terrafine.tests.package import qgis_program
from terrafine.tests.package.places import banepa, dubai

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/user-guide"
README_PICTURE, OVERVIEW = ROOT / "docs/images/qgis.png", "refine-marked"
DEMO, DEMO_PICTURE = ROOT / "build/demo/demo.png", ROOT / "docs/images/demo.png"
IMAGERY = ("dubai/tile3.tif", "dubai/tile3_labels.tif", "banepa/banepa_west.tif")
PLACES = {"refine": dubai, "deliver": dubai, "adapt": banepa}
LIMIT_S = 1800
WIDEST_PX, COLORS = 900, 128


def main() -> int:
    data = Path(os.environ.get("TERRAFINE_DATA", ROOT.parent / "shared/data"))
    jobs = sys.argv[1:] or list(PLACES)
    lacking = [name for name in IMAGERY if not (data / name).is_file()] + qgis_program.missing()
    if lacking:
        sys.stderr.write(f"There is no {', no '.join(lacking)}. Imagery is looked for in '{data}'.\n")
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        pictures = Path(scratch) / "pictures"
        order = qgis_program.Order([(name, PLACES[name](_copy(data, Path(scratch)))) for name in jobs], pictures)
        went = qgis_program.run(order, Path(scratch), sys.executable, LIMIT_S)
        _keep(pictures)
    if DEMO.is_file():
        _save(DEMO, DEMO_PICTURE)
    sys.stderr.write(went["error"])
    return 1 if went["error"] else 0


def _copy(data: Path, scratch: Path) -> Path:
    """The imagery, in a folder where projects can be saved beside it."""
    for name in IMAGERY:
        target = scratch / "imagery" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / name, target)
    return scratch / "imagery"


def _keep(pictures: Path) -> None:
    """Keep the pictures that the guide and the README show, made small."""
    (GUIDE / "images").mkdir(exist_ok=True)
    for taken in pictures.glob("*.png"):
        if taken.stem in _shown():
            _save(taken, GUIDE / "images" / taken.name)
        if taken.stem == OVERVIEW:
            _save(taken, README_PICTURE)


def _shown() -> set[str]:
    pages = "".join(page.read_text("utf-8") for page in GUIDE.glob("*.md"))
    return set(re.findall(r"\(images/([\w-]+)\.png\)", pages))


def _save(taken: Path, target: Path) -> None:
    image = Image.open(taken).convert("RGB")
    if image.width > WIDEST_PX:
        image = image.resize((WIDEST_PX, round(image.height * WIDEST_PX / image.width)), Image.Resampling.LANCZOS)
    image.quantize(COLORS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
