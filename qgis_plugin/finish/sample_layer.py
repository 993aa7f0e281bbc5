"""The layer of samples: neutral points whose form asks for the reference class and hides what the map says."""

from __future__ import annotations

from typing import Optional, Sequence

from qgis.core import (
    QgsAttributeTableConfig,
    QgsEditorWidgetSetup,
    QgsMapLayer,
    QgsMarkerSymbol,
    QgsRuleBasedRenderer,
    QgsSimpleMarkerSymbolLayer,
    QgsVectorLayer,
)

from terrafine.qgis_plugin.finish.tables import fields
from terrafine.shared.spec import LandCover

FIELDS = fields(sample_id=int, map_class=int, reference=int)
MAP_CLASS, REFERENCE = "map_class", "reference"
LEGEND, SAMPLED = "terrafine/legend", "terrafine/sampled"  # custom properties: classes, id of the map's layer
OPEN = '"reference" IS NULL'


def prepare(layer: QgsVectorLayer, classes: Sequence[LandCover], map_id: str) -> None:
    """Give a new layer its style, its form, and what the labelling panel needs; a GeoPackage keeps them with it."""
    layer.setCustomProperty(LEGEND, "\n".join(f"{item.id}\t{item.color}\t{item.name}" for item in classes))
    layer.setCustomProperty(SAMPLED, map_id)
    names = layer.fields()
    choices = [{item.name: str(item.id)} for item in classes]
    layer.setEditorWidgetSetup(names.indexOf(REFERENCE), QgsEditorWidgetSetup("ValueMap", {"map": choices}))
    layer.setEditorWidgetSetup(names.indexOf(MAP_CLASS), QgsEditorWidgetSetup("Hidden", {}))
    layer.setAttributeTableConfig(_table_config(layer))
    layer.setRenderer(_renderer())
    if layer.storageType() == "GPKG":
        layer.saveStyleToDatabase(layer.name(), "", True, "")


def legend_of(layer: Optional[QgsMapLayer]) -> tuple[LandCover, ...]:
    """The classes that samples can have; none if the layer is no layer of samples."""
    if not isinstance(layer, QgsVectorLayer) or layer.fields().indexOf(REFERENCE) < 0:
        return ()
    lines = str(layer.customProperty(LEGEND, "")).splitlines()
    parts = (line.split("\t", 2) for line in lines)
    return tuple(LandCover(int(class_id), name, color) for class_id, color, name in parts)


def _table_config(layer: QgsVectorLayer) -> QgsAttributeTableConfig:
    """What the map says is hidden in the attribute table, too."""
    config = layer.attributeTableConfig()
    config.update(layer.fields())
    columns = config.columns()
    for column in columns:
        column.hidden = column.name == MAP_CLASS
    config.setColumns(columns)
    return config


def _renderer() -> QgsRuleBasedRenderer:
    """Rings, which do not cover what is to be seen: thin ones once they are labelled; legible over light and dark."""
    root = QgsRuleBasedRenderer.Rule(None)
    for condition, name, width in ((OPEN, "to label", 0.6), (f"NOT {OPEN}", "labelled", 0.2)):
        symbol = QgsMarkerSymbol.createSimple(_ring("#303030", width + 0.5))
        symbol.appendSymbolLayer(QgsSimpleMarkerSymbolLayer.create(_ring("#ffffff", width)))
        root.appendChild(QgsRuleBasedRenderer.Rule(symbol, filterExp=condition, label=name))
    return QgsRuleBasedRenderer(root)


def _ring(color: str, width: float) -> dict[str, str]:
    return {"name": "circle", "color": "0,0,0,0", "outline_color": color, "outline_width": str(width), "size": "7"}
