"""What can be done with the legend's classes: a row of small buttons above it, and the legend's context menu."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QPoint, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QIcon, QPixmap
from qgis.PyQt.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from terrafine.qgis_plugin.legend.widget import Legend
from terrafine.qgis_plugin.names import shown
from terrafine.qgis_plugin.state import View
from terrafine.qgis_plugin.widgets import tool_button

SWATCH_PX = 12


class LegendTools(QWidget):
    """Each signal but the first and the last is about the class that is picked in the legend."""

    add_asked = pyqtSignal()
    edit_asked = pyqtSignal()
    merge_asked = pyqtSignal(int)  # into which class
    remove_asked = pyqtSignal()
    own_asked = pyqtSignal()

    def __init__(self, legend: Legend) -> None:
        super().__init__()
        self._legend = legend
        self._view: Optional[View] = None
        self.add = tool_button("add", self.tr("Add a class that the model does not know yet (Ins)"))
        self.edit = tool_button("edit", self.tr("Rename or recolour the class (F2, or a double click)"))
        self.merge = tool_button("merge", self.tr("Merge the class into another (Ctrl+M)"))
        self.remove = tool_button("remove", self.tr("Remove the class: the next likely one is shown instead (Del)"))
        self.more = tool_button("more", self.tr("Start with a legend of your own"))
        self.merge_menu, more = QMenu(self), QMenu(self)
        self.merge.setMenu(self.merge_menu)
        self.own = more.addAction(self.tr("Start with my own classes…"))
        self.more.setMenu(more)
        for button in (self.merge, self.more):
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        for button in self._buttons():
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._lay_out()
        self._connect()

    def show_view(self, view: View) -> None:
        self.setVisible(bool(view.legend))
        self.add.setEnabled(view.has_session)
        self.edit.setEnabled(view.has_session)
        for button in (self.merge, self.remove):
            button.setEnabled(view.has_session and len(view.legend) > 2)
        self._view = view

    def show_merge_menu(self) -> None:
        """Open the menu, as a click on its button does."""
        if self.merge.isEnabled():
            self.merge_menu.popup(self.merge.mapToGlobal(self.merge.rect().bottomLeft()))

    def _fill_merge_menu(self) -> None:
        """The classes that the picked one can be merged into, when the menu is about to be seen."""
        self.merge_menu.clear()
        legend, picked = (self._view.legend, self._view.class_id) if self._view else ((), -1)
        for item in legend:
            if item.id == picked:
                title = self.tr("Merge '{name}' into").format(name=shown(item.name))
                self.merge_menu.addAction(title).setEnabled(False)  # themes do not show the titles of sections
        for item in legend:
            if item.id != picked:
                square = QPixmap(SWATCH_PX, SWATCH_PX)
                square.fill(QColor(item.color))
                action = self.merge_menu.addAction(QIcon(square), shown(item.name))
                action.triggered.connect(lambda _on=False, into=item.id: self.merge_asked.emit(into))

    def _context_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        words = {
            self.edit: self.tr("Rename or recolour…"),
            self.remove: self.tr("Remove"),
            self.add: self.tr("Add a class…"),
        }
        for button, text in words.items():
            action = menu.addAction(button.icon(), text)
            action.setEnabled(button.isEnabled())
            action.triggered.connect(button.click)
        if self.merge.isEnabled():
            self.merge_menu.setTitle(self.tr("Merge into"))
            self.merge_menu.setIcon(self.merge.icon())
            menu.insertMenu(menu.actions()[1], self.merge_menu)
        menu.addSeparator()
        menu.addAction(self.own)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self._legend.viewport().mapToGlobal(at))

    def _buttons(self) -> tuple[QToolButton, ...]:
        return self.add, self.edit, self.merge, self.remove, self.more

    def _lay_out(self) -> None:
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(0)
        line.addStretch(1)
        for button in self._buttons():
            line.addWidget(button)

    def _connect(self) -> None:
        self.add.clicked.connect(lambda: self.add_asked.emit())
        self.edit.clicked.connect(lambda: self.edit_asked.emit())
        self.remove.clicked.connect(lambda: self.remove_asked.emit())
        self.merge_menu.aboutToShow.connect(self._fill_merge_menu)
        self.own.triggered.connect(lambda: self.own_asked.emit())
        self._legend.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._legend.customContextMenuRequested.connect(self._context_menu)
        self._legend.itemDoubleClicked.connect(lambda _item: self.edit.click())
