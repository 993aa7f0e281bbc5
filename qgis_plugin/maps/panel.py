"""The dock's middle: what is classified, with which model, and the button that does it; all of that can be folded away.

Progress and the button that cancels are made here; they stay in sight where the dock puts them.
"""

from __future__ import annotations

from typing import Optional, Sequence

from qgis.core import QgsMapLayer, QgsMapLayerProxyModel, QgsRasterLayer
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import QSignalBlocker, Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from terrafine.qgis_plugin.names import shown
from terrafine.qgis_plugin.settings import Settings
from terrafine.qgis_plugin.state import Link, View
from terrafine.qgis_plugin.widgets import fold, icon, note, row, tool_button
from terrafine.shared.spec import FAST, FINE, PLAIN

PROGRESS_PX = 4


class MapPanel(QWidget):
    model_chosen = pyqtSignal(str)
    side_asked = pyqtSignal()
    raster_chosen = pyqtSignal()
    detail_chosen = pyqtSignal(str)
    area_chosen = pyqtSignal(str)
    gsd_chosen = pyqtSignal(float)
    classify_asked = pyqtSignal()
    cancel_asked = pyqtSignal()
    folded = pyqtSignal(bool)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._make_choices(settings)
        self.fold = fold(self.tr("Image and model"), self.tr("Fold this away, for more room below"))
        self.classify = QPushButton(self.tr("Classify"))
        self.classify.setIcon(icon("classify"))
        self.classify.setToolTip(self.tr("Have the model classify the area; what you marked in it before holds"))
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.setToolTip(self.tr("Stop, and keep what is there; learning that is stopped has changed nothing"))
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(PROGRESS_PX)
        self._lay_out()
        self._connect()
        self.fold.setChecked(not settings.folded)

    def current_raster(self) -> Optional[QgsRasterLayer]:
        layer = self.raster.currentLayer()
        return layer if isinstance(layer, QgsRasterLayer) else None

    def leave_out(self, layers: Sequence[QgsMapLayer]) -> None:
        """Offer all rasters but these; QGIS says that the choice has changed, even where it has not, and chooses none
        at times (3.40, in the second project)."""
        before = self.raster.currentLayer()
        with QSignalBlocker(self.raster):
            self.raster.setExceptedLayerList(list(layers))
            if before is not None and before not in layers:
                self.raster.setLayer(before)
            elif self.raster.currentLayer() is None:
                self.raster.setCurrentIndex(0)
        if self.raster.currentLayer() is not before:
            self.raster_chosen.emit()

    def show_view(self, view: View) -> None:
        self._show_models(view)
        self._show_detail(view)
        busy = view.work is not None
        self.classify.setEnabled(view.link is Link.ONLINE and not busy and view.model is not None)
        self.cancel.setVisible(busy)
        self.cancel.setEnabled(busy and not view.work.cancelling)
        progress = view.work.progress if busy else None
        self.progress.setVisible(busy)
        self.progress.setRange(0, progress.total if progress else 0)  # 0 to 0 is "busy"
        self.progress.setValue(progress.done if progress else 0)

    def show_area(self, choice: str, words: str, is_base_map: bool) -> None:
        """Say how large the chosen area is, or why it cannot be classified; a base map needs a pixel size as well."""
        self.area.setCurrentIndex(self.area.findData(choice))
        self.area_note.setText(words)
        self.gsd_label.setVisible(is_base_map)
        self.gsd.setVisible(is_base_map)

    def _show_models(self, view: View) -> None:
        offered = {model.name: shown(model.title) for model in view.models}
        if view.model is not None:
            offered.setdefault(view.model.name, shown(view.model.title))  # that of a session, while there is no server
        names = list(offered)
        if names != [self.model.itemData(i) for i in range(self.model.count())]:
            self.model.clear()
            for name, title in offered.items():
                self.model.addItem(title, name)
        self.model.setCurrentIndex(names.index(view.model.name) if view.model else -1)
        self.model.setEnabled(bool(view.models))
        self.side.setVisible(view.model is not None and bool(view.model.side.names))
        self.side.setEnabled(view.has_session)

    def _show_detail(self, view: View) -> None:
        """Only where the model draws maps in another."""
        offered = view.model is not None and view.model.detail is not None
        self.detail_label.setVisible(offered)
        self.detail.setVisible(offered)
        self.detail.setCurrentIndex(self.detail.findData(view.detail))

    def _make_choices(self, settings: Settings) -> None:
        self.model = QComboBox()
        self.model.setToolTip(self.tr("The network that classifies, and with it the legend; the server offers them"))
        self.side = tool_button("side", self.tr("Side information: tell the model what is known at points"))
        self.raster = QgsMapLayerComboBox()
        self.raster.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.raster.setToolTip(self.tr("The raster layer to classify: a file, or a base map that is sampled"))
        self.area = QComboBox()
        self.area.setToolTip(self.tr("How much of the image is classified"))
        self.detail = QComboBox()
        for key, (text, hint) in self._details().items():
            self.detail.addItem(text, key)
            self.detail.setItemData(self.detail.count() - 1, hint, Qt.ItemDataRole.ToolTipRole)
        self.detail.setToolTip(self.tr("How finely the map is drawn, from the next classification on"))
        for combo in (self.model, self.raster):  # long names must not widen the dock
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setMinimumContentsLength(12)
        for key, text in self._areas().items():
            self.area.addItem(text, key)
        self.area.setCurrentIndex(max(0, self.area.findData(settings.area)))
        self.rectangle = tool_button("rectangle", self.tr("Draw the rectangle on the map"))
        self.area_note = note()
        self.gsd = QDoubleSpinBox()
        self.gsd.setRange(0.01, 1000.0)
        self.gsd.setSuffix(self.tr(" m per pixel"))
        self.gsd.setValue(settings.base_map_gsd_m)
        self.gsd.setToolTip(self.tr("A base map has no pixels of its own: it is sampled at this size"))

    def _details(self) -> dict[str, tuple[str, str]]:
        """What a choice is called, and what is good about it."""
        return {
            PLAIN: (self.tr("Standard"), self.tr("One look at each place, the fastest")),
            FAST: (self.tr("Fine where in doubt"), self.tr("A second, closer look where the map is least sure")),
            FINE: (self.tr("Fine"), self.tr("A second, closer look everywhere; takes several times as long")),
        }

    def _areas(self) -> dict[str, str]:
        return {
            "view": self.tr("What the map shows"),
            "layer": self.tr("The whole image"),
            "rectangle": self.tr("A rectangle"),
        }

    def _lay_out(self) -> None:
        self.detail_label, self.gsd_label = QLabel(self.tr("Detail")), QLabel(self.tr("Sampled at"))
        body = QWidget()
        inner = QVBoxLayout(body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(6)
        inner.addLayout(self._grid())
        inner.addWidget(self.classify)
        self.fold.toggled.connect(body.setVisible)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.fold)
        column.addWidget(body)

    def _grid(self) -> QGridLayout:
        """Labels and choices; a row that is hidden takes no room."""
        grid = QGridLayout()
        grid.setVerticalSpacing(6)
        rows = (
            (QLabel(self.tr("Model")), row(self.model, self.side)),
            (QLabel(self.tr("Image")), row(self.raster)),
            (QLabel(self.tr("Area")), row(self.area, self.rectangle)),
            (self.detail_label, row(self.detail)),
            (self.gsd_label, row(self.gsd)),
            (QLabel(), row(self.area_note)),
        )
        for number, (label, fields) in enumerate(rows):
            label.setBuddy(fields.itemAt(0).widget())
            grid.addWidget(label, number, 0)
            grid.addLayout(fields, number, 1)
        grid.setColumnStretch(1, 1)
        return grid

    def _connect(self) -> None:
        self.fold.toggled.connect(lambda is_open: self.folded.emit(not is_open))
        self.model.activated.connect(lambda index: self.model_chosen.emit(self.model.itemData(index)))
        self.detail.activated.connect(lambda index: self.detail_chosen.emit(self.detail.itemData(index)))
        self.side.clicked.connect(lambda: self.side_asked.emit())
        self.raster.layerChanged.connect(lambda _: self.raster_chosen.emit())
        self.area.activated.connect(lambda index: self.area_chosen.emit(self.area.itemData(index)))
        self.rectangle.clicked.connect(lambda: self.area_chosen.emit("rectangle"))
        self.gsd.valueChanged.connect(self.gsd_chosen)
        self.classify.clicked.connect(self.classify_asked)
        self.cancel.clicked.connect(self.cancel_asked)
