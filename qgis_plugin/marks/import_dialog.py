"""Asks which vector layer to import marks from, and which of its fields says the class."""

from __future__ import annotations

from typing import Optional, Sequence

from qgis.core import QgsMapLayer, QgsMapLayerProxyModel, QgsVectorLayer
from qgis.gui import QgsFieldComboBox, QgsMapLayerComboBox
from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QDoubleSpinBox, QFormLayout, QVBoxLayout, QWidget

from terrafine.qgis_plugin.marks.importer import Request
from terrafine.qgis_plugin.names import shown
from terrafine.qgis_plugin.widgets import note
from terrafine.shared.spec import LandCover

WIDTH_PX = 400
USUAL_FIELDS = ("class_id", "class", "class_name", "label", "landcover", "code")


class ImportDialog(QDialog):
    def __init__(
        self,
        classes: Sequence[LandCover],
        width_px: float,
        but: Sequence[QgsMapLayer] = (),
        parent: Optional[QWidget] = None,
    ) -> None:
        """Offers all vector layers but those in `but`."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Import marks"))
        self.layers, self.field = QgsMapLayerComboBox(), QgsFieldComboBox()
        self.layers.setFilters(QgsMapLayerProxyModel.Filter.HasGeometry)
        self.layers.setExceptedLayerList(list(but))
        self.layers.setToolTip(self.tr("The layer whose points, lines and polygons become marks"))
        self.field.setToolTip(self.tr("The field that says which class each feature is of"))
        self.setMinimumWidth(WIDTH_PX)
        self.width = QDoubleSpinBox()
        self.width.setToolTip(self.tr("How wide a line of the layer becomes, in pixels of the image"))
        self.width.setRange(0.0, 500.0)
        self.width.setDecimals(0)
        self.width.setSuffix(self.tr(" px"))
        self.width.setValue(width_px)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.layers.layerChanged.connect(self._show_fields)
        self.words = note()
        self._legend = ", ".join(f"{shown(item.name)} ({item.id})" for item in classes)
        self._lay_out()
        self._show_fields(self.layers.currentLayer())

    def request(self) -> Request:
        return Request(self.layers.currentLayer(), self.field.currentField(), self.width.value())

    def _show_fields(self, layer: Optional[QgsVectorLayer]) -> None:
        """Offer the layer's fields; one with a usual name is guessed."""
        self.field.setLayer(layer)
        names = [field.name() for field in layer.fields()] if layer else []
        self.field.setField(next((name for name in names if name.lower() in USUAL_FIELDS), names[0] if names else ""))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(names))
        self.words.setText(self._guidance(layer))

    def _guidance(self, layer: Optional[QgsVectorLayer]) -> str:
        if layer is None:
            return self.tr("The project has no vector layer to import from: add one first.")
        return self.tr("The field holds names of classes, or their ids: {legend}.").format(legend=self._legend)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(self.tr("Layer"), self.layers)
        form.addRow(self.tr("Class field"), self.field)
        form.addRow(self.tr("Width of lines"), self.width)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.words)
        column.addWidget(self.buttons)
