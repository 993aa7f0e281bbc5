"""The dock's lower half: the legend, the tools that correct the map, and how the map is refreshed."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from terrafine.qgis_plugin.finish.deliver_button import DeliverButton
from terrafine.qgis_plugin.legend.tools import LegendTools
from terrafine.qgis_plugin.legend.widget import Legend
from terrafine.qgis_plugin.marks.tool_buttons import ToolButtons
from terrafine.qgis_plugin.settings import Settings
from terrafine.qgis_plugin.state import Link, View
from terrafine.qgis_plugin.widgets import heading, icon, note, row


class MarksPanel(QWidget):
    width_chosen = pyqtSignal(float)
    live_switched = pyqtSignal(bool)
    refresh_asked = pyqtSignal()
    opacity_chosen = pyqtSignal(float)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.legend = Legend()
        self.legend_tools = LegendTools(self.legend)
        self.invitation = note()
        self.invitation.setText(
            self.tr("Classify an area first. Then pick the right class and click where the map is wrong.")
        )
        self.tools = ToolButtons()
        self._make_width(settings)
        self.live = QCheckBox(self.tr("Refresh the map after each mark"))
        self.live.setToolTip(self.tr("Without it, the map waits until you press Refresh the map"))
        self.refresh = QPushButton(icon("refresh"), self.tr("Refresh the map"))
        self.refresh.setToolTip(self.tr("Have the map follow all marks"))
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setToolTip(self.tr("How much of the image the map covers"))
        self.deliver = DeliverButton()
        self._lay_out()
        self._connect()

    def show_view(self, view: View) -> None:
        self.legend.show_classes(view.legend, view.class_id)
        self.legend.setVisible(bool(view.legend))
        self.legend_tools.show_view(view)
        self.invitation.setVisible(not view.has_session)
        self.tools.show_possible(view.has_session, view.can_undo, view.can_redo)
        self.live.setChecked(view.live)
        self.refresh.setVisible(view.is_behind and view.work is None)
        self.refresh.setEnabled(view.link is Link.ONLINE)
        self.opacity.setEnabled(view.has_session)
        self.deliver.setEnabled(view.has_session)

    def show_tool(self, name: str) -> None:
        """Show which map tool is in use; "" for none of ours."""
        self.tools.show_tool(name)
        self.width_row.setVisible(name == "stroke")

    def step_width(self, steps: int) -> None:
        """Make the stroke wider, or narrower with a negative number."""
        self.width.stepBy(steps)

    def show_opacity(self, opacity: float) -> None:
        self.opacity.blockSignals(True)
        self.opacity.setValue(round(100 * opacity))
        self.opacity.blockSignals(False)

    def _make_width(self, settings: Settings) -> None:
        self.width = QDoubleSpinBox()
        self.width.setRange(0.0, 500.0)
        self.width.setDecimals(0)
        self.width.setSuffix(self.tr(" px"))
        self.width.setValue(settings.stroke_width_px)
        self.width.setToolTip(self.tr("In pixels of the image; [ and ] make it narrower and wider"))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row(heading(self.tr("Correct the map")), self.legend_tools))
        column.addWidget(self.invitation)
        column.addWidget(self.legend)
        column.addWidget(self.tools)
        column.addWidget(self._width_row())
        column.addWidget(self.live)
        column.addWidget(self.refresh)
        column.addLayout(row(QLabel(self.tr("Map opacity")), self.opacity, self.deliver))

    def _width_row(self) -> QWidget:
        self.width_row = QWidget()
        line = row(QLabel(self.tr("Stroke width")), self.width)
        line.setContentsMargins(0, 0, 0, 0)
        self.width_row.setLayout(line)
        self.width_row.hide()
        return self.width_row

    def _connect(self) -> None:
        self.width.valueChanged.connect(self.width_chosen)
        self.live.clicked.connect(self.live_switched)
        self.refresh.clicked.connect(self.refresh_asked)
        self.opacity.valueChanged.connect(lambda percent: self.opacity_chosen.emit(percent / 100))
