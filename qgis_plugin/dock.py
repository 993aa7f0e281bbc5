"""The dock: widgets ⇄ signals, no logic. What it shows is a controller's View; what the user does it says."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsMapLayerProxyModel, QgsRasterLayer
from qgis.gui import QgsDockWidget, QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from terrafine.qgis_plugin.controller import Kind, Link, View
from terrafine.qgis_plugin.legend import Legend
from terrafine.qgis_plugin.server_panel import ServerPanel
from terrafine.qgis_plugin.settings import Settings
from terrafine.qgis_plugin.widgets import heading, icon, line, note, tool_button

OBJECT_NAME = "TerrafineDock"
TOOLS = ("point", "stroke", "eraser")


class Dock(QgsDockWidget):
    model_chosen = pyqtSignal(str)
    raster_chosen = pyqtSignal(object)  # QgsRasterLayer or None
    area_chosen = pyqtSignal(str)
    classify_asked = pyqtSignal()
    cancel_asked = pyqtSignal()
    refresh_asked = pyqtSignal()
    live_switched = pyqtSignal(bool)
    undo_asked = pyqtSignal()
    redo_asked = pyqtSignal()
    tool_chosen = pyqtSignal(str)  # one of TOOLS, "" for none
    width_chosen = pyqtSignal(float)
    opacity_chosen = pyqtSignal(float)
    export_asked = pyqtSignal()
    help_asked = pyqtSignal()

    def __init__(self, settings: Settings, parent: Optional[QWidget] = None) -> None:
        super().__init__("Terrafine", parent)
        self.setObjectName(OBJECT_NAME)
        self.setAllowedAreas(Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea)
        self.server = ServerPanel(settings.address)
        self._make_map_widgets(settings)
        self._make_mark_widgets(settings)
        self._lay_out()
        self._connect()

    # ---- showing ---------------------------------------------------------------------------------------------------

    def show_view(self, view: View) -> None:
        """Show the state of things without emitting any signal about it."""
        self.server.show_view(view)
        self._show_models(view)
        self._show_work(view)
        self._show_marks(view)
        self.status.setText(self._status(view))

    def show_area(self, text: str) -> None:
        """Say how large the chosen area is, or why it cannot be classified."""
        self.area_note.setText(text)

    def show_tool(self, name: str) -> None:
        """Press the button of the map tool in use; "" for none of ours."""
        for tool, button in self.tools.items():
            button.setChecked(tool == name)
        self.width_row.setVisible(name == "stroke")

    def _show_models(self, view: View) -> None:
        self.model.blockSignals(True)
        names = [model.name for model in view.models]
        if names != [self.model.itemData(i) for i in range(self.model.count())]:
            self.model.clear()
            for model in view.models:
                self.model.addItem(model.title, model.name)
        self.model.setCurrentIndex(self.model.findData(view.model.name if view.model else ""))
        self.model.setEnabled(bool(names))
        self.model.setPlaceholderText("" if names else self.tr("start or connect to a server first"))
        self.model.blockSignals(False)

    def _show_work(self, view: View) -> None:
        busy = view.work is not None
        self.classify.setEnabled(view.link is Link.ONLINE and not busy and view.model is not None)
        self.classify.setDefault(not view.marks)
        self.cancel.setVisible(busy)
        self.cancel.setEnabled(busy and not view.work.cancelling)
        progress = view.work.progress if view.work else None
        self.progress.setVisible(busy)
        self.progress.setRange(0, progress.total if progress else 0)
        self.progress.setValue(progress.done if progress else 0)

    def _show_marks(self, view: View) -> None:
        self.legend.show_classes(view.model.classes if view.model else (), view.class_id)
        self.legend.setVisible(view.model is not None)
        for button in self.tools.values():
            button.setEnabled(view.has_session)
        self.undo.setEnabled(view.can_undo)
        self.redo.setEnabled(view.can_redo)
        self.live.setChecked(view.live)
        self.refresh.setVisible(view.is_behind and view.work is None)
        self.refresh.setEnabled(view.link is Link.ONLINE)
        self.opacity.setEnabled(view.has_session)
        self.export.setEnabled(view.has_session)
        self.invitation.setVisible(not view.has_session)

    def _status(self, view: View) -> str:
        """One quiet line: what goes on, or how the last click went."""
        if view.work is not None:
            return self.work_words(view)
        marks = self.tr("%n mark(s)", "", view.marks)
        if view.is_behind:
            return self.tr("{marks} · the map does not show all of them yet").format(marks=marks)
        if view.seconds is None:
            return marks if view.marks else ""
        return self.tr("{marks} · map updated in {seconds:.2f} s").format(marks=marks, seconds=view.seconds)

    def work_words(self, view: View) -> str:
        """What goes on, in a word or two; "" if nothing does."""
        if view.work is None:
            return ""
        if view.work.cancelling:
            return self.tr("Stopping…")
        if view.work.progress and view.work.progress.stage == "upload":
            return self.tr("Sending pixels to the server…")
        return self.tr("Classifying…") if view.work.kind is Kind.CLASSIFYING else self.tr("Refining…")

    # ---- making ----------------------------------------------------------------------------------------------------

    def _make_map_widgets(self, settings: Settings) -> None:
        self.model = QComboBox()
        self.raster = QgsMapLayerComboBox()
        self.raster.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.area = QComboBox()
        for key, text in self._areas().items():
            self.area.addItem(text, key)
        self.area.setCurrentIndex(max(0, self.area.findData(settings.area)))
        self.rectangle = tool_button("rectangle", self.tr("Draw the rectangle on the map"))
        self.area_note = note()
        self.classify = QPushButton(self.tr("Classify"))
        self.cancel = QPushButton(self.tr("Cancel"))
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)

    def _areas(self) -> dict[str, str]:
        return {
            "view": self.tr("What the map shows"),
            "layer": self.tr("The whole layer"),
            "rectangle": self.tr("A rectangle"),
        }

    def _make_mark_widgets(self, settings: Settings) -> None:
        self.legend = Legend()
        self.invitation = note()
        self.invitation.setText(self.tr("Classify an area, then mark mistakes: pick the right class, click on the map."))
        tips = (
            self.tr("Mark a point (pick the class with 1 – 9)"),
            self.tr("Draw a stroke"),
            self.tr("Erase marks"),
        )
        self.tools = {name: tool_button(name, tip, checkable=True) for name, tip in zip(TOOLS, tips)}
        self.undo = tool_button("undo", self.tr("Undo (Ctrl+Z)"))
        self.redo = tool_button("redo", self.tr("Redo (Ctrl+Shift+Z)"))
        self.width = QDoubleSpinBox()
        self.width.setRange(0.0, 500.0)
        self.width.setDecimals(0)
        self.width.setSuffix(self.tr(" px"))
        self.width.setValue(settings.stroke_width_px)
        self.live = QCheckBox(self.tr("Refresh the map after each mark"))
        self.refresh = QPushButton(icon("refresh"), self.tr("Refresh the map"))
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(60)
        self.export = tool_button("export", self.tr("Export the map as a compressed GeoTIFF…"))
        self.help = tool_button("help", self.tr("Help"))
        self.status = QLabel()
        self.status.setWordWrap(True)

    def _lay_out(self) -> None:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setSpacing(8)
        for part in (self.server, line(), self._map_form(), self.area_note, self._classify_row(), self.progress, line()):
            _add(column, part)
        for part in (self._marks_head(), self.legend, self.invitation, self._tool_row(), self._width_row(), self.live):
            _add(column, part)
        column.addWidget(self.refresh)
        column.addStretch(1)
        for part in (line(), self._map_row(), self._status_row()):
            _add(column, part)
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        self.setWidget(scroll)

    def _map_form(self) -> QFormLayout:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.tr("Model"), self.model)
        form.addRow(self.tr("Image"), self.raster)
        form.addRow(self.tr("Area"), _row(self.area, self.rectangle))
        return form

    def _classify_row(self) -> QHBoxLayout:
        return _row(self.classify, self.cancel)

    def _marks_head(self) -> QLabel:
        return heading(self.tr("Correct the map"))

    def _tool_row(self) -> QHBoxLayout:
        group = QButtonGroup(self)
        group.setExclusive(False)
        row = QHBoxLayout()
        for button in self.tools.values():
            group.addButton(button)
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.undo)
        row.addWidget(self.redo)
        return row

    def _width_row(self) -> QWidget:
        self.width_row = QWidget()
        self.width_row.setLayout(_row(QLabel(self.tr("Stroke width")), self.width))
        self.width_row.layout().setContentsMargins(0, 0, 0, 0)
        self.width_row.hide()
        return self.width_row

    def _map_row(self) -> QHBoxLayout:
        return _row(QLabel(self.tr("Map opacity")), self.opacity, self.export)

    def _status_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self.status, 1)
        row.addWidget(self.help)
        return row

    def _connect(self) -> None:
        self.model.activated.connect(lambda index: self.model_chosen.emit(self.model.itemData(index)))
        self.raster.layerChanged.connect(lambda layer: self.raster_chosen.emit(layer))
        self.area.activated.connect(lambda index: self.area_chosen.emit(self.area.itemData(index)))
        self.rectangle.clicked.connect(lambda: self.area_chosen.emit("rectangle"))
        self.classify.clicked.connect(self.classify_asked)
        self.cancel.clicked.connect(self.cancel_asked)
        self.refresh.clicked.connect(self.refresh_asked)
        self.live.clicked.connect(self.live_switched)
        self.undo.clicked.connect(self.undo_asked)
        self.redo.clicked.connect(self.redo_asked)
        for name, button in self.tools.items():
            button.clicked.connect(lambda on, name=name: self.tool_chosen.emit(name if on else ""))
        self.width.valueChanged.connect(self.width_chosen)
        self.opacity.valueChanged.connect(lambda percent: self.opacity_chosen.emit(percent / 100))
        self.export.clicked.connect(self.export_asked)
        self.help.clicked.connect(self.help_asked)

    def current_raster(self) -> Optional[QgsRasterLayer]:
        layer = self.raster.currentLayer()
        return layer if isinstance(layer, QgsRasterLayer) else None


def _row(*parts: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for index, part in enumerate(parts):
        row.addWidget(part, 0 if index and len(parts) == 2 else int(not isinstance(part, QLabel)))
    return row


def _add(column: QVBoxLayout, part: QWidget | QLayout) -> None:
    if isinstance(part, QLayout):
        column.addLayout(part)
    else:
        column.addWidget(part)
