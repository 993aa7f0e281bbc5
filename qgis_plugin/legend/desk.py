"""What the user does about the classes: the legend's buttons, menu and keys become events."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QObject, Qt
from qgis.PyQt.QtWidgets import QDialog

from terrafine.qgis_plugin.keys import Keys, chord
from terrafine.qgis_plugin.legend.class_dialog import ClassDialog
from terrafine.qgis_plugin.legend.own_classes_dialog import OwnClassesDialog
from terrafine.qgis_plugin.workbench import Workbench


class LegendDesk(QObject):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench, self._tools = bench, bench.dock.marks.legend_tools
        self.dialog: Optional[QDialog] = None
        self._tools.add_asked.connect(self._ask_new)
        self._tools.edit_asked.connect(self._ask_edit)
        self._tools.merge_asked.connect(self._merge)
        self._tools.remove_asked.connect(self._remove)
        self._tools.own_asked.connect(self._ask_own)
        self._keys = self._route_keys()

    def close(self) -> None:
        self._keys.remove()

    def _route_keys(self) -> Keys:
        """While the legend has the focus; a button that is disabled does nothing."""
        tools = self._tools
        actions = {
            chord(Qt.Key.Key_Insert): tools.add.click,
            chord(Qt.Key.Key_F2): tools.edit.click,
            chord(Qt.Key.Key_Delete): tools.remove.click,
            chord(Qt.Key.Key_M, control=True): tools.show_merge_menu,
        }
        return Keys(self._bench.dock.marks.legend, actions, lambda: True)

    # ---- asking ----------------------------------------------------------------------------------------------------

    def _ask_new(self) -> None:
        dialog = ClassDialog(self._bench.controller.legend, None, self._bench.iface.mainWindow())
        dialog.accepted.connect(lambda: self._add(dialog.class_name(), dialog.color()))
        self._open(dialog)

    def _ask_edit(self) -> None:
        legend, class_id = self._bench.controller.legend, self._bench.controller.class_id
        edited = next((item for item in legend if item.id == class_id), None)
        if edited is None:
            return
        others = [item for item in legend if item is not edited]
        dialog = ClassDialog(others, edited, self._bench.iface.mainWindow())
        dialog.accepted.connect(lambda: self._edit(class_id, dialog.class_name(), dialog.color()))
        self._open(dialog)

    def _ask_own(self) -> None:
        dialog = OwnClassesDialog(self._bench.controller.legend, self._bench.iface.mainWindow())
        dialog.accepted.connect(lambda: self._bench.handle(lambda c: c.start_with(dialog.classes())))
        self._open(dialog)

    def _open(self, dialog: QDialog) -> None:
        self.dialog = dialog
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    # ---- doing -----------------------------------------------------------------------------------------------------

    def _add(self, name: str, color: str) -> None:
        self._bench.handle(lambda controller: controller.add_class(name, color))
        if not self._bench.toolbox.current:
            self._bench.toolbox.draw_again()

    def _edit(self, class_id: int, name: str, color: str) -> None:
        self._bench.handle(lambda controller: controller.edit_class(class_id, name, color))

    def _merge(self, into: int) -> None:
        self._bench.handle(lambda controller: controller.merge_class(controller.class_id, into))

    def _remove(self) -> None:
        self._bench.handle(lambda controller: controller.remove_class(controller.class_id))
