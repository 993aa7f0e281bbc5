"""A study's results as CSV, as curves and as a Markdown page."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrafine.server.studies.run import Place, Result
from terrafine.server.studies.study import Study

CSV, PICTURE, PAGE = "results.csv", "curves.png", "README.md"
STOPS = (0, 5, 10, 20, 40, 80, 120)
LIMITS = """\
Small data supports orderings between the rows, never a paper's absolute numbers. All rows share one small budget of
training, stated above; with more of it their order may change. Intersection over union is pooled: one confusion matrix
over all rasters, without classes that do not occur in the truth. Where nothing is wrong any more, the last map counts
on."""


def write(study: Study, results: Sequence[Result], place: Place) -> None:
    """results.csv, curves.png and README.md in the study's folder, of whatever results there are so far."""
    write_csv(results, place.out / CSV)
    draw(study, results, place.out / PICTURE)
    (place.out / PAGE).write_text(page(study, results, place), "utf-8")


def write_csv(results: Sequence[Result], path: Path) -> None:
    """In long form: row, seed, curve, clicks, value."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "seed", "curve", "clicks", "value"])
        for result in results:
            for name, values in result.curves.items():
                writer.writerows((result.row, result.seed, name, i, f"{v:.6g}") for i, v in enumerate(values))


def draw(study: Study, results: Sequence[Result], path: Path) -> None:
    """Mean IoU against clicks and against the seconds that the clicks took; bands are one standard deviation."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (by_clicks, by_seconds) = pyplot.subplots(1, 2, figsize=(12, 4.5), sharey=True)
    for row in (row.name for row in study.rows):
        values, seconds = 100 * stacked(results, row, "miou"), stacked(results, row, "seconds")
        if not len(values):
            continue
        mean, spread = values.mean(0), deviation(values)
        for axis, x in ((by_clicks, np.arange(len(mean))), (by_seconds, seconds.mean(0))):
            axis.plot(x, mean, label=row)
            axis.fill_between(x, mean - spread, mean + spread, alpha=0.2)
    by_clicks.set(xlabel="clicks a raster", ylabel="mean IoU, %", title=study.title)
    by_seconds.set(xlabel="seconds that the clicks took")
    by_clicks.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def stacked(results: Sequence[Result], row: str, curve: str) -> NDArray[np.float64]:
    """(seeds, steps) of one row's curve."""
    return np.array([result.curves[curve] for result in results if result.row == row])


def deviation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sample standard deviation over the seeds, 0 for a single one."""
    return values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])


def area(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area under a curve over its last axis ÷ its width: its mean height, by the trapezium rule."""
    inner = (curve[..., :-1] + curve[..., 1:]) / 2
    return np.asarray(inner.mean(-1) if inner.shape[-1] else curve[..., 0])


def page(study: Study, results: Sequence[Result], place: Place) -> str:
    """The study in words and tables."""
    return "\n\n".join(
        [f"# {study.title}", study.about, _made(study, results, place), f"![The curves]({PICTURE})",
         _curves(study, results), _classes(study, results), LIMITS]
    ) + "\n"  # fmt: skip


def _made(study: Study, results: Sequence[Result], place: Place) -> str:
    """What it was measured on."""
    training, data = place.base["training"], place.base["data"]
    shared = {
        key: study.rows[0].changes.get("training", {}).get(key, training.get(key))
        for key in ("steps", "batch", "crop_px")
    }
    seeds = len({result.seed for result in results})
    done = f"{len(results)} of {len(study.rows) * study.seeds} results"
    budget = ", ".join(f"{key} {value}" for key, value in shared.items() if value is not None)
    return "\n".join(
        [
            f"- `terrafine study {study.name}`; {done}, {seeds} seed(s) a row",
            f"- trained on {', '.join(data['train'])} of `{data['images']}`; one budget for all rows: {budget}",
            f"- annotated: {len(results[0].images)} rasters ({', '.join(data.get('test', ()))}), "
            f"each on its own, {study.clicks} clicks",
            *(f"- measured on {words}" for words in sorted({f"{r.machine}, {r.date}" for r in results})),
        ]
    )


def _curves(study: Study, results: Sequence[Result]) -> str:
    stops = [stop for stop in STOPS if stop < study.clicks] + [study.clicks]
    head = [f"{stop}" for stop in stops]
    lines = [
        "Mean IoU in % after so many clicks; area is the curve's mean height; ± is the standard deviation over seeds.",
        "",
        f"| row | seeds | {' | '.join(head)} | area | gain | corrected a click | broken a click |",
        "|---|---|" + "---|" * (len(head) + 4),
    ]
    for row in (row.name for row in study.rows):
        values = 100 * stacked(results, row, "miou")
        if len(values):
            cells = [*(values[:, stop] for stop in stops), area(values), values[:, -1] - values[:, 0]]
            pixels = [stacked(results, row, name)[:, 1:].mean(1) for name in ("corrected", "broken")]
            cells_text = [*(_figure(cell) for cell in cells), *(_figure(cell, 0) for cell in pixels)]
            lines.append(f"| {row} | {len(values)} | {' | '.join(cells_text)} |")
    return "\n".join(lines)


def _classes(study: Study, results: Sequence[Result]) -> str:
    names = [name for name in results[0].curves if name.startswith("iou ")]
    lines = [
        "IoU of each class in %, before and after the clicks.", "",
        f"| row | {' | '.join(name[4:] for name in names)} |", "|---|" + "---|" * len(names),
    ]  # fmt: skip
    for row in (row.name for row in study.rows):
        if any(result.row == row for result in results):
            ends = [100 * stacked(results, row, name)[:, [0, -1]].mean(0) for name in names]
            lines.append(f"| {row} | {' | '.join(f'{before:.1f} → {after:.1f}' for before, after in ends)} |")
    return "\n".join(lines)


def _figure(values: NDArray[np.float64], digits: int = 1) -> str:
    mean = f"{values.mean():.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1):.{digits}f}"
