"""terrafine rank: where to look first."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrafine.server.cli import opening
from terrafine.shared.errors import ConfigError
from terrafine.shared.learning import ORDERS, RankedPatch, RankOptions

if TYPE_CHECKING:  # so that --help need not load torch
    from terrafine.server.engine.session import Session
    from terrafine.shared.geo import Grid, Window

HELP = f"""Rank the patches of a raster by how unsure the model is of them: where an analyst should look first.

Prints a table, and writes the patches as polygons, if asked to: GeoJSON in longitude and latitude, or in pixels
for a raster without a CRS.

{opening.MARKS_HELP}

examples:
  terrafine rank image.tif --model landcover-rgb
  terrafine rank image.tif --model landcover-rgb --size 256 --limit 20 --out patches.geojson
  terrafine rank image.tif --model landcover-rgb --marks marks.gpkg --method margin
"""
FEW_FEATURES_BYTES = 128 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("raster", type=Path, metavar="RASTER", help="any raster file that GDAL can read")
    opening.add_arguments(parser)
    defaults = RankOptions()
    parser.add_argument("--marks", type=Path, metavar="FILE", help="marks that the map obeys")
    parser.add_argument("--out", type=Path, metavar="OUT.geojson", help="write the patches; replaced if it is there")
    parser.add_argument("--order", choices=ORDERS, default=defaults.order, help="(default: %(default)s)")
    parser.add_argument("--method", default=defaults.method, help="of uncertainty (default: %(default)s)")
    parser.add_argument(
        "--size", type=int, default=defaults.size_px, metavar="PX", help="side of a patch (default: %(default)s)"
    )
    parser.add_argument(
        "--limit", type=int, default=defaults.limit, metavar="N", help="name so many (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=defaults.seed, metavar="N", help="of the random order")


def run(arguments: argparse.Namespace) -> int:
    from terrafine.server.engine.ranking import rank

    options = _options(arguments)
    with opening.opened(arguments, FEW_FEATURES_BYTES) as (session, _):
        items = rank(session, session.info.grid.window, options)
        (ranked,) = opening.with_progress(items, "rank", "patch")
        if arguments.out is not None:
            arguments.out.write_text(json.dumps(_collection(session, ranked.patches)), "utf-8")
    print(_table(ranked.patches))
    return 0


def _options(arguments: argparse.Namespace) -> RankOptions:
    try:
        return RankOptions(arguments.order, arguments.method, arguments.size, arguments.limit, arguments.seed)
    except ValueError as error:
        raise ConfigError(f"Patches cannot be ranked like this: {error}.") from error


def _table(patches: tuple[RankedPatch, ...]) -> str:
    rows = [f"{'rank':>5} {'score':>6} {'column':>7} {'row':>7} {'width':>6} {'height':>6}"]
    for rank, patch in enumerate(patches, 1):
        window = patch.window
        rows.append(
            f"{rank:>5} {patch.score:>6.3f} {window.col:>7} {window.row:>7} {window.width:>6} {window.height:>6}"
        )
    return "\n".join(rows)


def _collection(session: Session, patches: tuple[RankedPatch, ...]) -> dict[str, Any]:
    """A GeoJSON FeatureCollection (RFC 7946)."""
    features = [
        {
            "type": "Feature",
            "properties": {"rank": rank, "score": round(patch.score, 6)},
            "geometry": {"type": "Polygon", "coordinates": [_ring(session.info.grid, patch.window)]},
        }
        for rank, patch in enumerate(patches, 1)
    ]
    return {"type": "FeatureCollection", "features": features}


def _ring(grid: Grid, window: Window) -> list[tuple[float, float]]:
    """Its corners, the first once more at the end; in longitude and latitude where the raster has a CRS."""
    from rasterio.crs import CRS
    from rasterio.warp import transform

    from terrafine.shared.geo import pixel_to_map

    left, top, right, bottom = window.col, window.row, window.col_end, window.row_end
    corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
    placed = [pixel_to_map(grid.transform, *corner) for corner in corners]
    if not grid.crs_wkt:
        return placed
    return list(zip(*transform(CRS.from_wkt(grid.crs_wkt), CRS.from_epsg(4326), *zip(*placed))))
