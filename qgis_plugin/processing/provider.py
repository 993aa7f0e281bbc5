"""Terrafine in QGIS's Processing toolbox. The algorithms are imported when QGIS asks for them."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from terrafine.qgis_plugin.widgets import icon


class Provider(QgsProcessingProvider):
    def id(self) -> str:
        return "terrafine"

    def name(self) -> str:
        return "Terrafine"

    def icon(self) -> QIcon:
        return icon("terrafine")

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        return ["tif"]

    def loadAlgorithms(self) -> None:
        from terrafine.qgis_plugin.processing.accuracy import Accuracy
        from terrafine.qgis_plugin.processing.classify import Classify
        from terrafine.qgis_plugin.processing.learn import Learn
        from terrafine.qgis_plugin.processing.majority import Majority
        from terrafine.qgis_plugin.processing.objects import Objects
        from terrafine.qgis_plugin.processing.queries import Queries
        from terrafine.qgis_plugin.processing.refine import Refine
        from terrafine.qgis_plugin.processing.samples import Samples
        from terrafine.qgis_plugin.processing.sieve import Sieve
        from terrafine.qgis_plugin.processing.statistics import Statistics
        from terrafine.qgis_plugin.processing.uncertainty import Uncertainty
        from terrafine.qgis_plugin.processing.vectorise import Vectorise

        remote = (Classify, Refine, Uncertainty, Queries, Learn, Objects)
        for algorithm in (*remote, Vectorise, Sieve, Majority, Statistics, Samples, Accuracy):
            self.addAlgorithm(algorithm())
