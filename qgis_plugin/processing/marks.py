"""The marks that an algorithm is given: those that cannot be used are an error that names them."""

from __future__ import annotations

from typing import Iterable, Iterator, Sequence

from qgis.core import QgsFeature

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.marks.features import NO_CLASS, OTHER_CLASS, FeatureMarks
from terrafine.qgis_plugin.marks.shapes import Unusable
from terrafine.qgis_plugin.names import shown
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import ConfigError
from terrafine.shared.spec import LandCover


def marks_of(
    features: Iterable[QgsFeature], field: str, maker: FeatureMarks, classes: Sequence[LandCover]
) -> Iterator[Annotation]:
    """The marks of features; those without a class, or outside the raster, are left out.

    Raises ConfigError for a class that is not among `classes`, and for shapes that cannot be marks.
    """
    for feature in features:
        try:
            yield from maker.of(feature)
        except Unusable as error:
            if error.reason not in (NO_CLASS, "outside"):
                raise _refused(feature, field, classes, error) from error


def _refused(feature: QgsFeature, field: str, classes: Sequence[LandCover], error: Unusable) -> ConfigError:
    if error.reason == OTHER_CLASS:
        names = ", ".join(f"{item.id} {shown(item.name)}" for item in classes)
        return ConfigError(
            tr("'{value}' is no class of the model.").format(value=feature[field]),
            tr("Its classes are: {names}.").format(names=names),
        )
    reasons = {"empty": tr("it is empty"), "crossed": tr("its outline crosses itself")}
    return ConfigError(
        tr("The mark {number} cannot be used: {reason}.").format(number=feature.id(), reason=reasons[error.reason]),
        tr("Repair it with 'Fix geometries'."),
    )
