"""Marks that were moved, reshaped, reclassified, added or deleted with QGIS's own tools.

While the layer is being edited, all is in QGIS's edit buffer, with QGIS's undo. When the edits are saved they are taken
over as one step of the session; the features are then written anew, as marks are.
"""

from __future__ import annotations

import dataclasses
import uuid
from typing import Optional

from qgis.core import QgsFeature
from qgis.PyQt.QtCore import QObject, pyqtSignal

from terrafine.qgis_plugin.marks.layer import MarksLayer
from terrafine.qgis_plugin.marks.shapes import Unusable, redrawn, shapes_of
from terrafine.shared.annotation import Annotation, AnnotationLog


class MarksEdits(QObject):
    """Watches one layer of marks.

    edited  marks added, ids of marks removed, and how many edits could not be taken over
    """

    edited = pyqtSignal(object, object, int)

    def __init__(self, marks: MarksLayer, log: AnnotationLog) -> None:
        super().__init__()
        self._marks, self._log = marks, log
        self._moved: set[int] = set()
        self._relabelled: set[int] = set()
        self._deleted: set[int] = set()
        self._drawn: list[QgsFeature] = []
        layer = marks.layer
        layer.committedFeaturesRemoved.connect(lambda _, ids: self._deleted.update(ids))
        layer.committedGeometriesChanges.connect(lambda _, changes: self._moved.update(changes))
        layer.committedAttributeValuesChanges.connect(lambda _, changes: self._relabelled.update(changes))
        layer.committedFeaturesAdded.connect(lambda _, features: self._drawn.extend(features))
        layer.afterCommitChanges.connect(self._take_over)

    def _take_over(self) -> None:
        """What was saved becomes marks; what cannot be a mark is put back as it was, or dropped if it is new."""
        known = self._marks.by_feature(self._log.marks)
        deleted, drawn, touched = self._deleted, self._drawn, (self._moved | self._relabelled) & set(known)
        features = {number: self._marks.layer.getFeature(number) for number in touched}
        edited = {known[number]: self._edited(known[number], feature) for number, feature in features.items()}
        self._deleted, self._moved, self._relabelled, self._drawn = set(), set(), set(), []
        self._marks.writer.miss(deleted)
        self._marks.drop([feature.id() for feature in drawn])
        new = [self._new(feature) for feature in drawn]
        added = [after or dataclasses.replace(mark, id=str(uuid.uuid4())) for mark, after in edited.items()]
        removed = [known[feature].id for feature in deleted & set(known)] + [mark.id for mark in edited]
        refused = sum(after is None for after in edited.values()) + sum(not marks for marks in new)
        if added or removed or drawn:
            self.edited.emit((*added, *(mark for marks in new for mark in marks)), tuple(removed), refused)

    def _edited(self, mark: Annotation, feature: QgsFeature) -> Optional[Annotation]:
        """The mark as the feature has it now; None where that is no mark."""
        class_id, kind, vertices = self._marks.class_of(feature, mark), mark.kind, mark.vertices
        try:
            if feature.id() in self._moved:
                kind, vertices = redrawn(mark, feature.geometry(), self._marks.placement)
        except Unusable:
            return None
        width_px = mark.width_px if kind == "stroke" else 0.0
        return None if class_id is None else Annotation(str(uuid.uuid4()), kind, vertices, class_id, width_px)

    def _new(self, feature: QgsFeature) -> list[Annotation]:
        """Marks for a feature that was drawn with QGIS's tools; none where it has no class or no usable shape."""
        class_id = self._marks.class_of(feature)
        try:
            shapes = shapes_of(feature.geometry(), self._marks.placement)
        except Unusable:
            return []
        return [] if class_id is None else [Annotation(str(uuid.uuid4()), *shape, class_id) for shape in shapes]
