"""Algorithm: a model learns from marks, and is kept at the server under a new name."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterEnum,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterString,
)

from terrafine.qgis_plugin.processing.base import OUTPUT, Parameters
from terrafine.qgis_plugin.processing.remote_base import RemoteAlgorithm, save_map
from terrafine.shared.learning import SCOPES, LearnOptions

SCOPE, NAME, TITLE = "SCOPE", "NAME", "TITLE"
LEARNT_MODEL, BEFORE, AFTER = "LEARNT_MODEL", "RIGHT_BEFORE", "RIGHT_AFTER"
LEARNING_SHARE = 0.7  # of the progress bar


class Learn(RemoteAlgorithm):
    ID = "learn"
    GROUP_ID = "classify"

    def displayName(self) -> str:
        return self.tr("Learn from marks")

    def shortHelpString(self) -> str:
        return self.tr(
            "Retrains a model of a Terrafine server on marks, points, lines or polygons that say what is really "
            "there, and keeps the result at the server as a new model. The old one stays as it is.\n\nRight before "
            "and right after are the percentages of the marked pixels that the model gets right by itself."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:
        scopes = [self.tr("The colours of the scene"), self.tr("All but the encoder"), self.tr("Everything")]
        self.add_image()
        self.add_marks()
        self.add(
            QgsProcessingParameterEnum(
                SCOPE, self.tr("What may change"), scopes, defaultValue=SCOPES.index(LearnOptions().scope)
            ),
            self.tr("The less may change, the quicker it is, and the less is forgotten."),
        )
        self.add(
            QgsProcessingParameterString(NAME, self.tr("Name of the new model")),
            self.tr("Letters, digits, '.', '_' or '-'; one that the server does not have yet."),
        )
        self.add(
            QgsProcessingParameterString(TITLE, self.tr("Title of the new model"), "", optional=True),
            self.tr("For people; the name if this is left empty."),
        )
        self.add_server()
        self.add_extent()
        self.add(
            QgsProcessingParameterRasterDestination(OUTPUT, self.tr("Map of the new model"), None, True, False),
            self.tr("The extent, classified with what was learnt, marks included."),
        )
        self.addOutput(QgsProcessingOutputString(LEARNT_MODEL, self.tr("Name of the new model")))
        self.addOutput(QgsProcessingOutputNumber(BEFORE, self.tr("Right before, percent")))
        self.addOutput(QgsProcessingOutputNumber(AFTER, self.tr("Right after, percent")))

    def work(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        target, window = self.parameterAsOutputLayer(parameters, OUTPUT, context), self.window(parameters, context)
        name = self.parameterAsString(parameters, NAME, context)
        title = self.parameterAsString(parameters, TITLE, context) or name
        options = LearnOptions(scope=SCOPES[self.parameterAsEnum(parameters, SCOPE, context)])
        with self.connect(parameters, context, feedback) as remote:
            remote.set_marks(self.marks(parameters, context, remote))
            learnt = remote.learn(options, LEARNING_SHARE if target else 1.0)
            saved = remote.save_model(name, title)
            if target:
                save_map(target, remote.classify(window, LEARNING_SHARE), window, self.image, remote, feedback)
        results = {LEARNT_MODEL: saved.name, BEFORE: 100 * learnt.right_before, AFTER: 100 * learnt.right_after}
        return {**results, OUTPUT: target} if target else results
