"""Marks as a GeoPackage layer: everything drawn is in the file at once, whatever becomes of QGIS or the server.

A feature's geometry is the mark's footprint (the pixel of a point, the buffer of a stroke), a valid polygon that any
other tool can use for training; its attribute `vertices` holds what was drawn, in pixel coordinates, and is what the
plugin reads back. The order of feature ids is the order of drawing.
"""

from __future__ import annotations

from pathlib import Path
from typing import AbstractSet, Iterable, Optional, Sequence

from qgis.core import QgsFeature, QgsFeatureRequest, QgsVectorLayer

from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.marks.file import COLUMNS, copy_file, move_table, path_of
from terrafine.qgis_plugin.marks.shapes import footprint, placed
from terrafine.qgis_plugin.marks.writer import MarksWriter
from terrafine.qgis_plugin.names import shown
from terrafine.qgis_plugin.rasters.placement import Placement
from terrafine.qgis_plugin.styles import marks_renderer
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import BadRequest
from terrafine.shared.spec import LandCover

KEY = "fid"
WITHOUT_SHAPES = QgsFeatureRequest().setFlags(QgsFeatureRequest.Flag.NoGeometry)


class MarksLayer:
    """The marks of one session in their GeoPackage, and the layer that shows them."""

    def __init__(
        self, layer: QgsVectorLayer, placement: Placement, classes: Sequence[LandCover], repainter: Repainter
    ) -> None:
        self.layer, self.placement, self.repainter = layer, placement, repainter
        self._names = {item.id: item.name for item in classes}
        ids = {feature["mark_id"]: feature.id() for feature in layer.getFeatures(WITHOUT_SHAPES)}
        self.writer = MarksWriter(layer, ids, self._feature, repainter)

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
        wanted = ", ".join(map(str, sorted(class_ids)))
        request = QgsFeatureRequest().setFilterExpression(f'"class_id" IN ({wanted})')
        request.setFlags(WITHOUT_SHAPES.flags()).setSubsetOfAttributes(["class_id"], self.layer.fields())
        found = self.layer.getFeatures(request)
        self.writer.rename({feature.id(): self._names[feature["class_id"]] for feature in found})

    def marks(self) -> tuple[Annotation, ...]:
        """All marks in the file, oldest first; features that are no marks, and second ones of an id, are left out."""
        found: dict[str, Annotation] = {}
        for feature in sorted(self.layer.getFeatures(WITHOUT_SHAPES), key=QgsFeature.id):
            mark = _mark(feature)
            if mark is not None:
                found.setdefault(mark.id, mark)
        return tuple(found.values())

    def by_feature(self, marks: Iterable[Annotation]) -> dict[int, Annotation]:
        """Marks by the id of the feature that shows them."""
        ids = self.writer.ids
        return {ids[mark.id]: mark for mark in marks if mark.id in ids}

    def class_of(self, feature: QgsFeature, mark: Optional[Annotation] = None) -> Optional[int]:
        """The class that a feature names, by its id or, if that is the mark's still, by its name; None for neither."""
        class_id, name = feature["class_id"], feature["class_name"]
        by_name = next((key for key, known in self._names.items() if name in (known, shown(known))), None)
        if by_name is not None and (class_id not in self._names or (mark and class_id == mark.class_id)):
            return by_name
        return class_id if class_id in self._names else None

    def drop(self, feature_ids: list[int]) -> None:
        """Delete features that are no marks."""
        self.layer.dataProvider().deleteFeatures(feature_ids)

    def replace(self, marks: Sequence[Annotation]) -> None:
        """Let the file hold exactly these; raises TerrafineError if it cannot be written."""
        self.layer.dataProvider().truncate()
        self.writer.ids.clear()
        self.writer.apply(Delta(0, 0, added=tuple(marks)))

    def move_to(self, folder: Path) -> list[Path]:
        """Work on a copy in another folder from now on; returns the files left behind. Raises TerrafineError."""
        old = path_of(self.layer)
        if old.parent == folder:
            return []
        left = copy_file(old, folder / old.name)
        move_table(self.layer, folder / old.name)
        self.writer.write()
        return left

    def _feature(self, mark: Annotation) -> QgsFeature:
        feature = QgsFeature(self.layer.fields())
        vertices = ", ".join(f"{x!r} {y!r}" for x, y in mark.vertices)
        values = (mark.id, mark.class_id, self._names.get(mark.class_id, ""), mark.kind, mark.width_px, vertices)
        for column, value in zip(COLUMNS, values):
            feature[column] = value
        if mark.id in self.writer.ids:
            feature[KEY] = self.writer.ids[mark.id]  # an undo puts it back at its place in the order
        feature.setGeometry(placed(footprint(mark), self.placement))
        return feature


def _mark(feature: QgsFeature) -> Optional[Annotation]:
    """None where somebody else has made the feature, or damaged it."""
    values = (feature[column] for column in COLUMNS)
    try:
        mark_id, class_id, _, kind, width_px, drawn = values
        pairs = (pair.split() for pair in str(drawn).split(","))
        vertices = tuple((float(x), float(y)) for x, y in pairs)
        return Annotation(str(mark_id), str(kind), vertices, int(class_id), float(width_px))
    except (TypeError, ValueError, BadRequest):
        return None
