"""Algorithm: image → class map."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback

from terrafine.qgis_plugin.processing.base import OUTPUT, Parameters
from terrafine.qgis_plugin.processing.remote_base import RemoteAlgorithm, save_map


class Classify(RemoteAlgorithm):
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
        self.add_extent()
        self.add_output_map()

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        target, window = self.parameterAsOutputLayer(parameters, OUTPUT, context), self.window(parameters, context)
        with self.connect(parameters, context, feedback) as remote:
            save_map(target, remote.classify(window), window, self.image, remote, feedback)
        return {OUTPUT: target}
