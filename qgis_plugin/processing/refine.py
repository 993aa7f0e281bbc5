"""Algorithm: image and marks → class map that heeds them."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingContext

from terrafine.qgis_plugin.processing.base import Parameters
from terrafine.qgis_plugin.processing.map_base import MapAlgorithm
from terrafine.qgis_plugin.processing.remote import Remote


class Refine(MapAlgorithm):
    ID = "refine"
    GROUP_ID = "classify"

    def displayName(self) -> str:
        return self.tr("Classify with marks")

    def shortHelpString(self) -> str:
        return self.tr(
            "Classifies an image with a model of a Terrafine server that listens to marks: points, lines or polygons "
            "that say what is really there. The map heals around each of them; the model stays as it is.\n\nThe "
            "result is a class map with names and colours, on the image's own pixels."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add_image()
        self.add_marks()
        self.add_server()
        self.add_detail()
        self.add_side()
        self.add_extent()
        self.add_output_map()

    def prepare(self, parameters: Parameters, context: QgsProcessingContext, remote: Remote) -> None:
        remote.set_marks(self.marks(parameters, context, remote))
        super().prepare(parameters, context, remote)
