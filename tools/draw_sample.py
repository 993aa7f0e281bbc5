"""Draw the image that newcomers try Terrafine on: `python tools/draw_sample.py` writes qgis_plugin/sample/coast.tif.

It is the made-up coast of `terrafine demo`, so that it belongs to nobody; small enough for the plugin's zip.
"""

from __future__ import annotations

from pathlib import Path

import rasterio
from rasterio.transform import from_origin

from terrafine.server.demo.scene import GSD_M, draw
from terrafine.server.demo.source import NOWHERE

SIZE_PX = 1024
TARGET = Path(__file__).resolve().parent.parent / "qgis_plugin/sample/coast.tif"
PLACE = from_origin(500_000, 0, GSD_M, GSD_M)
JPEG = {"compress": "jpeg", "photometric": "ycbcr", "jpeg_quality": 80, "tiled": True}


def main() -> None:
    image = draw(SIZE_PX).image
    shape = {"count": 3, "height": SIZE_PX, "width": SIZE_PX, "dtype": "uint8"}
    TARGET.parent.mkdir(exist_ok=True)
    with rasterio.open(TARGET, "w", driver="GTiff", crs=NOWHERE, transform=PLACE, **shape, **JPEG) as out:
        out.write(image)


if __name__ == "__main__":
    main()
