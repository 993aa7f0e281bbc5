"""Run with the server's Python: reads rasters as the server does, `read_with_rasterio.py OUT RASTER…`, into OUT.

OUT gets for each raster N its values and mask, N.npz, and what was said of it, N.json; {"refused": code} if it was.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window, intersection
from terrafine.shared.spec import LandCover, ModelSpec, Normalisation

CLASSES = (LandCover(0, "a", "#000000"), LandCover(1, "b", "#ffffff"))
SCALE = Normalisation((0.5,) * 3, (0.5,) * 3)
SPEC = ModelSpec("m", "M", "linknet", "e", ("red", "green", "blue"), CLASSES, 1.0, SCALE)
BLOCK = 200


def middle(window: Window) -> Window:
    """The part that is compared."""
    col, row = max(0, window.width // 2 - BLOCK // 2), max(0, window.height // 2 - BLOCK // 2)
    return intersection(Window(col, row, BLOCK, BLOCK), window)


def describe(path: Path) -> tuple[dict, dict]:
    from terrafine.server.rasters.raster_io import (
        open_raster,  # QGIS's Python imports this module too, for what is above
    )

    try:
        with open_raster(path, SPEC) as raster:
            patch = raster.read(middle(raster.info.grid.window))
            return asdict(raster.info), {"array": patch.array, "valid": patch.valid}
    except TerrafineError as error:
        return {"refused": error.code}, {}


if __name__ == "__main__":
    for number, name in enumerate(sys.argv[2:]):
        info, arrays = describe(Path(name))
        target = Path(sys.argv[1]) / str(number)
        target.with_suffix(".json").write_text(json.dumps(info))
        np.savez(target.with_suffix(".npz"), **arrays)
