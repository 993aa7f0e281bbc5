"""Asks what a model of what was learnt is called."""

from __future__ import annotations

from typing import Optional, Sequence

from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from terrafine.qgis_plugin.names import shown
from terrafine.qgis_plugin.widgets import note
from terrafine.shared.spec import NAME, ModelSpec

WIDTH_PX = 420


class SaveModelDialog(QDialog):
    """`models` are those that the server has: their names are taken."""

    def __init__(self, model: ModelSpec, models: Sequence[ModelSpec], parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Save as a model"))
        self._taken = {item.name for item in models}
        self.name = QLineEdit(self._free(model.name))
        self.title = QLineEdit(self.tr("{title}, adapted").format(title=shown(model.title)))
        self.name.setToolTip(self.tr("The folder's name on the server: letters, digits, '.', '_' and '-'"))
        self.title.setToolTip(self.tr("What the list of models shows"))
        self.problem = note()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.name.textChanged.connect(self._check)
        self.title.textChanged.connect(self._check)
        self.setMinimumWidth(WIDTH_PX)
        self._lay_out()
        self._check()

    def _free(self, name: str) -> str:
        """A name that no model has."""
        numbers = (f"{name}-adapted{number}" for number in ("", *(f"-{i}" for i in range(2, len(self._taken) + 3))))
        return next(candidate for candidate in numbers if candidate not in self._taken)

    def _check(self) -> None:
        problem = self._problem()
        self.problem.setText(problem)
        self.buttons.button(QDialogButtonBox.StandardButton.Save).setEnabled(not problem)

    def _problem(self) -> str:
        if not NAME.fullmatch(self.name.text()):
            return self.tr("A name has letters, digits, '.', '_' and '-', and begins with a letter or digit.")
        if self.name.text() in self._taken:
            return self.tr("The server has a model of that name.")
        return "" if self.title.text().strip() else self.tr("Give the model a title.")

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.tr("Name"), self.name)
        form.addRow(self.tr("Title"), self.title)
        words = note()
        words.setText(
            self.tr("The server keeps the model with its legend of now; you can classify other images with it.")
        )
        column = QVBoxLayout(self)
        column.addWidget(words)
        column.addLayout(form)
        column.addWidget(self.problem)
        column.addWidget(self.buttons)
