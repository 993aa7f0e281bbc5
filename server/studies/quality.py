"""How honest a map's doubts are: calibration error, and uncertainty as a detector of mistakes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from terrafine.models.certainty.calibration import calibration_error
from terrafine.models.certainty.uncertainty import PER_LOGITS
from terrafine.models.metrics import VOID
from terrafine.server.engine.tile_runner import TileRunner
from terrafine.server.engine.work import Work
from terrafine.server.evaluation.refinement import Refinement
from terrafine.shared.spec import NODATA_CLASS


def quality(refinement: Refinement) -> dict[str, float]:
    """Figures of the map as it is: "ece", the expected calibration error, and "auroc" of entropy and margin."""
    session = refinement.session
    logits = TileRunner(session, Work()).logits(refinement.whole).cpu()
    temperature = session.spec.temperature
    known = (refinement.truth != VOID) & (refinement.map != NODATA_CLASS)
    wrong = (refinement.map != refinement.truth)[known]
    truth = np.searchsorted(session.legend.shown, refinement.truth[known])
    found = {"ece": calibration_error(np.ascontiguousarray(logits.numpy()[:, known].T), truth, temperature)}
    for name, measure in PER_LOGITS.items():
        found[f"auroc {name}"] = auroc(measure(logits, temperature).numpy()[known], wrong)
    return found


def auroc(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """The probability that a positive has a higher score than a negative, ties counted half; NaN without either."""
    hits = int(positive.sum())
    misses = positive.size - hits
    if not hits or not misses:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))
