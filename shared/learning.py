"""What an analyst can ask of learning and of the search for the next place to look, as the protocol carries it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from terrafine.shared.geo import Window

SCOPES = ("head", "decoder", "all")
ORDERS = ("uncertainty", "random", "reading")
MOST_STEPS = 1000
MOST_PATCHES = 10_000
MOST_FACTOR = 256  # by which a map of uncertainty may be reduced


@dataclass(frozen=True)
class LearnOptions:
    """How to retrain on marks (DISCA: Lenczner et al. 2022, section III-B); what makes no sense raises ValueError.

    scope           what may change: "head" (one linear layer, solved at once: that of the scene's colours, or the last
                    one where the network has none), "decoder" (all but the encoder) or "all"
    steps           gradient steps; None: what suits the scope
    rate            learning rate; None: what suits the scope
    regularisation  λ: how much changes of the map elsewhere cost; 0 for none
    """

    scope: str = "decoder"
    steps: Optional[int] = None
    rate: Optional[float] = None
    regularisation: float = 1.0

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ValueError(f"the scope '{self.scope}' is none of {', '.join(SCOPES)}")
        if self.steps is not None and not 1 <= self.steps <= MOST_STEPS:
            raise ValueError(f"learning takes 1 to {MOST_STEPS} steps, not {self.steps}")
        if self.rate is not None and not self.rate > 0 or not self.regularisation >= 0:
            raise ValueError("a learning rate is positive, a regularisation 0 or more")


@dataclass(frozen=True)
class RankOptions:
    """How to rank patches; what makes no sense raises ValueError.

    order    "uncertainty": the highest mean first; "random" and "reading" (row by row) to compare with
    method   of uncertainty: one of the model's ModelSpec.uncertainty
    size_px  side of the patches in raster pixels; their grid starts at the raster's origin, and those at its right and
             lower edge are smaller
    limit    the most patches to name
    seed     of the random order
    """

    order: str = "uncertainty"
    method: str = "entropy"
    size_px: int = 512
    limit: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ValueError(f"the order '{self.order}' is none of {', '.join(ORDERS)}")
        if not 16 <= self.size_px <= 4096 or not 1 <= self.limit <= MOST_PATCHES:
            raise ValueError(f"patches have 16 to 4096 pixels a side, and 1 to {MOST_PATCHES} of them are ranked")


@dataclass(frozen=True)
class RankedPatch:
    """A patch, and its score: the mean uncertainty 0 … 1; 0 in the other orders."""

    window: Window
    score: float
