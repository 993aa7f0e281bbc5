"""The card of a model that an analyst made: where it comes from."""

from __future__ import annotations

from collections import Counter
from datetime import date
from importlib import metadata

from terrafine.server.engine.legend import Legend
from terrafine.server.engine.session import Session
from terrafine.server.rasters.lengths import spoken
from terrafine.shared.spec import LandCover, ModelSpec

CARD = """\
# {name}

{title}

| | |
|---|---|
| comes from | the model `{base}`, which learnt from an analyst's marks (Terrafine {version}, {today}) |
| raster | {raster} |
| marks | {marks} |
| classes | {classes} |

## What it learnt

{lessons}

## Limits

Its accuracy was not measured. It was fitted to one raster, and to what its analyst called things there.
"""


def card_of(session: Session, spec: ModelSpec) -> str:
    """Markdown, for a model `spec` that is made of what the session has learnt."""
    lessons = session.weights.current.lessons
    return CARD.format(
        name=spec.name,
        title=spec.title,
        base=session.spec.name,
        version=metadata.version("terrafine"),
        today=date.today().isoformat(),
        raster=_raster(session),
        marks=_marks(session),
        classes=", ".join(_class(session.legend, entry) for entry in spec.classes),
        lessons="\n".join(f"{number}. {lesson}" for number, lesson in enumerate(lessons, 1)) or "Nothing since then.",
    )


def _raster(session: Session) -> str:
    grid, gsd_m = session.info.grid, session.info.grid.gsd_m
    size = f"{grid.width} × {grid.height} pixels"
    return f"{session.info.name or 'without a name'}, {size}" + (f" of {spoken(gsd_m)}" if gsd_m else "")


def _marks(session: Session) -> str:
    counts = Counter(mark.class_id for mark in session.tile_marks.marks)
    by_class = ", ".join(f"{counts[i]} {session.legend.classes[i].name}" for i in sorted(counts))
    return f"{sum(counts.values())}" + (f": {by_class}" if by_class else "")


def _class(legend: Legend, entry: LandCover) -> str:
    """A class, with the names of those that were merged into it."""
    own = next(known.id for known in legend.classes if known.name == entry.name)
    others = [known.name for known, target in zip(legend.classes, legend.becomes) if target == own != known.id]
    return f"{entry.id} {entry.name}" + (f" (with {', '.join(others)})" if others else "")
