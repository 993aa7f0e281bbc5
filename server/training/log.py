"""What a training writes of itself: log.csv, and curves of it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

LOG, CURVES = "log.csv", "curves.png"


class Log:
    """log.csv, in long form: step, name, value. What a resumed training does again is forgotten first."""

    def __init__(self, path: Path, step: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [row for row in rows_of(path) if row[0] <= step] if path.exists() else []
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["step", "name", "value"])
        self._writer.writerows((step, name, f"{value:.6g}") for step, name, value in kept)
        self._file.flush()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, step: int, values: dict[str, float]) -> None:
        self._writer.writerows([step, name, f"{value:.6g}"] for name, value in values.items())
        self._file.flush()


def draw_curves(log: Path, picture: Path, panels: Sequence[str]) -> None:
    """What begins with the name of each panel, losses, accuracies and validation say, against the step, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves: dict[str, list[tuple[int, float]]] = {}
    for step, name, value in rows_of(log):
        curves.setdefault(name, []).append((step, value))
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5 * len(panels), 4))
    for axis, prefix in zip(axes, panels):
        for name in sorted(curves):
            if name.startswith(prefix):
                axis.plot(*zip(*_smoothed(curves[name])), label=name)
        axis.set(xlabel="step", ylabel=prefix)
        if axis.lines:
            axis.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)


def rows_of(log: Path) -> Iterator[tuple[int, str, float]]:
    with log.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield int(row["step"]), row["name"], float(row["value"])


def _smoothed(points: list[tuple[int, float]]) -> list[tuple[float, float]]:
    """At most 200 points, each the mean of its neighbours."""
    size = max(1, len(points) // 200)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(p[0] for p in g) / len(g), sum(p[1] for p in g) / len(g)) for g in groups]
