"""From a point layer's features to side information on a raster."""

from __future__ import annotations

import math
from typing import Callable, Iterator, Optional, Sequence

import numpy as np
from qgis.core import QgsFeature, QgsFeatureRequest, QgsFeatureSource, QgsPointXY

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.rasters.placement import Locator
from terrafine.shared.errors import BadRequest
from terrafine.shared.geo import Window
from terrafine.shared.side import MOST_POINTS, SideInformation

Row = tuple[tuple[float, float], list[float]]


def read_points(layer: QgsFeatureSource, fields: Sequence[str], locator: Locator, raster: Window) -> SideInformation:
    """The points of `layer` that lie on the raster, with the numbers in `fields`, in that order.

    `locator` leads from the layer's CRS to pixels. A point without one of the numbers is left out. Raises BadRequest
    where no point is left, or there are too many.
    """
    rows = list(_rows(layer, fields, locator.pixel, raster))
    if not rows:
        raise BadRequest(
            tr("No point of '{name}' says anything about the image.").format(name=layer.sourceName()),
            tr("Choose another layer, or other fields: points lie on the image, and their fields hold numbers."),
        )
    if len(rows) > MOST_POINTS:
        words = tr("'{name}' has {count} points on the image; {most} are allowed.")
        said = words.format(name=layer.sourceName(), count=len(rows), most=MOST_POINTS)
        raise BadRequest(said, tr("Filter the layer."))
    points, values = zip(*rows)
    return SideInformation(np.array(points, np.float32), np.array(values, np.float32))


def _rows(
    layer: QgsFeatureSource,
    fields: Sequence[str],
    pixel: Callable[[QgsPointXY], tuple[float, float]],
    raster: Window,
) -> Iterator[Row]:
    request = QgsFeatureRequest().setSubsetOfAttributes(list(fields), layer.fields())
    for feature in layer.getFeatures(request):
        numbers = _numbers(feature, fields)
        if numbers is None or not feature.hasGeometry():
            continue
        for vertex in feature.geometry().vertices():
            try:
                x, y = pixel(QgsPointXY(vertex.x(), vertex.y()))
            except ValueError:  # the point has no place in the raster
                continue
            if 0 <= x < raster.width and 0 <= y < raster.height:
                yield (x, y), numbers


def _numbers(feature: QgsFeature, fields: Sequence[str]) -> Optional[list[float]]:
    """None where one is missing or none."""
    try:
        numbers = [float(feature.attribute(name)) for name in fields]
    except (TypeError, ValueError):  # NULL, or words
        return None
    return numbers if all(math.isfinite(number) for number in numbers) else None
