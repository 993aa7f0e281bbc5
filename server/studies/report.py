"""A study's results as CSV, as curves and as a Markdown page."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from terrafine.server.studies import kinds
from terrafine.server.studies.lines import Line, Values, deviation, is_share, lines_of, stacked, unit
from terrafine.server.studies.page import PICTURE, page
from terrafine.server.studies.run import Place, Result
from terrafine.server.studies.study import Study

CSV, PAGE = "results.csv", "README.md"
WIDE = 1000  # an axis that goes so far has steps of ten times


def write(study: Study, results: Sequence[Result], place: Place) -> None:
    """results.csv, curves.png and README.md in the study's folder, of whatever results there are so far."""
    write_csv(results, place.out / CSV)
    draw(study, results, place.out / PICTURE)
    (place.out / PAGE).write_text(page(study, results, place), "utf-8")


def write_csv(results: Sequence[Result], path: Path) -> None:
    """Write the results in long form: row, seed, name, x, value; x is empty for single figures."""
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
    """The study's curves against clicks or patches, and, of shares, against the seconds they took; bands are one
    deviation.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines = lines_of(study, results)
    timed = is_share(study.curves[0]) and all("seconds" in line.results[0].curves for line in lines)
    figure, axes = pyplot.subplots(1, 1 + timed, figsize=(6 + 6 * timed, 4.5), sharey=True, squeeze=False)
    for line in lines:
        _draw_line(axes[0, 0], line, np.array(line.x))
        if timed:
            _draw_line(axes[0, 1], line, stacked(line.results, "seconds").mean(0))
            axes[0, 1].set(xlabel="seconds that the machine took for them")
    axes[0, 0].set(xlabel=kinds.find(study.kind).axis, ylabel=unit(study), title=study.title)
    if max(line.x[-1] for line in lines) >= WIDE:
        axes[0, 0].set_xscale("symlog", linthresh=10)
    axes[0, 0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _draw_line(axis: Any, line: Line, x: Values) -> None:
    mean, spread = line.values.mean(0), deviation(line.values)
    axis.plot(x, mean, label=line.name, marker="." if len(x) < 8 else "")
    axis.fill_between(x, mean - spread, mean + spread, alpha=0.2)
