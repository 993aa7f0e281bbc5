"""What a cluster would do with a country, from the cost of single things: docs/scale.md shows what comes out.

    python tools/scale_model.py
    python tools/scale_model.py --gpus 50 --area 41000 --gsd 0.25 --storage 5000
    python tools/scale_model.py --measured cluster.json        (of `terrafine bench cluster --json cluster.json`)

Nothing is simulated. Each part of the system has so much to do a second where all engines are busy, and can do so much;
what has the least room breaks first. Mpx are 10⁶ pixels of the map. The standard library is all it needs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

Numbers = dict[str, float]


class Cost(NamedTuple):
    value: float
    what: str
    is_assumed: bool = False


COSTS = {
    "area": Cost(357_000, "km² of the country", True),
    "gsd": Cost(0.5, "m a pixel", True),
    "gpu-tiles": Cost(1000, "tiles/s of the network alone on a GPU (none was at hand)", True),
    "share": Cost(0.25, "of a GPU that an engine takes (--ray-share)", True),
    "host-ms": Cost(12, "of a core for a tile outside the network: reading, blending, classes"),
    "tile-mpx": Cost(0.1475, "that a tile adds to a map: 384² pixels"),
    "again": Cost(1.85, "pixels read for one of the map: tiles overlap, columns of blocks share tiles"),
    "read-bytes": Cost(0.75, "bytes a pixel of imagery as JPEG, three bands", True),
    "storage": Cost(2000, "MB/s of the shared storage, for all readers together", True),
    "block-mpx": Cost(14.2, "of a batch: 24 × 4 tiles"),
    "ray-calls": Cost(1000, "calls/s that one program has answered"),
    "programs": Cost(1, "`terrafine predict` at once, each with its part of the sheets", True),
    "written": Cost(60, "Mpx/s that one of them writes down and out"),
    "network": Cost(1200, "MB/s into each, a byte a pixel: 10 Gbit/s", True),
    "analysts": Cost(1, "at work at once for each GPU", True),
    "clicks": Cost(10, "a minute of each", True),
    "click-messages": Cost(3, "requests of a click and its view"),
    "messages": Cost(900, "requests/s through one gateway, with 100 engines"),
    "gateways": Cost(1, "`terrafine serve` at once, each with its part of the engines", True),
}


class Load(NamedTuple):
    """What a part of the system has to do, and what it can."""

    part: str
    needed: float
    possible: float
    unit: str


def mpx_a_second(costs: Numbers) -> float:
    """Of one GPU: its engines wait for it, or it for them."""
    alone = 1 / (costs["host-ms"] / 1000 + 1 / costs["gpu-tiles"])
    return costs["tile-mpx"] * min(costs["gpu-tiles"], alone / costs["share"])


def loads(costs: Numbers, gpus: float) -> list[Load]:
    """Of all parts but the engines, the one with the least room first."""
    rate = gpus * mpx_a_second(costs)
    clicks = gpus * costs["analysts"] * costs["clicks"] / 60
    programs = costs["programs"]
    found = [
        Load("shared storage", rate * costs["again"] * costs["read-bytes"], costs["storage"], "MB/s"),
        Load("writing of maps", rate, programs * costs["written"], "Mpx/s"),
        Load("network into predict", rate, programs * costs["network"], "MB/s"),
        Load("Ray's calls", rate / costs["block-mpx"], programs * costs["ray-calls"], "/s"),
        Load("gateway", clicks * costs["click-messages"], costs["gateways"] * costs["messages"], "messages/s"),
    ]
    return sorted(found, key=lambda load: load.possible / load.needed)


def report(costs: Numbers, gpus: int) -> str:
    """As Markdown."""
    pixels, rate = costs["area"] / costs["gsd"] ** 2, gpus * mpx_a_second(costs)  # in Mpx: km² and m² cancel
    first = loads(costs, gpus)[0]
    slowed = min(1.0, first.possible / first.needed)
    lines = [
        f"**{gpus} GPUs**: {pixels / 1e6:.2f} · 10¹² pixels at {rate:,.0f} Mpx/s, {_span(pixels / rate)}"
        + (f"; as it stands, {_span(pixels / rate / slowed)}: the {first.part} breaks first." if slowed < 1 else "."),
        "",
        "| part | has to do | can do | |",
        "|---|---|---|---|",
    ]
    for load in loads(costs, gpus):
        state = "breaks" if load.needed > load.possible else f"{100 * load.needed / load.possible:.0f} % busy"
        lines.append(f"| {load.part} | {load.needed:,.0f} {load.unit} | {load.possible:,.0f} {load.unit} | {state} |")
    return "\n".join(lines)


def _span(seconds: float) -> str:
    units = {"days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
    name, length = next((name, length) for name, length in units.items() if seconds >= length or length == 1)
    return f"{seconds / length:.1f} {name}"


def measured(file: Path) -> Numbers:
    """What `terrafine bench cluster` has measured on some machine."""
    figures = json.loads(file.read_text("utf-8"))
    units = figures["units"]
    return {
        "ray-calls": figures["calls_a_second"],
        "written": units["written"],
        "messages": units["messages"]["100"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--measured", type=Path, metavar="FILE", help="take measured costs from this file")
    for name, cost in COSTS.items():
        origin = "ASSUMED" if cost.is_assumed else "measured"
        help_ = f"{cost.what} ({origin}; {cost.value:g})"
        parser.add_argument(f"--{name}", dest=name, type=float, default=cost.value, help=help_, metavar="N")
    given, _ = parser.parse_known_args()
    if given.measured is not None:
        parser.set_defaults(**measured(given.measured))
    costs = vars(parser.parse_args())
    print("\n\n".join(report(costs, gpus) for gpus in costs.pop("gpus")))  # noqa: T201


if __name__ == "__main__":
    main()
