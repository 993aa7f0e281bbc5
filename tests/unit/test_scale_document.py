"""docs/scale.md shows what tools/scale_model.py says, and that reckons with the model that ships."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from terrafine.models import registry
from terrafine.server.cluster.blocks import ACROSS, DOWN

ROOT = Path(__file__).resolve().parents[2]
MODEL = runpy.run_path(str(ROOT / "tools/scale_model.py"))
PAGE = (ROOT / "docs/scale.md").read_text("utf-8")
COSTS = {name: cost.value for name, cost in MODEL["COSTS"].items()}


@pytest.mark.parametrize("gpus", [10, 100, 1000])
def test_the_page_has_the_tables_that_the_model_makes(gpus):
    assert MODEL["report"](COSTS, gpus) in PAGE


def test_what_follows_by_construction_is_that_of_the_model_that_ships():
    spec = registry.describe(registry.find("landcover-rgb"))
    step_px = spec.tile_px - spec.overlap_px
    assert COSTS["tile-mpx"] == pytest.approx(step_px**2 / 1e6, rel=1e-3)
    assert COSTS["block-mpx"] == pytest.approx(ACROSS * DOWN * step_px**2 / 1e6, rel=1e-2)
    assert COSTS["again"] == pytest.approx((spec.tile_px / step_px) ** 2 * (1 + 1 / ACROSS), rel=1e-2)
