"""What Terrafine's algorithms have in common: names, help, errors for people, and the class map that many read."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Mapping

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterExtent,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingUtils,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QCoreApplication, QUrl
from qgis.PyQt.QtGui import QIcon

from terrafine.qgis_plugin.finish.class_raster import ClassRaster, ClassSource, class_source
from terrafine.qgis_plugin.finish.filters import Report
from terrafine.qgis_plugin.maps.layer import export_map
from terrafine.qgis_plugin.styles import show_named_classes
from terrafine.qgis_plugin.welcome.guide import GUIDE
from terrafine.qgis_plugin.widgets import icon
from terrafine.qgis_plugin.words import in_users_words
from terrafine.shared.errors import Cancelled, TerrafineError
from terrafine.shared.geo import Window

DECIMALS = 2  # of sizes in pixels and metres; QGIS would write 6
INPUT, EXTENT, OUTPUT = "INPUT", "EXTENT", "OUTPUT"
Parameters = dict[str, Any]


class Algorithm(QgsProcessingAlgorithm):
    """Base of all: `work` does it, and raises TerrafineError for people; a stop by the user is no error."""

    ID = ""
    GROUP_ID = ""
    _results: Mapping[str, Any] = MappingProxyType({})

    def createInstance(self) -> QgsProcessingAlgorithm:
        return type(self)()

    def name(self) -> str:
        return self.ID

    def groupId(self) -> str:
        return self.GROUP_ID

    def group(self) -> str:
        names = {
            "classify": self.tr("Classify"),
            "finish": self.tr("Finish a map"),
            "accuracy": self.tr("Accuracy"),
        }
        return names[self.GROUP_ID]

    def icon(self) -> QIcon:
        return icon("terrafine")

    def helpUrl(self) -> str:
        """The guide that came with the plugin: it needs no network."""
        return QUrl.fromLocalFile(str(GUIDE)).toString()

    def tr(self, text: str) -> str:
        """The text in the user's language, from the context of the class that holds it."""
        contexts = (kind.__name__ for kind in type(self).__mro__)
        found = (QCoreApplication.translate(context, text) for context in contexts)
        return next((translated for translated in found if translated != text), text)

    def add(self, parameter: QgsProcessingParameterDefinition, help_text: str) -> None:
        """Add a parameter with its help; numbers are written with the digits that somebody would type."""
        parameter.setHelp(help_text)
        if isinstance(parameter, QgsProcessingParameterNumber):
            parameter.setMetadata({"widget_wrapper": {"decimals": DECIMALS}})
        self.addParameter(parameter)

    def add_extent(self) -> None:
        self.add(
            QgsProcessingParameterExtent(EXTENT, self.tr("Extent"), optional=True),
            self.tr("The part to use; everything if this is left empty."),
        )

    def add_output_map(self) -> None:
        self.add(
            QgsProcessingParameterRasterDestination(OUTPUT, self.tr("Result")),
            self.tr("A compressed GeoTIFF with names, colours and overviews."),
        )

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        try:
            self._results = self.work(parameters, context, feedback)
            return self._results
        except Cancelled:
            return {}
        except TerrafineError as error:
            raise QgsProcessingException(str(in_users_words(error))) from error

    def postProcessAlgorithm(self, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        """Have a result that is a class map show its classes alone."""
        path = str(self._results.get(OUTPUT, ""))
        if context.willLoadLayerOnCompletion(path):
            layer = QgsProcessingUtils.mapLayerFromString(path, context)
            if isinstance(layer, QgsRasterLayer):
                show_named_classes(layer)
        return {}

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """The results by output; raises TerrafineError."""
        raise NotImplementedError


class MapAlgorithm(Algorithm):
    """Base of those that read a class map, or a part of it."""

    def add_map(self) -> None:
        self.add(
            QgsProcessingParameterRasterLayer(INPUT, self.tr("Class map")),
            self.tr("A raster of class ids, such as Terrafine's map. Names and colours are those of the layer."),
        )

    def prepareAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take what is needed from the layer while in its thread."""
        try:
            self.source = class_source(self.parameterAsRasterLayer(parameters, INPUT, context))
        except TerrafineError as error:
            raise QgsProcessingException(str(error)) from error
        return True

    def open_map(self, parameters: Parameters, context: QgsProcessingContext) -> tuple[ClassRaster, Window]:
        """The map and the window of it that is wanted."""
        raster = ClassRaster(self.source)
        extent = self.parameterAsExtent(parameters, EXTENT, context, self.source.file.crs)
        return raster, raster.window(extent)


def export_to(target: str, working: ClassSource, feedback: QgsProcessingFeedback) -> None:
    """Write a finished working copy to where the user wants it; the last fifth of the progress."""
    report = report_to(feedback, 0.8, 1.0)
    check(feedback)
    export_map(working.file.path, target, lambda fraction, message, data: int(report(fraction)))
    check(feedback)


def report_to(feedback: QgsProcessingFeedback, begin: float = 0.0, end: float = 1.0) -> Report:
    """Moves the progress bar between two fractions; tells whether to go on."""

    def report(fraction: float) -> bool:
        feedback.setProgress(100 * (begin + (end - begin) * fraction))
        return not feedback.isCanceled()

    return report


def check(feedback: QgsProcessingFeedback) -> None:
    """Raise Cancelled if the user wants to stop."""
    if feedback.isCanceled():
        raise Cancelled("The algorithm was stopped.")
