"""A study as a Markdown page: what was asked, what the figures say, how they were measured, and the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from terrafine.models.metrics import mean_height
from terrafine.server.studies import kinds
from terrafine.server.studies.lines import Line, Values, by_row, lines_of, stacked, unit
from terrafine.server.studies.run import OWN, Place, Result
from terrafine.server.studies.study import Row, Study

PICTURE = "curves.png"
CONCLUSION = "conclusion.md"  # what a person makes of the figures; it has a place on the page when that is made again
BUDGET = ("steps", "batch", "crop_px")
PIXELS = ("corrected", "broken")
SMALL = 10.0  # values that are no shares, and all below it, have three decimals
FEW = 9  # places, which have a column each; of more these have:
STOPS = (0, 1, 5, 10, 20, 40, 80, 120)
MEANINGS = {
    "ece": "ece: the expected calibration error of the first map",
    "auroc": "auroc: how well a measure of doubt tells the first map's wrong pixels from right ones (0.5: not at all)",
}
LIMITS = """\
Small data supports orderings between the rows, never a paper's absolute numbers{}. Intersection over union is pooled:
one confusion matrix over all rasters, without classes that do not occur in the truth. Where nothing is left to be done,
the last map counts on."""


def page(study: Study, results: Sequence[Result], place: Place) -> str:
    """The study in words and tables."""
    trained = any(not row.weights for row in study.rows)
    doubt = "; all rows share one small budget, and with more of it their order may change" if trained else ""
    parts = [f"# {study.title}", study.about, _conclusion(place), _made(study, results, place)]
    parts += ["## The figures", f"![The curves]({PICTURE})", _table(study, results), _classes(study, results)]
    parts += [_figures(study, results), LIMITS.format(doubt)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _conclusion(place: Place) -> str:
    path = place.out / CONCLUSION
    return f"## What they say\n\n{path.read_text('utf-8').strip()}" if path.exists() else ""


def _made(study: Study, results: Sequence[Result], place: Place) -> str:
    """What it was measured on, and how to do it again."""
    wanted = sum(row.seeds or study.seeds for row in study.rows)
    data = place.base.get("data", {})
    lines = [f"- made by `{place.command or f'terrafine study {study.name}'}`; {len(results)} of {wanted} results"]
    lines += [f"- {words}" for words in _models(study, place)]
    rasters = f"{len(results[0].images)} raster(s) ({', '.join(data.get('test', ()))})"
    lines.append(f"- reported on {rasters}, each on its own; {kinds.find(study.kind).length.format(study.length)}")
    lines += [f"- measured on {words}" for words in sorted({f"{r.machine}, {r.date}" for r in results})]
    return "## How they were measured\n\n" + "\n".join(lines)


def _models(study: Study, place: Place) -> list[str]:
    """The budgets of the rows that are trained, and the models of the others."""
    data = place.base.get("data", {})
    trained = f"trained on {', '.join(data.get('train', ()))} of `{data.get('images', '.')}`"
    budgets = dict.fromkeys(_budget(study.trainer(row), place) for row in study.rows if not row.weights)
    models = dict.fromkeys(row.weights for row in study.rows if row.weights)
    return [f"{trained}: {budget}" for budget in budgets] + [_finished(model, trained, place) for model in models]


def _finished(model: str, trained: str, place: Place) -> str:
    if Path(model).parent == place.out / OWN:
        return f"a model of the data's own classes, {trained}: {_in_words(place.base.get('training', {}))}"
    return f"the model `{model}`, as it is"


def _budget(row: Row, place: Place) -> str:
    return _in_words({**place.base.get("training", {}), **row.changes.get("training", {})})


def _in_words(budget: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {budget[key]}" for key in BUDGET if key in budget)


def _table(study: Study, results: Sequence[Result]) -> str:
    lines, gains = lines_of(study, results), kinds.find(study.kind).gains
    stops, areas = _stops(lines), {line.name: mean_height(line.values, np.asarray(line.x)) for line in lines}
    digits = 1 if gains or max(abs(line.values).max() for line in lines) >= SMALL else 3
    low, high = (areas[end].mean() if end in areas else np.nan for end in (study.floor, study.ceiling))
    placed = bool(low < high)
    counts = [name for name in PIXELS if name in results[0].curves] * gains
    head = ["row", "seeds", *(f"{stop:g}" for stop in stops), *(["area", "gain"] * gains), *counts]
    head += ["share of the gap"] * placed
    text = [_explained(study, gains, counts, placed), ""]
    text += [f"| {' | '.join(head)} |", "|---|" + "---|" * (len(head) - 1)]
    for line in lines:
        found = [line.values[:, line.x.index(stop)] if stop in line.x else None for stop in stops]
        found += [areas[line.name], line.values[:, -1] - line.values[:, 0]] * gains
        cells = ["" if values is None else _figure(values, digits) for values in found]
        cells += [_figure(stacked(line.results, name).sum(1) / (line.x[-1] or 1), 0) for name in counts]
        cells += [f"{100 * (areas[line.name].mean() - low) / (high - low):.0f} %"] if placed else []
        text.append(f"| {line.name} | {len(line.results)} | {' | '.join(cells)} |")
    return "\n".join(text)


def _stops(lines: Sequence[Line]) -> list[float]:
    """The places that have a column: all that all lines have, or a choice of them."""
    last = max(line.x[-1] for line in lines)
    shared = sorted(set.intersection(*(set(line.x) for line in lines)))
    if len(shared) <= FEW:
        return sorted({*shared, last})
    return [*(float(stop) for stop in STOPS if stop < last and any(stop in line.x for line in lines)), last]


def _explained(study: Study, gains: bool, counts: Sequence[str], placed: bool) -> str:
    """What the columns are."""
    words = [f"{unit(study)} at so many {kinds.find(study.kind).axis}, ± the standard deviation over seeds"]
    words += ["area is the mean height of the curve, gain the last figure less the first"] * gains
    words += ["corrected and broken are pixels a step on the axis"] * bool(counts)
    words += [f"share of the gap: from '{study.floor}' (0 %) to '{study.ceiling}' (100 %)"] * placed
    return "; ".join(words) + "."


def _classes(study: Study, results: Sequence[Result]) -> str:
    names = [name for name in results[0].curves if name.startswith("iou ")]
    if not names:
        return ""
    lines = [
        "IoU of each class in %, before and after.", "",
        f"| row | {' | '.join(name[4:] for name in names)} |", "|---|" + "---|" * len(names),
    ]  # fmt: skip
    for row, found in by_row(study, results):
        ends = [100 * stacked(found, name)[:, [0, -1]].mean(0) for name in names]
        cells = ["–" if np.isnan(pair).any() else f"{pair[0]:.1f} → {pair[1]:.1f}" for pair in ends]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _figures(study: Study, results: Sequence[Result]) -> str:
    """A table of single figures, if there are any."""
    names = list(results[0].figures)
    if not names:
        return ""
    meanings = [meaning for key, meaning in MEANINGS.items() if any(name.startswith(key) for name in names)]
    lines = [
        "; ".join(["Single figures", *meanings]) + ".", "",
        f"| row | {' | '.join(names)} |", "|---|" + "---|" * len(names),
    ]  # fmt: skip
    for row, found in by_row(study, results):
        cells = [_figure(np.array([result.figures[name] for result in found]), 3) for name in names]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _figure(values: Values, digits: int) -> str:
    mean = f"{values.mean():.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1):.{digits}f}"
