"""The patches to review as a GeoPackage layer beside the marks, in which a review is kept with the project."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Optional

from osgeo import ogr
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsFeature,
    QgsFillSymbol,
    QgsRendererCategory,
    QgsSimpleFillSymbolLayer,
    QgsVectorLayer,
)

from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.look.review import Fate, Query, Review
from terrafine.qgis_plugin.marks.file import unwritten
from terrafine.qgis_plugin.marks.shapes import footprint, placed
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.shared import codec
from terrafine.shared.annotation import Annotation
from terrafine.shared.errors import BadRequest
from terrafine.shared.geo import Window

TABLE = "review"
COLUMNS = {
    "rank": ogr.OFTInteger,
    "score": ogr.OFTReal,
    "state": ogr.OFTString,
    "current": ogr.OFTInteger,
    "col": ogr.OFTInteger,
    "row": ogr.OFTInteger,
    "width": ogr.OFTInteger,
    "height": ogr.OFTInteger,
}
TASK = "terrafine/review"  # property of the layer: the area and how its patches are ranked
CURRENT = "current"
LOOK = """CASE WHEN "current" = 1 THEN 'current' ELSE "state" END"""
Row = tuple[int, float, str, int]  # rank, score, state, current


class ReviewLayer:
    """A review in its table, and the layer that shows it."""

    def __init__(self, layer: QgsVectorLayer, placement: Placement) -> None:
        self.layer, self._placement = layer, placement
        features = list(layer.getFeatures())
        self._ids = {_window(feature): feature.id() for feature in features}
        self._rows: dict[Window, Row] = {_window(feature): _row(feature) for feature in features}

    def review(self) -> Optional[Review]:
        """The review that the project holds; None where it cannot be read."""
        ordered = sorted(self._rows.items(), key=lambda item: item[1][0])
        try:
            task = codec.decode(Review, codec.parse(str(self.layer.customProperty(TASK, ""))))
            patches = tuple(Query(window, score, Fate(state)) for window, (_, score, state, _) in ordered)
        except (BadRequest, ValueError):
            return None
        current = next((window for window, (_, _, _, here) in ordered if here), None)
        return replace(task, patches=patches, current=current)

    def show(self, review: Review) -> None:
        """Write what has changed; raises TerrafineError if the file cannot be written."""
        rows = {
            patch.window: (rank, patch.score, patch.fate.value, int(patch.window == review.current))
            for rank, patch in enumerate(review.patches, 1)
        }
        self._remove([window for window in self._rows if window not in rows])
        self._add({window: row for window, row in rows.items() if window not in self._rows})
        self._change({window: row for window, row in rows.items() if self._rows[window] != row})
        task = replace(review, patches=(), revision=-1, current=None)
        self.layer.setCustomProperty(TASK, json.dumps(codec.encode(task, [])))
        self.layer.updateExtents()
        self.layer.triggerRepaint()

    def _remove(self, windows: list[Window]) -> None:
        self._check(self.layer.dataProvider().deleteFeatures([self._ids[window] for window in windows]))
        for window in windows:
            del self._ids[window], self._rows[window]

    def _add(self, rows: dict[Window, Row]) -> None:
        features = [self._feature(window, row) for window, row in rows.items()]
        added, features = self.layer.dataProvider().addFeatures(features)
        self._check(added)
        self._ids.update(zip(rows, (feature.id() for feature in features)))
        self._rows.update(rows)

    def _change(self, rows: dict[Window, Row]) -> None:
        places = [self.layer.fields().indexOf(column) for column in list(COLUMNS)[:4]]
        changes = {self._ids[window]: dict(zip(places, row)) for window, row in rows.items()}
        self._check(not changes or self.layer.dataProvider().changeAttributeValues(changes))
        self._rows.update(rows)

    def _check(self, is_done: bool) -> None:
        if not is_done:
            raise unwritten(self.layer.dataProvider())

    def _feature(self, window: Window, row: Row) -> QgsFeature:
        feature = QgsFeature(self.layer.fields())
        values: tuple[Any, ...] = (*row, window.col, window.row, window.width, window.height)
        for column, value in zip(COLUMNS, values):
            feature[column] = value
        x, y, right, low = window.col, window.row, window.col_end, window.row_end
        outline = Annotation("", "polygon", ((x, y), (right, y), (right, low), (x, low)), 0)
        feature.setGeometry(placed(footprint(outline), self._placement))
        return feature


def review_renderer() -> QgsCategorizedSymbolRenderer:
    """Outlines that are legible over light and dark, the current one bright; what has been looked at is dimmed."""
    looks = {
        CURRENT: (tr("Here"), _outline("#f0e442", "1.0", "#000000", "1.7")),
        Fate.OPEN.value: (tr("To look at"), _outline("#ffffff", "0.4", "#303030", "0.8")),
        Fate.DONE.value: (tr("Done"), _outline("#80a0a0a0", "0.3")),
        Fate.SKIPPED.value: (tr("Skipped"), _outline("#80a0a0a0", "0.3", style="dash")),
    }
    categories = [QgsRendererCategory(value, symbol, label) for value, (label, symbol) in looks.items()]
    return QgsCategorizedSymbolRenderer(LOOK, categories)


def _outline(color: str, width: str, casing: str = "", casing_width: str = "", style: str = "solid") -> QgsFillSymbol:
    pen = {"style": "no", "outline_color": color, "outline_width": width, "outline_style": style}
    if not casing:
        return QgsFillSymbol.createSimple(pen)
    symbol = QgsFillSymbol.createSimple({"style": "no", "outline_color": casing, "outline_width": casing_width})
    symbol.appendSymbolLayer(QgsSimpleFillSymbolLayer.create(pen))
    return symbol


def _window(feature: QgsFeature) -> Window:
    return Window(*(feature[column] for column in ("col", "row", "width", "height")))


def _row(feature: QgsFeature) -> Row:
    return feature["rank"], feature["score"], feature["state"], feature["current"]
