"""A study's results as CSV, as curves and as a Markdown page."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrafine.server.studies import kinds
from terrafine.server.studies.run import Place, Result
from terrafine.server.studies.study import Study

CSV, PICTURE, PAGE = "results.csv", "curves.png", "README.md"
BUDGET = ("steps", "batch", "crop_px")
PIXELS = ("corrected", "broken")
EXPLAINED = (
    "area is the curve's mean height, ± the standard deviation over seeds, corrected and broken are pixels a step on "
    "the axis."
)
STOPS = (0, 1, 5, 10, 20, 40, 80, 120)
LIMITS = """\
Small data supports orderings between the rows, never a paper's absolute numbers{}. Intersection over union is pooled:
one confusion matrix over all rasters, without classes that do not occur in the truth. Where nothing is left to be done,
the last map counts on."""
Values = NDArray[np.float64]


def write(study: Study, results: Sequence[Result], place: Place) -> None:
    """results.csv, curves.png and README.md in the study's folder, of whatever results there are so far."""
    write_csv(results, place.out / CSV)
    draw(study, results, place.out / PICTURE)
    (place.out / PAGE).write_text(page(study, results, place), "utf-8")


def write_csv(results: Sequence[Result], path: Path) -> None:
    """In long form: row, seed, name, x, value; x is empty for single figures."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "seed", "name", "x", "value"])
        for result in results:
            for name, values in result.curves.items():
                writer.writerows(
                    (result.row, result.seed, name, f"{x:g}", f"{v:.6g}") for x, v in zip(result.x, values)
                )
            writer.writerows((result.row, result.seed, name, "", f"{v:.6g}") for name, v in result.figures.items())


def draw(study: Study, results: Sequence[Result], path: Path) -> None:
    """The study's curve against clicks or patches, and against the seconds they took; bands are one deviation."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (by_work, by_seconds) = pyplot.subplots(1, 2, figsize=(12, 4.5), sharey=True)
    for line in lines_of(study, results):
        mean, spread = line.values.mean(0), deviation(line.values)
        places = [(by_work, np.array(line.x))]
        if "seconds" in line.results[0].curves:
            places.append((by_seconds, stacked(line.results, "seconds").mean(0)))
        for axis, x in places:
            axis.plot(x, mean, label=line.name, marker="." if len(x) < 8 else "")
            axis.fill_between(x, mean - spread, mean + spread, alpha=0.2)
    by_work.set(xlabel=kinds.find(study.kind).AXIS, ylabel=_unit(study), title=study.title)
    by_seconds.set(xlabel="seconds that the machine took for them")
    by_work.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


@dataclass(frozen=True)
class Line:
    """One line of the table and of the picture: a curve of a row, values (seeds, places); shares are in %."""

    name: str
    results: list[Result]
    values: Values

    @property
    def x(self) -> list[float]:
        return self.results[0].x


def lines_of(study: Study, results: Sequence[Result]) -> list[Line]:
    """In the study's order; a row with several curves has several lines."""
    found = []
    for row, of_row in by_row(study, results):
        for curve in study.curves:
            name = row if len(study.curves) == 1 else f"{row}: {curve}"
            found.append(Line(name, of_row, stacked(of_row, curve) * (100 if _is_share(curve) else 1)))
    return found


def _is_share(curve: str) -> bool:
    return curve.startswith(("miou", "iou", "accuracy"))


def _unit(study: Study) -> str:
    first = study.curves[0]
    return f"{_words(first)}, %" if _is_share(first) else "pixels"


def by_row(study: Study, results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    """The results of each row that has any, in the study's order."""
    grouped = ((row.name, [result for result in results if result.row == row.name]) for row in study.rows)
    return [(name, found) for name, found in grouped if found]


def stacked(results: Sequence[Result], curve: str) -> Values:
    """(seeds, places) of one row's curve."""
    return np.array([result.curves[curve] for result in results])


def deviation(values: Values) -> Values:
    """The sample standard deviation over the seeds, 0 for a single one."""
    return values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])


