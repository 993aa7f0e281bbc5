"""terrafine models: what there is, and what each can do."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from terrafine.models import registry
from terrafine.server.zoo import known_folders
from terrafine.shared import spec as specs
from terrafine.shared.spec import ModelSpec

HELP = """\
List the models that `terrafine serve` offers, or describe one.

examples:
  terrafine models
  terrafine models landcover-rgb
  terrafine models landcover-rgb --json
  terrafine models --models runs/mine
"""

TASKS = {"map": "classifies rasters", "object": "finds single objects from a box and clicks"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="describe this model")
    parser.add_argument("--models", type=Path, action="append", default=[], metavar="DIR", help="more model folders")
    parser.add_argument("--json", action="store_true", help="print model.json")


def run(arguments: argparse.Namespace) -> int:
    folders = known_folders(arguments.models)
    if arguments.name is None:
        found = [registry.describe(folder) for _, folder in sorted(registry.zoo(folders).items())]
        print(json.dumps([specs.to_json(spec) for spec in found], indent=2) if arguments.json else _table(found))
        return 0
    folder = registry.find(arguments.name, folders)
    spec = registry.describe(folder)
    print(specs.dumps(spec) if arguments.json else _description(spec, folder))
    return 0


def _table(found: list[ModelSpec]) -> str:
    if not found:
        return "There is no model. Train one with `terrafine train`, or name a folder with --models."
    width = max(len(spec.name) for spec in found)
    return "\n".join(
        f"{spec.name:<{width}}  {spec.title} ({', '.join(spec.bands)}, {_gsd(spec)}, {len(spec.classes)} classes)"
        for spec in found
    )


def _description(spec: ModelSpec, folder: Path) -> str:
    size_mb = (folder / registry.WEIGHTS).stat().st_size / 1e6
    card = folder / registry.CARD
    lines = [
        f"{spec.name}: {spec.title}",
        f"  task      {TASKS[spec.task]}",
        f"  network   {spec.architecture} on {spec.encoder}, {size_mb:.1f} MB",
        f"  bands     {', '.join(spec.bands)} at {_gsd(spec)}",
        f"  tiles     {spec.tile_px} px, {spec.overlap_px} px shared",
        f"  classes   {', '.join(f'{entry.id} {entry.name} ({entry.color})' for entry in spec.classes)}",
        f"  folder    {folder}",
    ]
    return "\n".join(lines + (["", card.read_text("utf-8")] if card.is_file() else []))


def _gsd(spec: ModelSpec) -> str:
    return f"{spec.gsd_m:g} m" if spec.gsd_m else "any resolution"
