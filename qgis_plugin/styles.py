"""How marks and maps look: the legend's colours, legible over imagery."""

from __future__ import annotations

from typing import AbstractSet, Sequence

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsFillSymbol,
    QgsGeometryGeneratorSymbolLayer,
    QgsLinePatternFillSymbolLayer,
    QgsMarkerSymbol,
    QgsPalettedRasterRenderer,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsSimpleFillSymbolLayer,
    QgsSimpleMarkerSymbolLayer,
    QgsSingleSymbolRenderer,
    QgsSymbol,
)
from qgis.PyQt.QtGui import QColor

from terrafine.qgis_plugin.names import shown
from terrafine.qgis_plugin.rasters.raster import open_dataset
from terrafine.shared.spec import LandCover

FILL = 0.4  # opacity of what is inside an outline
DIM = 0.3  # of marks that do not count
DOT = """CASE WHEN "kind" = 'point' THEN centroid($geometry) END"""  # points are one pixel: too small to see


def marks_renderer(
    classes: Sequence[LandCover], dimmed: AbstractSet[int] = frozenset()
) -> QgsCategorizedSymbolRenderer:
    """Outlines of marks in their class's colour with a white casing; what is inside shows through. Points get a dot."""
    symbols = [(item, _mark_symbol(item.color, DIM if item.id in dimmed else 1.0)) for item in classes]
    categories = [QgsRendererCategory(item.id, symbol, shown(item.name)) for item, symbol in symbols]
    return QgsCategorizedSymbolRenderer("class_id", categories)


def _mark_symbol(color: str, opacity: float) -> QgsFillSymbol:
    dot = QgsGeometryGeneratorSymbolLayer.create({"geometryModifier": DOT})
    dot.setSymbolType(QgsSymbol.SymbolType.Marker)
    dot.setSubSymbol(_dot_symbol(color))
    symbol = QgsFillSymbol.createSimple({"style": "no", "outline_color": "#ffffff", "outline_width": "1.0"})
    fill = QColor(color)
    fill.setAlphaF(FILL)
    core = {"color": fill.name(QColor.NameFormat.HexArgb), "outline_color": color, "outline_width": "0.4"}
    symbol.appendSymbolLayer(QgsSimpleFillSymbolLayer.create(core))
    symbol.appendSymbolLayer(dot)
    symbol.setOpacity(opacity)
    return symbol


def _dot_symbol(color: str) -> QgsMarkerSymbol:
    rim = {"name": "circle", "color": "#ffffff", "size": "3.6", "outline_color": "#40000000", "outline_width": "0.2"}
    core = {"name": "circle", "color": color, "size": "2.6", "outline_style": "no"}
    symbol = QgsMarkerSymbol.createSimple(rim)
    symbol.appendSymbolLayer(QgsSimpleMarkerSymbolLayer.create(core))
    return symbol


def locks_renderer() -> QgsSingleSymbolRenderer:
    """Hatched, and legible over light and dark: what is locked shows through."""
    symbol = QgsFillSymbol.createSimple({"style": "no", "outline_color": "#ffffff", "outline_width": "0.7"})
    for color, width in (("#b0ffffff", "0.5"), ("#202020", "0.25")):
        hatch = {"angle": "45", "distance": "2.6", "line_width": width, "color": color}
        symbol.appendSymbolLayer(QgsLinePatternFillSymbolLayer.create(hatch))
    rim = {"style": "no", "outline_color": "#202020", "outline_width": "0.3"}
    symbol.appendSymbolLayer(QgsSimpleFillSymbolLayer.create(rim))
    return QgsSingleSymbolRenderer(symbol)


def show_named_classes(layer: QgsRasterLayer) -> None:
    """Keep the colours that have a class name: of a class map's file, QGIS shows all 256 at first."""
    renderer, dataset = layer.renderer(), open_dataset(layer.source())
    band = dataset.GetRasterBand(1)
    band.GetMetadata()  # reads the .aux.xml, where the names are
    names = band.GetCategoryNames()
    if isinstance(renderer, QgsPalettedRasterRenderer) and names:
        classes = [
            QgsPalettedRasterRenderer.Class(entry.value, entry.color, shown(names[int(entry.value)]))
            for entry in renderer.classes()
            if entry.value < len(names) and names[int(entry.value)]
        ]
        layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, classes))


def map_renderer(provider: QgsRasterDataProvider, classes: Sequence[LandCover]) -> QgsPalettedRasterRenderer:
    """The legend's colours and names for a raster of class ids."""
    entries = [QgsPalettedRasterRenderer.Class(item.id, QColor(item.color), shown(item.name)) for item in classes]
    return QgsPalettedRasterRenderer(provider, 1, entries)
