"""The accuracy report: one HTML page with its pictures inside, to keep, print and hand over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Optional, Sequence

from qgis.PyQt.QtCore import QObject

from terrafine.qgis_plugin.finish.charts import Bar, bars, matrix, round_up
from terrafine.qgis_plugin.finish.labelled import Sample
from terrafine.qgis_plugin.finish.olofsson import Assessment
from terrafine.qgis_plugin.language import Number, percent, tr
from terrafine.shared.geo import Window
from terrafine.shared.spec import LandCover

STYLE = """body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0 } th, td { padding: .3em .8em; text-align: right }
th:first-child, td:first-child { text-align: left } tr { border-bottom: 1px solid #ddd }
.chip { display: inline-block; width: .9em; height: .9em; margin-right: .5em; border: 1px solid #888 }
.big { font-size: 1.6em } .warning { background: #fff3cd; padding: .6em 1em } figure { margin: 1.5em 0 }
figcaption, .quiet { color: #666; font-size: .9em } svg { max-width: 100%; height: auto; font-family: inherit }"""


@dataclass(frozen=True)
class Material:
    """What a report is made of.

    map_name  for people
    hectares  the mapped area; None where the map has no CRS
    classes   of the assessment, in its order
    window    the part of the map that was assessed
    picture   of that part: a data URI, width, height
    warnings  what a reader must know
    """

    map_name: str
    hectares: Optional[float]
    classes: Sequence[LandCover]
    assessment: Assessment
    samples: Sequence[Sample]
    window: Window
    picture: tuple[str, int, int]
    warnings: Sequence[str]


class Report(QObject):
    def __init__(self, material: Material) -> None:
        super().__init__()
        self._of = material

    def html(self) -> str:
        title = self.tr("Accuracy of {map}").format(map=self._of.map_name)
        parts = [self._summary(), self._map(), self._accuracies(), self._areas(), self._matrix(), self._method()]
        body = "\n".join(parts)
        return (
            f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{escape(title)}</title>'
            f"<style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
        )

    def _summary(self) -> str:
        overall = self._of.assessment.overall
        right = sum(sample.agrees for sample in self._of.samples)
        words = self.tr("Overall accuracy: {value} ({percent} confidence interval)").format(
            value=f"<b>{_percent(float(overall.value), float(overall.margin))}</b>", percent=percent(0.95)
        )
        counted = self.tr("{right} of {all} labelled samples agree with the map.")
        warnings = "".join(f'<p class="warning">{escape(warning)}</p>' for warning in self._of.warnings)
        return f'<p class="big">{words}</p><p>{counted.format(right=right, all=len(self._of.samples))}</p>{warnings}'

    def _map(self) -> str:
        source, width, height = self._of.picture
        window = self._of.window
        dots = []
        for sample in sorted(self._of.samples, key=lambda sample: not sample.agrees):
            x, y = (sample.x - window.col) / window.width * width, (sample.y - window.row) / window.height * height
            fill = "#ffffff" if sample.agrees else "#d1001f"
            dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{fill}" stroke="#000000" stroke-width="0.8"/>')
        words = self.tr("The map and the samples: white where the map is right, red where it is wrong.")
        return (
            '<figure><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{escape(words)}">'
            f'<image xlink:href="{source}" width="{width}" height="{height}"/>{"".join(dots)}</svg>'
            f"<figcaption>{words}</figcaption></figure>"
        )

    def _accuracies(self) -> str:
        found = self._of.assessment
        rows, table = [], []
        for k, item in enumerate(self._of.classes):
            users, producers = (
                (100 * float(kind.value[k]), 100 * float(kind.margin[k])) for kind in (found.users, found.producers)
            )
            rows.append([Bar(item.name, item.color, *users), Bar(item.name, "#bbbbbb", *producers)])
            cells = (_percent(value / 100, margin / 100) for value, margin in (users, producers))
            table.append([_chip(item), str(int(found.counts[k].sum())), *cells])
        head = [self.tr("Class"), self.tr("Samples"), self.tr("User's accuracy"), self.tr("Producer's accuracy")]
        chart = bars(self.tr("User's (coloured) and producer's accuracy (grey), %"), rows, 100.0, "")
        words = self.tr(
            "User's accuracy: of what the map calls so, how much is so. Producer's accuracy: of what is so, how much "
            "the map calls so."
        )
        return _part(self.tr("Accuracy by class"), f"<p>{words}</p>{_figure(chart)}{_table(head, table)}")

    def _areas(self) -> str:
        found, whole = self._of.assessment, self._of.hectares
        scale, unit = (100.0, tr("{number}%").format(number="")) if whole is None else (whole, " ha")
        rows, table = [], []
        for k, item in enumerate(self._of.classes):
            mapped, area, margin = (scale * float(n[k]) for n in (found.weights, found.areas.value, found.areas.margin))
            rows.append([Bar(item.name, "#bbbbbb", mapped, math.nan), Bar(item.name, item.color, area, margin)])
            table.append([_chip(item), _decimal(mapped), _decimal(area), f"± {_decimal(margin)}"])
        largest = max(bar.value + (0.0 if math.isnan(bar.margin) else bar.margin) for row in rows for bar in row)
        largest = round_up(largest)
        sums = (f"{name}, {unit.strip()}" for name in (self.tr("Mapped"), self.tr("Estimated")))
        head = [self.tr("Class"), *sums, self.tr("{percent} interval").format(percent=percent(0.95))]
        words = self.tr(
            "Counting pixels gives the mapped area, with the map's mistakes in it. The estimated area corrects it by "
            "what the samples say of these mistakes: use this one."
        )
        chart = bars(self.tr("Mapped (grey) and estimated area (coloured)") + ", " + unit.strip(), rows, largest, "")
        return _part(self.tr("Areas"), f"<p>{words}</p>{_figure(chart)}{_table(head, table)}")

    def _matrix(self) -> str:
        found, names = self._of.assessment, [item.name for item in self._of.classes]
        counts = matrix(self.tr("Samples: map (rows), reference (columns)"), names, found.counts.tolist())
        cells = [
            [_chip(item), *(_decimal(share, 4) for share in (*row, weight))]
            for item, row, weight in zip(self._of.classes, found.cells, found.weights)
        ]
        head = [self.tr("Map"), *map(escape, names), self.tr("Share of the map")]
        words = self.tr("The same as estimated shares of the area:")
        return _part(self.tr("Error matrix"), f"{_figure(counts)}<p>{words}</p>{_table(head, cells)}")

    def _method(self) -> str:
        words = self.tr(
            "Stratified estimators of Olofsson et al. (2014), Good practices for estimating area and assessing "
            "accuracy of land change, Remote Sensing of Environment 148, 42–57, equations 1 to 10, with the map's "
            "classes as strata. Intervals are 1.96 standard errors either way. Areas are measured on the WGS 84 "
            "ellipsoid."
        )
        return _part(self.tr("Method"), f'<p class="quiet">{words}</p>')


def _part(title: str, content: str) -> str:
    return f"<h2>{title}</h2>{content}"


def _percent(value: float, margin: float) -> str:
    return "–" if math.isnan(value) else f"{percent(value, 1)} ± {percent(margin, 1)}"


def _decimal(value: float, places: int = 2) -> str:
    return f"{Number(value):,.{places}f}"


def _chip(item: LandCover) -> str:
    return f'<span class="chip" style="background:{item.color}"></span>{escape(item.name)}'


def _figure(drawing: str) -> str:
    return f"<figure>{drawing}</figure>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML cells."""
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    top = "".join(f"<th>{cell}</th>" for cell in head)
    return f"<table><tr>{top}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
