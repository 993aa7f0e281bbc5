"""Algorithm: image → class map."""

from __future__ import annotations

from typing import Any

from terrafine.qgis_plugin.processing.map_base import MapAlgorithm


class Classify(MapAlgorithm):
    ID = "classify"
    GROUP_ID = "classify"

    def displayName(self) -> str:
        return self.tr("Classify an image")

    def shortHelpString(self) -> str:
        return self.tr(
            "Classifies an image with a model of a Terrafine server. The result does not depend on the extent: a part "
            "is classified as it would be within the whole.\n\nThe result is a class map with names and colours, on "
            "the image's own pixels."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add_image()
        self.add_server()
        self.add_detail()
        self.add_side()
        self.add_extent()
        self.add_output_map()
