"""Marks as a GeoPackage layer: everything drawn is in the file at once, whatever becomes of QGIS or the server.

A feature's geometry is the mark's footprint (the pixel of a point, the buffer of a stroke), a valid polygon that any
other tool can use for training; its attribute `vertices` holds what was drawn, in pixel coordinates, and is what the
plugin reads back. The order of feature ids is the order of drawing.
"""

from __future__ import annotations

from pathlib import Path
from typing import AbstractSet, Iterable, Optional, Sequence

from qgis.core import QgsFeature, QgsRectangle, QgsVectorLayer

from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.marks.file import COLUMNS, copy_file, move_table, path_of, unwritten
from terrafine.qgis_plugin.marks.shapes import footprint, placed
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.styles import marks_renderer
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.spec import LandCover

KEY = "fid"


class MarksLayer:
    """The marks of one session in their GeoPackage, and the layer that shows them."""

    def __init__(
        self, layer: QgsVectorLayer, placement: Placement, classes: Sequence[LandCover], repainter: Repainter
    ) -> None:
        self.layer, self.placement, self.repainter = layer, placement, repainter
        self._names = {item.id: item.name for item in classes}
        self._ids = {feature["mark_id"]: feature.id() for feature in layer.getFeatures()}  # of removed marks as well
        self._missing: set[int] = set()
        self._unwritten: dict[str, Annotation] = {}  # marks that the file should have, and
        self._undeleted: dict[str, int] = {}  # features that it should not: its disk was full, say
        self._was_refused = False

    def show_classes(self, classes: Sequence[LandCover], dimmed: AbstractSet[int] = frozenset()) -> None:
        """Show marks in these colours, those of `dimmed` faintly, and name all so, those in the file too.

        Raises TerrafineError if the file cannot be written.
        """
        names = {item.id: item.name for item in classes}
        renamed = {key for key, name in names.items() if self._names.get(key, name) != name}
        self._names = names
        self.layer.setRenderer(marks_renderer(classes, dimmed))
        if renamed:
            self._rename(renamed)
        self.layer.triggerRepaint()

    def _rename(self, class_ids: AbstractSet[int]) -> None:
        """Give the features of these classes the classes' names of now."""
        column = self.layer.fields().indexOf("class_name")
        found = ((feature.id(), feature["class_id"]) for feature in self.layer.getFeatures())
        changes = {key: {column: self._names[class_id]} for key, class_id in found if class_id in class_ids}
        provider = self.layer.dataProvider()
        if changes and not provider.changeAttributeValues(changes):
            raise unwritten(provider)

    def marks(self) -> tuple[Annotation, ...]:
        """All marks in the file, oldest first."""
        features = sorted(self.layer.getFeatures(), key=QgsFeature.id)
        return tuple(_mark(feature) for feature in features)

    def apply(self, delta: Delta) -> None:
        """Write a change, and what could not be written before; raises TerrafineError if the file cannot be written."""
        for mark_id in delta.removed:
            if self._unwritten.pop(mark_id, None) is None and self._ids[mark_id] not in self._missing:
                self._undeleted[mark_id] = self._ids[mark_id]
        self._missing.clear()
        for mark in delta.added:
            if self._undeleted.pop(mark.id, None) is None:
                self._unwritten[mark.id] = mark
        self.store()

    @property
    def is_stored(self) -> bool:
        """Does the file hold what it should?"""
        return not self._unwritten and not self._undeleted

    def store(self) -> None:
        """Write what the file lacks still; raises TerrafineError if it cannot be written."""
        if self.is_stored:
            return
        if self._was_refused:
            self.layer.setDataSource(self.layer.source(), self.layer.name(), "ogr")  # it may be open for reading only
        self._was_refused = True
        changed = self._delete()
        changed.combineExtentWith(self._add())
        self._was_refused = False
        self.layer.updateExtents()
        self.repainter.repaint(self.layer, [changed])

    def _delete(self) -> QgsRectangle:
        """Returns what that changes, in the layer's CRS."""
        gone = list(self._undeleted.values())
        changed = self._extent(self.layer.getFeatures(gone)) if gone else QgsRectangle()
        provider = self.layer.dataProvider()
        if gone and not provider.deleteFeatures(gone):
            raise unwritten(provider)
        self._undeleted.clear()
        return changed

    def _add(self) -> QgsRectangle:
        """Returns what that changes, in the layer's CRS."""
        provider = self.layer.dataProvider()
        added, features = provider.addFeatures([self._feature(mark) for mark in self._unwritten.values()])
        if not added:
            raise unwritten(provider)
        self._ids.update({feature["mark_id"]: feature.id() for feature in features})
        self._unwritten.clear()
        return self._extent(features)

    @staticmethod
    def _extent(features: Iterable[QgsFeature]) -> QgsRectangle:
        extent = QgsRectangle()
        for feature in features:
            extent.combineExtentWith(feature.geometry().boundingBox())
        return extent

    def by_feature(self, marks: Iterable[Annotation]) -> dict[int, Annotation]:
        """Marks by the id of the feature that shows them."""
        return {self._ids[mark.id]: mark for mark in marks if mark.id in self._ids}

    def class_of(self, feature: QgsFeature, mark: Optional[Annotation] = None) -> Optional[int]:
        """The class that a feature names, by its id or, if that is the mark's still, by its name; None for neither."""
        class_id, name = feature["class_id"], feature["class_name"]
        by_name = next((key for key, known in self._names.items() if known == name), None)
        if by_name is not None and (class_id not in self._names or (mark and class_id == mark.class_id)):
            return by_name
        return class_id if class_id in self._names else None

    def miss(self, feature_ids: set[int]) -> None:
        """Somebody else has deleted these features."""
        self._missing |= feature_ids

    def drop(self, feature_ids: list[int]) -> None:
        """Delete features that are no marks."""
        self.layer.dataProvider().deleteFeatures(feature_ids)

    def replace(self, marks: Sequence[Annotation]) -> None:
        """Let the file hold exactly these; raises TerrafineError if it cannot be written."""
        self.layer.dataProvider().truncate()
        self._ids.clear()
        self._unwritten.clear()
        self._undeleted.clear()
        self.apply(Delta(0, 0, added=tuple(marks)))

    def move_to(self, folder: Path) -> list[Path]:
        """Work on a copy in another folder from now on; returns the files left behind. Raises TerrafineError."""
        old = path_of(self.layer)
        if old.parent == folder:
            return []
        left = copy_file(old, folder / old.name)
        move_table(self.layer, folder / old.name)
        self.store()
        return left

    def _feature(self, mark: Annotation) -> QgsFeature:
        feature = QgsFeature(self.layer.fields())
        vertices = ", ".join(f"{x!r} {y!r}" for x, y in mark.vertices)
        values = (mark.id, mark.class_id, self._names.get(mark.class_id, ""), mark.kind, mark.width_px, vertices)
        for column, value in zip(COLUMNS, values):
            feature[column] = value
        if mark.id in self._ids:
            feature[KEY] = self._ids[mark.id]  # an undo puts it back at its place in the order
        feature.setGeometry(placed(footprint(mark), self.placement))
        return feature


def _mark(feature: QgsFeature) -> Annotation:
    pairs = (pair.split() for pair in feature["vertices"].split(","))
    vertices = tuple((float(x), float(y)) for x, y in pairs)
    return Annotation(feature["mark_id"], feature["kind"], vertices, feature["class_id"], feature["width_px"])
