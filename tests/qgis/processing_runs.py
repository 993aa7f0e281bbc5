"""Running Terrafine's algorithms as QGIS's toolbox does, on small maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np
from osgeo import gdal
from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingFeedback, QgsProject, QgsRasterLayer

from terrafine.tests.qgis import scenes

NAMES = ("water", "land", "building")
COLORS = ((68, 119, 170), (204, 187, 68), (238, 102, 119))


def run(
    name: str, feedback: Optional[QgsProcessingFeedback] = None, **parameters: Any
) -> tuple[dict[str, Any], QgsProcessingContext]:
    """Run an algorithm; returns its results and the context that holds its layers."""
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"terrafine:{name}")
    ok, why = algorithm.checkParameterValues(parameters, context)
    assert ok, why
    results, done = algorithm.run(parameters, context, feedback or QgsProcessingFeedback(), catchExceptions=False)
    assert done
    return results, context


def run_for_layer(name: str, **parameters: Any):
    results, context = run(name, OUTPUT="memory:", **parameters)
    return context.takeResultLayer(results["OUTPUT"])


def run_for_raster(name: str, target: Path, **parameters: Any) -> gdal.Dataset:
    results, _ = run(name, OUTPUT=str(target), **parameters)
    assert results["OUTPUT"] == str(target)
    return gdal.Open(str(target))


def class_map(path: Path, classes: np.ndarray, transform=scenes.NORTH_UP, epsg: int = 32640) -> QgsRasterLayer:
    """A paletted map with names, 255 is no data."""
    dataset = scenes.create(path, (1, *classes.shape), "uint8", transform, epsg)
    band, table = dataset.GetRasterBand(1), gdal.ColorTable()
    for class_id, color in enumerate(COLORS):
        table.SetColorEntry(class_id, (*color, 255))
    band.SetColorTable(table)
    band.SetCategoryNames(list(NAMES))
    band.SetNoDataValue(255)  # before the pixels: GDAL does not write blocks of zeros, and would read them as no data
    band.WriteArray(classes.astype(np.uint8))
    del band, dataset
    return QgsRasterLayer(str(path), "a map", "gdal")


def blobs(size: int = 60) -> np.ndarray:
    """Regions of three classes with wavy borders, and a corner without data."""
    y, x = np.mgrid[:size, :size]
    classes = (np.sin(x / 7) + np.cos(y / 9) + np.sin((x + y) / 11) > 0.4).astype(np.uint8)
    classes[(x - 40) ** 2 + (y - 20) ** 2 < 60] = 2
    classes[:8, :5] = 255
    return classes


def rows_of(layer) -> list[dict[str, Any]]:
    names = layer.fields().names()
    return [dict(zip(names, row.attributes())) for row in layer.getFeatures()]
