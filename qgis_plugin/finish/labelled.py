"""Labelled samples, read from a layer, against the map that they were drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Iterable, Optional, Sequence

import numpy as np
from qgis.core import (
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsFeature,
    QgsProcessingFeatureSource,
)

from terrafine.qgis_plugin.finish.class_raster import ClassRaster
from terrafine.qgis_plugin.finish.olofsson import FEWEST
from terrafine.qgis_plugin.language import tr
from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window, contains
from terrafine.shared.spec import LandCover


@dataclass(frozen=True)
class Sample:
    """A sample that a person has labelled.

    x, y       pixel coordinates on the map
    map_class  what the map said when the sample was drawn: its stratum
    reference  what is really there
    """

    x: float
    y: float
    map_class: int
    reference: int

    @property
    def agrees(self) -> bool:
        return self.map_class == self.reference


def read_samples(
    source: QgsProcessingFeatureSource, map_field: str, reference_field: str, raster: ClassRaster
) -> tuple[list[Sample], int]:
    """The labelled samples, and how many are not labelled yet; raises TerrafineError for what is no sample."""
    crs, context = raster.source.file.crs, QgsCoordinateTransformContext()
    transform = QgsCoordinateTransform(source.sourceCrs(), crs, context)
    samples, unlabelled = [], 0
    for feature in source.getFeatures():
        reference = _class_id(feature, reference_field)
        if reference is None:
            unlabelled += 1
            continue
        x, y = _pixel(feature, transform, raster)
        map_class = _class_id(feature, map_field)
        if map_class is None:
            raise TerrafineError(
                tr("The sample {number} has nothing in '{field}'.").format(number=feature.id(), field=map_field),
                tr("Choose another field."),
            )
        samples.append(Sample(x, y, map_class, reference))
    return samples, unlabelled


def changed_since(samples: Iterable[Sample], raster: ClassRaster) -> int:
    """How many samples have another class on the map now than when they were drawn."""
    places = ((sample, Window(math.floor(sample.x), math.floor(sample.y), 1, 1)) for sample in samples)
    return sum(
        not contains(raster.placement.window, pixel) or int(raster.read(pixel)[0, 0]) != sample.map_class
        for sample, pixel in places
    )


def count_samples(samples: Sequence[Sample], classes: Sequence[int]) -> np.ndarray:
    """The error matrix int (k, k): map classes down, reference classes across."""
    place = {class_id: number for number, class_id in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), int)
    for sample in samples:
        counts[place[sample.map_class], place[sample.reference]] += 1
    return counts


def check_enough(counts: np.ndarray, weights: np.ndarray, classes: Sequence[LandCover]) -> None:
    """Raise TerrafineError that names the classes of the map with too few labelled samples."""
    few = [item.name for item, row, weight in zip(classes, counts, weights) if weight > 0 and row.sum() < FEWEST]
    if few:
        raise TerrafineError(
            tr("There are fewer than {fewest} labelled samples where the map says: {classes}.").format(
                fewest=FEWEST, classes=", ".join(few)
            ),
            tr("Label more samples of these classes; or merge classes, or assess a part of the map without them."),
        )


def _class_id(feature: QgsFeature, field: str) -> Optional[int]:
    """The class id in a field; None where it is empty."""
    value = feature[field]
    try:
        return None if value is None or str(value) in ("NULL", "") else int(value)
    except (TypeError, ValueError) as error:
        raise TerrafineError(
            tr("'{value}' in the field '{field}' is no class id.").format(value=value, field=field),
            tr("Choose a field of numbers."),
        ) from error


def _pixel(feature: QgsFeature, transform: QgsCoordinateTransform, raster: ClassRaster) -> tuple[float, float]:
    if feature.geometry().isNull():
        raise TerrafineError(
            tr("The sample {number} has no place.").format(number=feature.id()),
            tr("Use the layer of samples as it was made."),
        )
    try:
        point = transform.transform(feature.geometry().asPoint())
        return raster.placement.to_pixel(point.x(), point.y())
    except (QgsCsException, ValueError, TypeError) as error:
        raise TerrafineError(
            tr("The sample {number} does not lie on the map: {why}.").format(number=feature.id(), why=error),
            tr("Check its CRS."),
        ) from error
