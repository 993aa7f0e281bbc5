"""Writes a change of marks into their table: the first piece at once, the rest between turns of the event loop.

What cannot be written, because the disk is full, say, is remembered and written with the next change.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import Callable, Iterable, Mapping

from qgis.core import QgsFeature, QgsRectangle, QgsVectorLayer
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from terrafine.qgis_plugin.maps.repaint import Repainter
from terrafine.qgis_plugin.marks.file import opened_for, unwritten
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.errors import TerrafineError

PIECE = 250  # features that are written in one go: some hundredths of a second
PAUSE_MS = 5  # between pieces: QGIS answers the user meanwhile
REPAINT_EVERY_S = 1.0


class MarksWriter(QObject):
    """Keeps one table in step with the marks.

    ids       feature by mark, of removed marks as well: an undo puts them back at their place in the order
    advanced  the next piece of a long change was written, or could not be, or none will be any more
    failed    TerrafineError: it could not
    """

    advanced = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(
        self,
        layer: QgsVectorLayer,
        ids: Mapping[str, int],
        feature_of: Callable[[Annotation], QgsFeature],
        repainter: Repainter,
    ) -> None:
        super().__init__()
        self._layer, self._feature_of, self._repainter = layer, feature_of, repainter
        self.ids = dict(ids)
        self._missing: set[int] = set()
        self._unwritten: dict[str, Annotation] = {}  # marks that the file should have, and
        self._undeleted: dict[str, int] = {}  # features that it should not
        self._misnamed: dict[int, str] = {}  # features and what their classes are called
        self._was_refused = False
        self._changed = QgsRectangle()  # since the last repainting
        self._painted = 0.0
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.timeout.connect(self._go_on)

    @property
    def left(self) -> int:
        """How many features have to be written, deleted or renamed still."""
        return len(self._unwritten) + len(self._undeleted) + len(self._misnamed)

    @property
    def is_writing(self) -> bool:
        """Is there more to write, and was the last piece written?"""
        return self.left > 0 and not self._was_refused

    def miss(self, feature_ids: set[int]) -> None:
        """Somebody else has deleted these features."""
        self._missing |= feature_ids

    def apply(self, delta: Delta) -> None:
        """Write a change, and what could not be written before; raises TerrafineError if the file cannot be written.

        Of many changes in one turn of the event loop, the first is written at once and the others soon.
        """
        for mark_id in delta.removed:
            if self._unwritten.pop(mark_id, None) is None and self.ids[mark_id] not in self._missing:
                self._undeleted[mark_id] = self.ids[mark_id]
            self._misnamed.pop(self.ids.get(mark_id, 0), None)
        self._missing.clear()
        for mark in delta.added:
            if self._undeleted.pop(mark.id, None) is None:
                self._unwritten[mark.id] = mark
        self._write_soon()

    def rename(self, names: Mapping[int, str]) -> None:
        """Write other names of classes into features; raises TerrafineError like `apply`."""
        self._misnamed.update(names)
        self._write_soon()

    def _write_soon(self) -> None:
        if not self._next.isActive():
            self.write()

    def write(self) -> None:
        """Write a piece of what the file lacks now, the rest later; raises TerrafineError if it cannot be written."""
        if self.left:
            self._next.start(PAUSE_MS)
            self._write_piece()

    def finish(self) -> None:
        """Write all that the file lacks now; raises TerrafineError if it cannot be written."""
        while self.left:
            self._write_piece()

    def close(self) -> None:
        """Write no more."""
        self._next.stop()
        self.advanced.emit()

    def _go_on(self) -> None:
        if not self.is_writing:
            return
        try:
            self.write()
        except TerrafineError as error:
            self.failed.emit(error)
        self.advanced.emit()

    def _write_piece(self) -> None:
        """Raises TerrafineError."""
        if self._was_refused:
            self._layer.setDataSource(self._layer.source(), self._layer.name(), "ogr")  # open for reading only, perhaps
        self._was_refused = True
        with opened_for():
            gone = dict(islice(self._undeleted.items(), PIECE))
            if gone:
                self._delete(gone)
            added = self._add(list(islice(self._unwritten.values(), PIECE - len(gone))))
            self._rename(dict(islice(self._misnamed.items(), PIECE - len(gone) - added)))
        self._was_refused = False
        self._repaint_at_times()

    def _delete(self, gone: Mapping[str, int]) -> None:
        features, provider = list(gone.values()), self._layer.dataProvider()
        changed = _extent(self._layer.getFeatures(features))
        if not provider.deleteFeatures(features):
            raise unwritten(provider)
        for mark_id in gone:
            del self._undeleted[mark_id]
        self._changed.combineExtentWith(changed)

    def _rename(self, names: Mapping[int, str]) -> None:
        column, provider = self._layer.fields().indexOf("class_name"), self._layer.dataProvider()
        if names and not provider.changeAttributeValues({key: {column: name} for key, name in names.items()}):
            raise unwritten(provider)
        for key in names:
            del self._misnamed[key]

    def _add(self, marks: list[Annotation]) -> int:
        """Returns how many they are."""
        provider = self._layer.dataProvider()
        added, features = provider.addFeatures([self._feature_of(mark) for mark in marks])
        if not added:
            raise unwritten(provider)
        self.ids.update({feature["mark_id"]: feature.id() for feature in features})
        for mark in marks:
            del self._unwritten[mark.id]
        self._changed.combineExtentWith(_extent(features))
        return len(marks)

    def _repaint_at_times(self) -> None:
        """Drawing thousands of marks takes longer than writing some of them."""
        now = time.monotonic()
        if self.left and now - self._painted < REPAINT_EVERY_S:
            return
        changed, self._changed, self._painted = self._changed, QgsRectangle(), now
        if not changed.isEmpty():
            self._layer.updateExtents()
            self._repainter.repaint(self._layer, [changed])


def _extent(features: Iterable[QgsFeature]) -> QgsRectangle:
    extent = QgsRectangle()
    for feature in features:
        extent.combineExtentWith(feature.geometry().boundingBox())
    return extent
