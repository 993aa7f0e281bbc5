"""What a study's page says of its results."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from terrafine.server.studies import lines, page, report
from terrafine.server.studies.run import OWN, Place, Result
from terrafine.server.studies.study import Row, Study

BASE = {
    "data": {"images": "city", "train": ["a*"], "test": ["b*"]},
    "training": {"steps": 2, "batch": 2, "crop_px": 32},
}
STUDY = Study("x", "Two ways", "Which is better?", (Row("one"), Row("other")), seeds=2)


def a_result(row="one", seed=1, x=(0, 1, 2, 3), **curves):
    values = {name: list(values) for name, values in curves.items()}
    return Result(row, seed, list(x), values, {}, ["b1"], "a machine", "2026-01-02")


def a_page(study, results, out=Path("nowhere"), **more):
    return page.page(study, results, Place(BASE, Path("data"), out, **more))


def cells(text, row):
    line = next(line for line in text.splitlines() if line.startswith(f"| {row} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_says_what_was_measured_on_what():
    results = [a_result(seed=1, miou=(0.5, 0.6, 0.7, 0.8)), a_result(seed=2, miou=(0.7, 0.8, 0.9, 1.0))]
    text = a_page(STUDY, results, command="terrafine study x --seeds 2")
    assert "`terrafine study x --seeds 2`; 2 of 4 results" in text
    assert "a machine, 2026-01-02" in text
    assert "trained on a* of `city`: steps 2, batch 2, crop_px 32" in text
    spread = [f"{mean} ± 14.1" for mean in ("60.0", "70.0", "80.0", "90.0", "75.0")]
    assert cells(text, "one") == ["one", "2", *spread, "30.0 ± 0.0"]
    assert "never a paper's absolute numbers" in text


def test_every_budget_and_every_model_of_the_rows_is_named():
    longer = Row("longer", changes={"training": {"steps": 9}})
    given = Row("given", weights="landcover-rgb")
    text = a_page(dataclasses.replace(STUDY, rows=(given, Row("one"), longer)), [a_result(miou=(0.5,), x=[0])])
    assert "steps 2, batch 2" in text
    assert "steps 9, batch 2" in text
    assert "the model `landcover-rgb`" in text


def test_a_model_that_was_trained_because_none_knew_the_classes_has_its_budget_named(tmp_path):
    own = Row("own", weights=str(tmp_path / OWN / "model"))
    text = a_page(dataclasses.replace(STUDY, rows=(own,)), [a_result("own", miou=(0.5,), x=[0])], out=tmp_path)
    assert "- a model of the data's own classes, trained on a* of `city`: steps 2, batch 2, crop_px 32" in text
    assert str(tmp_path) not in text


def test_the_share_of_the_gap_lies_between_floor_and_ceiling():
    heights = {"low": 0.2, "mid": 0.5, "high": 0.6}
    study = Study("x", "X", "?", tuple(Row(name) for name in heights), floor="low", ceiling="high")
    text = a_page(study, [a_result(name, x=(0, 1), miou=[height] * 2) for name, height in heights.items()])
    assert cells(text, "mid") == ["mid", "1", "50.0", "50.0", "50.0", "0.0", "75 %"]


def test_what_is_no_share_has_its_own_unit_and_neither_area_nor_gain():
    study = dataclasses.replace(STUDY, kind="density", curves=("seconds", "resident GB"))
    result = a_result(x=(10, 100, 1000), **{"seconds": (0.141, 0.15, 0.16), "resident GB": (1.2, 1.2, 1.28)})
    text = a_page(study, [result])
    assert "seconds, resident GB at so many marks on the raster" in text
    assert "| row | seeds | 10 | 100 | 1000 |" in text
    assert cells(text, "one: seconds") == ["one: seconds", "1", "0.141", "0.150", "0.160"]


@pytest.mark.parametrize(("last", "columns"), [(4, "0 | 1 | 2 | 3 | 4"), (30, "0 | 1 | 5 | 10 | 20 | 30")])
def test_few_places_have_a_column_each_and_many_a_choice_of_them(last, columns):
    text = a_page(STUDY, [a_result(x=range(last + 1), miou=[0.5] * (last + 1))])
    assert f"| row | seeds | {columns} | area | gain |" in text


def test_only_places_that_all_rows_have_are_compared():
    results = [a_result(x=range(21), miou=[0.5] * 21), a_result("other", x=(0, 5, 20), miou=[0.5] * 3)]
    assert "| row | seeds | 0 | 5 | 20 | area | gain |" in a_page(STUDY, results)


def test_what_a_person_made_of_the_figures_stays_on_the_page(tmp_path):
    (tmp_path / page.CONCLUSION).write_text("One way is better.\n")
    assert "## What they say\n\nOne way is better.\n" in a_page(STUDY, [a_result(miou=[0.5] * 4)], tmp_path)


def test_a_picture_is_drawn_of_shares_and_of_anything_else(tmp_path):
    study = dataclasses.replace(STUDY, kind="density", curves=("seconds",))
    place = Place(BASE, Path("data"), tmp_path)
    for picture, asked, curves in (("shares", STUDY, ("miou", "seconds")), ("seconds", study, ("seconds",))):
        results = [a_result(x=(0, 10, 100, 1000), **dict.fromkeys(curves, (0.1, 0.2, 0.3, 0.4)))]
        report.draw(asked, results, place.out / f"{picture}.png")
    assert (tmp_path / "shares.png").stat().st_size > (tmp_path / "seconds.png").stat().st_size > 5000


def test_rasters_one_after_the_other_have_no_gain():
    study = dataclasses.replace(STUDY, kind="sequence", length=20)
    text = a_page(study, [a_result(x=(1, 2), miou=(0.5, 0.4), corrected=(0, 0), broken=(0, 0))])
    assert "| row | seeds | 1 | 2 |\n" in text
    assert "each on its own; 20 clicks a raster to learn from" in text


@pytest.mark.parametrize(
    ("curves", "words"),
    [
        (["miou"], "mean IoU, %"),
        (["iou building"], "IoU of building, %"),
        (["miou", "miou without marked pixels"], "mean IoU, %"),
        (["iou water", "iou land"], "IoU, %"),
        (["seconds", "resident GB"], "seconds, resident GB"),
    ],
)
def test_the_unit_is_that_of_all_curves(curves, words):
    assert lines.unit(dataclasses.replace(STUDY, curves=tuple(curves))) == words
