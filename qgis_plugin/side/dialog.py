"""Asks which point layer a model is told about, and which of its fields holds what."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsFieldProxyModel, QgsMapLayerProxyModel, QgsVectorLayer
from qgis.gui import QgsFieldComboBox, QgsMapLayerComboBox
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QVBoxLayout, QWidget

from terrafine.qgis_plugin.widgets import note
from terrafine.shared.spec import ModelSpec

WIDTH_PX = 420


class SideDialog(QDialog):
    """A field for each number that the model takes; fields of its name are proposed."""

    forget_asked = pyqtSignal()

    def __init__(self, model: ModelSpec, is_told: bool, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Side information"))
        self.layer = QgsMapLayerComboBox()
        self.layer.setFilters(QgsMapLayerProxyModel.Filter.PointLayer)
        self.layer.setToolTip(self.tr("Points with numbers: photographs that were rated, survey answers, sensors"))
        self.fields = {name: self._field() for name in model.side.names}
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.forget = self.buttons.addButton(self.tr("Forget it"), QDialogButtonBox.ButtonRole.DestructiveRole)
        self.forget.setToolTip(self.tr("Let the map be made from the image and your marks alone"))
        self.forget.setEnabled(is_told)
        self.setMinimumWidth(WIDTH_PX)
        self._lay_out()
        self._connect()
        self._show_layer(self.layer.currentLayer())

    @property
    def chosen(self) -> list[str]:
        """Names of the layer's fields, in the model's order."""
        return [combo.currentField() for combo in self.fields.values()]

    def _field(self) -> QgsFieldComboBox:
        combo = QgsFieldComboBox()
        combo.setFilters(QgsFieldProxyModel.Filter.Numeric)
        combo.fieldChanged.connect(lambda _: self._check())
        return combo

    def _show_layer(self, layer: Optional[QgsVectorLayer]) -> None:
        for name, combo in self.fields.items():
            combo.setLayer(layer)
            combo.setField(name)
        self._check()

    def _check(self) -> None:
        is_complete = self.layer.currentLayer() is not None and all(self.chosen)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(is_complete)

    def _forget(self) -> None:
        self.forget_asked.emit()
        self.reject()

    def _lay_out(self) -> None:
        words = note()
        words.setText(
            self.tr(
                "This model listens to numbers that are known at points. They steer the map around them, as marks do."
            )
        )
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.tr("Points"), self.layer)
        for name, combo in self.fields.items():
            form.addRow(name, combo)
        column = QVBoxLayout(self)
        column.addWidget(words)
        column.addLayout(form)
        column.addWidget(self.buttons)

    def _connect(self) -> None:
        self.layer.layerChanged.connect(self._show_layer)
        self.forget.clicked.connect(self._forget)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
