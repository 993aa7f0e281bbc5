"""Fields and styles of the layers that algorithms make."""

from __future__ import annotations

from typing import Sequence

from qgis.core import QgsCategorizedSymbolRenderer, QgsField, QgsFields, QgsFillSymbol, QgsRendererCategory
from qgis.PyQt.QtCore import QVariant

from terrafine.shared.spec import LandCover

KINDS = {int: QVariant.Int, float: QVariant.Double, str: QVariant.String}


def fields(**kinds: type) -> QgsFields:
    """Fields by name: int, float or str."""
    made = QgsFields()
    for name, kind in kinds.items():
        made.append(QgsField(name, KINDS[kind]))
    return made


def polygons_renderer(classes: Sequence[LandCover]) -> QgsCategorizedSymbolRenderer:
    """Polygons in their class's colour, with borders that do not compete with it."""
    categories = [
        QgsRendererCategory(
            item.id,
            QgsFillSymbol.createSimple({"color": item.color, "outline_color": "#55000000", "outline_width": "0.1"}),
            item.name,
        )
        for item in classes
    ]
    return QgsCategorizedSymbolRenderer("class_id", categories)
