"""A walk through the samples of a layer: which one is shown, and what somebody says of it."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsFeature, QgsVectorLayer

from terrafine.qgis_plugin.finish.sample_layer import REFERENCE
from terrafine.qgis_plugin.language import tr
from terrafine.shared.errors import TerrafineError


class Walk:
    """Goes from one sample without a label to the next, in the layer's random order; `back` to those seen before.

    A label is in the file at once, or in the layer's edit buffer while it is being edited.
    """

    def __init__(self, layer: QgsVectorLayer) -> None:
        self.layer = layer
        self._ids = sorted(layer.allFeatureIds())
        self._seen: list[int] = []
        self._current: Optional[int] = None
        self.skip()

    @property
    def total(self) -> int:
        return len(self._ids)

    @property
    def labelled(self) -> int:
        return self.total - len(self._open())

    @property
    def can_go_back(self) -> bool:
        return bool(self._seen)

    def current(self) -> Optional[QgsFeature]:
        """The sample that is shown; None when all have a label."""
        return None if self._current is None else self.layer.getFeature(self._current)

    def label(self, class_id: int) -> None:
        """Say what the current sample is, and go on; raises TerrafineError if that cannot be saved."""
        if self._current is None:
            return
        column = self.layer.fields().indexOf(REFERENCE)
        if self.layer.isEditable():
            saved = self.layer.changeAttributeValue(self._current, column, class_id)
        else:
            saved = self.layer.dataProvider().changeAttributeValues({self._current: {column: class_id}})
        if not saved:
            raise TerrafineError(tr("The label could not be saved."), tr("Check that the layer's file can be written."))
        self.skip()

    def skip(self) -> None:
        """Go to the next sample without a label, those that were skipped at the end."""
        waiting = self._open()
        later = [fid for fid in waiting if self._current is None or fid > self._current]
        earlier = [fid for fid in waiting if fid != self._current]
        if self._current is not None:
            self._seen.append(self._current)
        self._current = next(iter(later or earlier or waiting), None)

    def back(self) -> None:
        """Go to the sample that was shown before, if any."""
        if self._seen:
            self._current = self._seen.pop()

    def _open(self) -> list[int]:
        """Samples without a label, in order."""
        column = self.layer.fields().indexOf(REFERENCE)
        values = {feature.id(): feature.attributes()[column] for feature in self.layer.getFeatures()}
        return [fid for fid in self._ids if fid in values and str(values[fid]) in ("NULL", "None", "")]
