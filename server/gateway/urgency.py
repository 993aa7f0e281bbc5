"""How urgent a request is: somebody waits for a click; learning is watched; whole maps are made in the background."""

from __future__ import annotations

from terrafine.shared import messages as m

INTERACTIVE, LEARNING, BACKGROUND = range(3)
VIEW_PX = 4096 * 4096  # pixels, at most, of a map that somebody may be looking at
PATIENCE_S = 1.0  # without a turn makes a request one step more urgent: nothing waits for ever


def urgency(message: m.Message, waited_s: float) -> int:
    """0 for the most urgent, of a request that has waited so long for its turn."""
    return max(INTERACTIVE, _kind(message) - int(waited_s / PATIENCE_S))


def _kind(message: m.Message) -> int:
    if isinstance(message, m.Predict):
        is_whole = message.changed_since is None and message.window.pixels > VIEW_PX
        return BACKGROUND if is_whole else INTERACTIVE
    if isinstance(message, (m.MeasureUncertainty, m.RankPatches)):
        return BACKGROUND
    return LEARNING if isinstance(message, m.Learn) else INTERACTIVE
