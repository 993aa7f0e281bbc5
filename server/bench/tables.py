"""What was measured, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from terrafine.server.bench.clicks import ClickFigures
from terrafine.server.bench.clients import CrowdFigures, reached
from terrafine.server.bench.faults import FaultFigures
from terrafine.server.bench.learning import CLASSES, IMAGE_PX, REFERENCE, TILE_PX, LearningFigures
from terrafine.server.bench.raster import RasterFigures
from terrafine.server.bench.throughput import ThroughputFigures
from terrafine.server.bench.upload import UploadFigures


def click_table(figures: ClickFigures) -> str:
    p50, p95, p99 = np.percentile(figures.clicks, (50, 95, 99))
    cold = float(np.median(figures.cold))
    strokes = f"{np.median(figures.strokes):.2f} s" if figures.strokes else "–"
    total = figures.stages.get("total", 0.0) or float("nan")
    stages = [
        f"| {name} | {1000 * seconds:.1f} ms | {100 * seconds / total:.0f} % "
        f"| {1000 * figures.cold_stages.get(name, 0.0):.1f} ms |"
        for name, seconds in figures.stages.items()
        if name != "total"
    ]
    return "\n".join(
        [
            f"| raster | {figures.size_px}² pixels |",
            "|---|---|",
            f"| first map, upload included | {figures.first_map:.1f} s |",
            f"| a warm click, p50 / p95 / p99 of {len(figures.clicks)} | {p50:.3f} / {p95:.3f} / {p99:.3f} s |",
            f"| of which not the network, p50 | {1000 * np.median(figures.overheads):.1f} ms |",
            f"| a cold click, p50 / largest of {len(figures.cold)} | {cold:.3f} / {max(figures.cold):.3f} s |",
            f"| of which strokes, p50 of {len(figures.strokes)} | {strokes} |",
            f"| bytes up a click, at most | {figures.bytes_up} |",
            f"| bytes down a click, on average | {figures.bytes_down:.0f} |",
            f"| share of the raster that a click can change | {100 * figures.changed_share:.1f} % |",
            f"| pixels that changed elsewhere | {figures.outside} |",
            f"| pixels that differ from the map from scratch | {figures.differs} |",
            "",
            "| stage, at the server | median, warm | share | median, cold |",
            "|---|---|---|---|",
            *stages,
            "",
            f"- a tile without marks at the machine's limit: {1000 * figures.floor:.1f} ms",
        ]
    )


def raster_table(figures: RasterFigures) -> str:
    layout = f"{'tiled' if figures.tiled else 'striped'}, {figures.compression}, overviews {list(figures.overviews)}"
    server = [f"| of the server | {figures.server_gb:.2f} GB |"] if figures.server_gb else []
    return "\n".join(
        [
            f"| raster | {figures.size_px}² pixels, RGB |",
            "|---|---|",
            f"| time | {figures.seconds:.0f} s |",
            f"| speed | {figures.size_px**2 / 1e6 / figures.seconds:.2f} Mpx/s |",
            f"| peak memory | {figures.peak_gb:.2f} GB |",
            *server,
            f"| result | {layout}, {figures.output_mb:.1f} MB |",
        ]
    )


def upload_table(figures: UploadFigures) -> str:
    """At each rate, both at once beside one after the other, and beside the longer of the two."""
    lines = [
        f"| {figures.size_px}² pixels, read | sent, then made | both at once | of that | of the longer | first patch |",
        "|---|---|---|---|---|---|",
    ]
    for rate, together in figures.together.items():
        sent, made = figures.sent[rate], figures.made[rate]
        lines.append(
            f"| {f'at {rate} MB/s' if rate else 'from memory'} | {sent:.1f} + {made:.1f} s | {together:.1f} s "
            f"| {100 * together / (sent + made):.0f} % | {100 * together / max(sent, made):.0f} % "
            f"| {figures.first[rate]:.1f} s |"
        )
    return "\n".join([*lines, "", f"- pixels that differ: {figures.differs}"])


def learning_table(figures: LearningFigures) -> str:
    """Every item in plain passes; what is done to the large image beside the same without uncertainty, too."""
    plain = figures.seconds[REFERENCE]
    lines = [f"| median of {figures.rounds} | seconds | plain passes |", "|---|---|---|"]
    lines += [f"| {name} | {seconds:.3f} | {seconds / plain:.2f} |" for name, seconds in figures.seconds.items()]
    image, with_entropy = list(figures.seconds.values())[-2:]
    return "\n".join(
        [
            *lines,
            "",
            f"- a tile at the machine's limit: {figures.floor:.3f} s, {figures.floor / plain:.2f} plain passes",
            f"- the plain pass: LinkNet, ResNet-34, {TILE_PX}² tile, {CLASSES} classes",
            f"- entropy takes {with_entropy / image:.2f} times as long as the map alone",
            f"- memory for the {IMAGE_PX}² image: {figures.peak_gb:.2f} GB more than the idle process, "
            f"of which caches may hold {figures.budget_gb:.2f} GB",
        ]
    )


def throughput_table(figures: ThroughputFigures) -> str:
    bare = [f"| the network alone, batches of {batch} | {rate:.2f} |" for batch, rate in figures.bare.items()]
    return "\n".join(
        [
            f"| {figures.precision} | tiles a second |",
            "|---|---|",
            f"| whole raster of {figures.tiles} tiles | {figures.engine:.2f} |",
            f"| the same with entropy | {figures.with_entropy:.2f} |",
            *bare,
            f"| the machine's limit for {figures.gflop:.1f} Gflop a tile | {figures.floor:.1f} |",
            "",
            f"- the engine keeps {100 * figures.kept:.0f} % of the network's own speed",
        ]
    )


def faults_table(faults: Sequence[FaultFigures]) -> str:
    lines = ["| fault | work went on after | revisions lost | wrong pixels |", "|---|---|---|---|"]
    for one in faults:
        lines.append(f"| {one.fault} | {one.recovery_s:.1f} s | {one.revisions_lost} | {one.wrong_px} |")
    return "\n".join(lines)


def clients_table(crowds: Sequence[CrowdFigures], target_s: float) -> str:
    asked = list(dict.fromkeys(what for crowd in crowds for what in crowd.answers))
    lines = [
        "| clients | clicks a second | p50 / p95 / p99 | slowest ÷ fastest | learnt | all of it | memory | 2nd half |",
        "|---" * 8 + "|",
        *map(_crowd_line, crowds),
        "",
        f"| clients | {' | '.join(f'{what}, p50 / p95' for what in asked)} |",
        "|---" * (1 + len(asked)) + "|",
        *(f"| {crowd.clients} | {' | '.join(_answer(crowd, what) for what in asked)} |" for crowd in crowds),
    ]
    errors = [error for crowd in crowds for error in crowd.errors]
    return "\n".join(
        [
            *lines,
            "",
            f"- {crowds[0].seconds:.0f} s each; errors: {len(errors)}{': ' + errors[0] if errors else ''}",
            f"- p95 within {target_s:g} s for up to {reached(crowds, target_s)} clients",
            "- memory: of all the server's processes, by sixths of the time, and how far it rises in the second half",
        ]
    )


def _crowd_line(crowd: CrowdFigures) -> str:
    times = " / ".join(f"{seconds:.2f}" for seconds in (crowd.p50, crowd.p95, crowd.p99))
    memory = " → ".join(f"{gb:.2f}" for gb in crowd.memory_gb) + " GB"
    return (
        f"| {crowd.clients} | {crowd.clicks_a_second:.2f} | {times} s | {crowd.unfairness:.2f} | {crowd.learnt} "
        f"| {crowd.whole} | {memory} | {100 * crowd.memory_rise:+.1f} % |"
    )


def _answer(crowd: CrowdFigures, what: str) -> str:
    p50, p95 = crowd.answers.get(what, (float("nan"),) * 2)
    return f"{1000 * p50:.0f} / {1000 * p95:.0f} ms"
