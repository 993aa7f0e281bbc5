"""Locked regions as pixels: what a refinement may not touch."""

from __future__ import annotations

from typing import Iterable, Optional

import numpy as np
from osgeo import gdal, ogr

from terrafine.shared.annotation import Annotation, bounds
from terrafine.shared.geo import Window, intersects


def locked(regions: Iterable[Annotation], window: Window) -> Optional[np.ndarray]:
    """Which pixels of a window have their centre in a region: bool (rows, columns), None where no region is near."""
    near = [region for region in regions if intersects(bounds(region), window)]
    if not near:
        return None
    shapes = _in_memory().CreateDataSource("regions")
    layer = shapes.CreateLayer("regions", None, ogr.wkbPolygon)
    for region in near:
        feature = ogr.Feature(layer.GetLayerDefn())
        feature.SetGeometry(_polygon(region))
        layer.CreateFeature(feature)
    mask = gdal.GetDriverByName("MEM").Create("", window.width, window.height, 1, gdal.GDT_Byte)
    mask.SetGeoTransform((window.col, 1.0, 0.0, window.row, 0.0, 1.0))
    gdal.RasterizeLayer(mask, [1], layer, burn_values=[1])
    return mask.ReadAsArray().astype(bool)


def _polygon(region: Annotation) -> ogr.Geometry:
    ring = ogr.Geometry(ogr.wkbLinearRing)
    for x, y in (*region.vertices, region.vertices[0]):
        ring.AddPoint_2D(x, y)
    polygon = ogr.Geometry(ogr.wkbPolygon)
    polygon.AddGeometry(ring)
    return polygon


def _in_memory() -> ogr.Driver:
    """GDAL's driver for vectors in memory, which GDAL 3.11 has renamed."""
    return ogr.GetDriverByName("Memory") or ogr.GetDriverByName("MEM")
