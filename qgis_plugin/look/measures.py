"""What the ways to measure uncertainty are called: in plain words, and in the tooltip the technical term."""

from __future__ import annotations

from terrafine.qgis_plugin.language import tr


def measures() -> dict[str, tuple[str, str, str]]:
    """Plain words for each measure, its technical term, and what it means."""
    return {
        "entropy": (
            tr("Torn between all classes"),
            tr("entropy"),
            tr("how evenly the model's belief is spread over all classes"),
        ),
        "margin": (
            tr("Torn between the best two"),
            tr("margin"),
            tr("how close the second best class comes to the best one"),
        ),
        "odin": (
            tr("Unlike what it was trained on"),
            tr("ODIN"),
            tr("how sure the best class is after a nudge of the image in its favour; a few passes"),
        ),
        "mc-dropout": (
            tr("Wavering between passes"),
            tr("Monte Carlo dropout"),
            tr("how much the answer changes with parts of the network switched off; slow"),
        ),
        "confidnet": (
            tr("Likely mistakes"),
            tr("ConfidNet"),
            tr("what a second small network expects, trained to know the first one's mistakes"),
        ),
    }