def area(values: Values, x: Sequence[float]) -> Values:
    """The area under the curve over its last axis ÷ its width: its mean height, by the trapezium rule."""
    if len(x) < 2:
        return np.asarray(values[..., 0])
    widths = np.diff(np.asarray(x, np.float64))
    return np.asarray(((values[..., :-1] + values[..., 1:]) / 2 * widths).sum(-1) / widths.sum())


def page(study: Study, results: Sequence[Result], place: Place) -> str:
    """The study in words and tables."""
    trained = any(not row.weights for row in study.rows)
    doubt = "; all rows share one small budget, and with more of it their order may change" if trained else ""
    parts = [f"# {study.title}", study.about, _made(study, results, place), f"![The curves]({PICTURE})"]
    parts += [_table(study, results), _classes(study, results), _figures(study, results), LIMITS.format(doubt)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _made(study: Study, results: Sequence[Result], place: Place) -> str:
    """What it was measured on."""
    data = place.base.get("data", {})
    wanted = sum(row.seeds or study.seeds for row in study.rows)
    lines = [f"- `terrafine study {study.name}`; {len(results)} of {wanted} results"]
    for row in study.rows[:1]:
        budget = {**place.base.get("training", {}), **row.changes.get("training", {})}
        words = ", ".join(f"{key} {budget[key]}" for key in BUDGET if key in budget)
        trained = f"trained on {', '.join(data.get('train', ()))} of `{data.get('images', '.')}`; every row: {words}"
        lines.append(f"- the model {row.weights}" if row.weights else f"- {trained}")
    rasters = f"{len(results[0].images)} raster(s) ({', '.join(data.get('test', ()))})"
    lines.append(f"- reported on {rasters}, each on its own; {study.length} {kinds.find(study.kind).AXIS} at most")
    lines += [f"- measured on {words}" for words in sorted({f"{r.machine}, {r.date}" for r in results})]
    return "\n".join(lines)


def _table(study: Study, results: Sequence[Result]) -> str:
    lines = lines_of(study, results)
    last = max(results[0].x)
    stops = [stop for stop in STOPS if stop < last] + [last]
    areas = {line.name: area(line.values, line.x) for line in lines}
    placed = study.floor in areas and study.ceiling in areas
    counts = [name for name in PIXELS if name in results[0].curves]
    head = ["row", "seeds", *(f"{stop:g}" for stop in stops), "area", "gain", *counts]
    head += ["share of the gap"] * placed
    text = [f"{_unit(study)} at so many {kinds.find(study.kind).AXIS}; {EXPLAINED}", ""]
    text += [f"| {' | '.join(head)} |", "|---|" + "---|" * (len(head) - 1)]
    for line in lines:
        cells = [_figure(line.values[:, line.x.index(stop)]) if stop in line.x else "" for stop in stops]
        cells += [_figure(areas[line.name]), _figure(line.values[:, -1] - line.values[:, 0])]
        cells += [_figure(stacked(line.results, name).sum(1) / (line.x[-1] or 1), 0) for name in counts]
        if placed:
            low, high = (areas[end].mean() for end in (study.floor, study.ceiling))
            cells.append(f"{100 * (areas[line.name].mean() - low) / (high - low):.0f} %")
        text.append(f"| {line.name} | {len(line.results)} | {' | '.join(cells)} |")
    return "\n".join(text)


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
    """Of the first map: a table, if there are any."""
    names = list(results[0].figures)
    if not names:
        return ""
    lines = [
        "Single figures; of first maps the expected calibration error, and how well doubt finds wrong pixels.", "",
        f"| row | {' | '.join(names)} |", "|---|" + "---|" * len(names),
    ]  # fmt: skip
    for row, found in by_row(study, results):
        cells = [_figure(np.array([result.figures[name] for result in found]), 3) for name in names]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _words(curve: str) -> str:
    return {"miou": "mean IoU"}.get(curve, curve.replace("iou", "IoU of", 1))


def _figure(values: Values, digits: int = 1) -> str:
    mean = f"{values.mean():.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1):.{digits}f}"
