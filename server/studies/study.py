"""What a study is: rows to compare, each a change of one base configuration and a way to annotate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from terrafine.server.annotator import Annotator
from terrafine.server.training import options, read_document
from terrafine.shared.errors import ConfigError, NotFound

CATALOGUE = Path(__file__).parent / "catalogue"
TRAINED = ("model", "data", "training")  # the tables of a training's configuration
STUDY_KEYS = {"title", "about", "seeds", "clicks", "all", "rows"}
ROW_KEYS = {"name", "annotator", *TRAINED}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    changes    of the base configuration: tables "model", "data", "training", merged into it key by key
    annotator  who clicks on the maps of this row's models
    """

    name: str
    changes: Mapping[str, Any]
    annotator: Annotator


@dataclass(frozen=True)
class Study:
    """Rows × seeds. `about` says what is asked, and which table or figure of which paper asks it."""

    name: str
    title: str
    about: str
    seeds: int
    clicks: int
    rows: tuple[Row, ...]


def names() -> list[str]:
    """The studies that there are."""
    return sorted(path.stem for path in CATALOGUE.glob("*.toml"))


def find(name: str) -> Study:
    """The study of that name, or in the TOML file of that path; raises NotFound or ConfigError."""
    path = Path(name) if name.endswith(".toml") else CATALOGUE / f"{name}.toml"
    if not path.is_file():
        raise NotFound(f"There is no study '{name}'.", f"There are: {', '.join(names())}.")
    return _study(path.stem, read_document(path))


def with_seeds(study: Study, seeds: Optional[int]) -> Study:
    """The same with so many repetitions, if that is said."""
    return dataclasses.replace(study, seeds=seeds) if seeds else study


def _study(name: str, document: Mapping[str, Any]) -> Study:
    _check_keys(name, document, STUDY_KEYS, {"title", "about", "rows"})
    everywhere = document.get("all", {})
    return Study(
        name=name,
        title=document["title"],
        about=document["about"].strip(),
        seeds=document.get("seeds", 3),
        clicks=document.get("clicks", 20),
        rows=tuple(_row(name, merged(everywhere, table)) for table in document["rows"]),
    )


def _row(study: str, table: Mapping[str, Any]) -> Row:
    _check_keys(study, table, ROW_KEYS, {"name"})
    changes = {key: table[key] for key in TRAINED if key in table}
    return Row(table["name"], changes, options(Annotator, "annotator", table.get("annotator", {})))


def _check_keys(study: str, table: Mapping[str, Any], known: set[str], needed: set[str]) -> None:
    unknown, missing = sorted(table.keys() - known), sorted(needed - table.keys())
    if unknown or missing:
        fault = f"has no use for '{unknown[0]}'" if unknown else f"lacks '{missing[0]}'"
        raise ConfigError(f"The study '{study}' {fault}.", f"There are: {', '.join(sorted(known))}.")


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` written over it, table by table."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(base.get(key), Mapping)
        result[key] = merged(base[key], value) if both else value
    return result


def settings(study: Study, row: Row) -> dict[str, Any]:
    """What a result of this row depends on besides the base configuration, as JSON."""
    return {"clicks": study.clicks, "annotator": dataclasses.asdict(row.annotator)}
