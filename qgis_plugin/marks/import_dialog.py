"""Asks which vector layer to import marks from, and which of its fields says the class."""

from __future__ import annotations

from typing import Optional, Sequence

from qgis.core import QgsMapLayer, QgsMapLayerProxyModel, QgsVectorLayer
from qgis.gui import QgsFieldComboBox, QgsMapLayerComboBox
from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QDoubleSpinBox, QFormLayout, QVBoxLayout, QWidget

from terrafine.qgis_plugin.marks.importer import Request
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
        self.setMinimumWidth(WIDTH_PX)
        self.width = QDoubleSpinBox()
        self.width.setRange(0.0, 500.0)
        self.width.setDecimals(0)
        self.width.setSuffix(self.tr(" px"))
        self.width.setValue(width_px)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.layers.layerChanged.connect(self._show_fields)
        self._lay_out(classes)
        self._show_fields(self.layers.currentLayer())

    def request(self) -> Request:
        return Request(self.layers.currentLayer(), self.field.currentField(), self.width.value())

    def _show_fields(self, layer: Optional[QgsVectorLayer]) -> None:
        """Offer the layer's fields; one with a usual name is guessed."""
        self.field.setLayer(layer)
        names = [field.name() for field in layer.fields()] if layer else []
        self.field.setField(next((name for name in names if name.lower() in USUAL_FIELDS), names[0] if names else ""))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(names))

    def _lay_out(self, classes: Sequence[LandCover]) -> None:
        form = QFormLayout()
        form.addRow(self.tr("Layer"), self.layers)
        form.addRow(self.tr("Class field"), self.field)
        form.addRow(self.tr("Width of lines"), self.width)
        legend = ", ".join(f"{item.name} ({item.id})" for item in classes)
        words = note()
        words.setText(self.tr("The field holds names of classes, or their ids: {legend}.").format(legend=legend))
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(words)
        column.addWidget(self.buttons)
