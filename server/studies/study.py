"""What a study is: rows to compare, each a model, how it is used, and who reviews its maps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from terrafine.server.evaluation.annotator import Annotator
from terrafine.server.training.configuration import options, read_document
from terrafine.shared.errors import ConfigError, NotFound
from terrafine.shared.learning import LearnOptions

CATALOGUE = Path(__file__).parent / "catalogue"
TRAINED = ("model", "data", "training")  # the tables of a training's configuration
STUDY_KEYS = {"title", "about", "kind", "seeds", "length", "curves", "floor", "ceiling", "all", "rows"}


@dataclass(frozen=True)
class Relearning:
    """Retraining on marks (DISCA), from the model as it came, on all marks there are.

    at              after so many marks of a raster; none: no learning at all
    steps, rate     0: what suits the scope
    regularisation  λ
    deaf            the network is shown no marks, neither then nor when it is used (WTP: what learning does alone)
    festa           what the last layer sees is held together as FESTA has it; instead of λ, which is to be 0 then
    carry           the next raster begins with what was learnt
    follows         who reviews looks at the map that was learnt last; else at that of the model as it came: rows of one
                    model then have the same marks
    """

    at: tuple[int, ...] = ()
    scope: str = "decoder"
    steps: int = 0
    rate: float = 0.0
    regularisation: float = 1.0
    deaf: bool = False
    festa: bool = False
    carry: bool = False
    follows: bool = False

    @property
    def options(self) -> LearnOptions:
        return LearnOptions(self.scope, self.steps or None, self.rate or None, self.regularisation)


@dataclass(frozen=True)
class Review:
    """Looking at a raster patch by patch.

    order    "uncertainty", "random", "reading"; "oracle": the patch with the most wrong pixels first
    method   of uncertainty
    size_px  side of a patch
    act      what happens to a patch: "click": one point in its largest mistake (DIAL); "marks": one in each mistake of
             at least `smallest_px` pixels, as the map was when the patch came up; "truth": it becomes the truth, as if
             everything in it were painted
    """

    order: str = "uncertainty"
    method: str = "entropy"
    size_px: int = 256
    act: str = "marks"
    smallest_px: int = 200


@dataclass(frozen=True)
class Row:
    """One line of the table.

    weights  the zoo's name of a model, or its folder, with "{seed}" for the seed's number; none: one is trained
    changes  of the configuration that it is trained by: tables "model", "data", "training", merged into it key by key;
             what is reported on is the configuration's own
    trained  the name of another row whose trained model this one has
    seeds    0: as many as the study has; 1 where chance plays no part
    legend   a model, as in weights, whose classes the network is given: those that it does not know start from nothing
    way      to draw a map (studies/detail.py)
    """

    name: str
    weights: str = ""
    seeds: int = 0
    changes: Mapping[str, Any] = field(default_factory=dict)
    annotator: Annotator = field(default_factory=Annotator)
    learning: Relearning = field(default_factory=Relearning)
    review: Review = field(default_factory=Review)
    legend: str = ""
    trained: str = ""
    way: str = ""


PARTS = {"annotator": Annotator, "learning": Relearning, "review": Review}
ROW_KEYS = {"name", "weights", "seeds", "legend", "trained", "way", *PARTS, *TRAINED}


@dataclass(frozen=True)
class Study:
    """Rows × seeds. `about` says what is asked, and which table or figure of which paper asks it.

    kind            what is done with each row's model: a name in kinds.KINDS
    length          how far it goes: clicks or patches
    curves          what the table and the picture show
    floor, ceiling  rows between which the others are placed
    """

    name: str
    title: str
    about: str
    rows: tuple[Row, ...]
    kind: str = "clicks"
    seeds: int = 3
    length: int = 20
    curves: tuple[str, ...] = ("miou",)
    floor: str = ""
    ceiling: str = ""

    def trainer(self, row: Row) -> Row:
        """The row whose changes that row's model is trained by; raises ConfigError where there is none of that name."""
        for other in self.rows:
            if other.name == (row.trained or row.name):
                return other
        raise ConfigError(f"The study '{self.name}' has no row '{row.trained}' to take the model of.")


def names() -> list[str]:
    """The studies that there are."""
    return sorted(path.stem for path in CATALOGUE.glob("*.toml"))


def find(name: str) -> Study:
    """The study of that name, or in the TOML file of that path; raises NotFound or ConfigError."""
    path = Path(name) if name.endswith(".toml") else CATALOGUE / f"{name}.toml"
    if not path.is_file():
        raise NotFound(f"There is no study '{name}'.", f"There are: {', '.join(names())}.")
    return _study(path.stem, read_document(path))


def changed(study: Study, seeds: Optional[int] = None, weights: str = "") -> Study:
    """The study with so many seeds, and with this model in all rows that have one, where they are given."""
    rows = tuple(_with_model(row, weights) if weights else row for row in study.rows)
    return dataclasses.replace(study, seeds=seeds or study.seeds, rows=rows)


def _with_model(row: Row, weights: str) -> Row:
    """A row that starts from nothing has only its classes from the model."""
    if row.legend:
        return dataclasses.replace(row, legend=weights)
    return dataclasses.replace(row, weights=weights) if row.weights else row


def _study(name: str, document: Mapping[str, Any]) -> Study:
    _check_keys(name, document, STUDY_KEYS, {"title", "about", "rows"})
    everywhere = document.get("all", {})
    rows = tuple(_row(name, merged(everywhere, table)) for table in document["rows"])
    plain = {key: value for key, value in document.items() if key not in ("all", "rows")}
    plain["curves"] = tuple(document.get("curves", ("miou",)))
    return Study(**{**plain, "name": name, "about": document["about"].strip(), "rows": rows})


def _row(study: str, table: Mapping[str, Any]) -> Row:
    _check_keys(study, table, ROW_KEYS, {"name"})
    changes = {key: table[key] for key in TRAINED if key in table}
    parts: dict[str, Any] = {key: options(kind, key, table.get(key, {})) for key, kind in PARTS.items()}
    plain = {key: table[key] for key in ("weights", "seeds", "legend", "trained", "way") if key in table}
    return Row(table["name"], changes=changes, **plain, **parts)


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
    used = {name: dataclasses.asdict(getattr(row, name)) for name in PARTS}
    told = {key: getattr(row, key) for key in ("legend", "trained", "way") if getattr(row, key)}
    return {"kind": study.kind, "length": study.length, "weights": row.weights, **told, **used}
