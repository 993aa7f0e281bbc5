"""Tiny studies on made-up data: everything that a study trains, measures, keeps and writes."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest
import torch

from terrafine.models import registry
from terrafine.server.cli import main
from terrafine.server.studies import study
from terrafine.server.studies.run import Place, fitted, run
from terrafine.server.training.configuration import parse, read_document
from terrafine.shared.errors import ConfigError, NotFound
from terrafine.tests.unit.server.toy import MODEL, write_scenes

BASE = (
    MODEL
    + """\
test = ["b*"]

[training]
steps = 2
batch = 2
crop_px = 32
mixed_precision = false
"""
)
STUDY = """
title = "Two ways"
about = "Which is better?"
seeds = 2
length = 3

[all.training]
checkpoint_every = 1

[[rows]]
name = "One way"

[[rows]]
name = "The other"
model = { options = { fusion = "early" } }
annotator = { protocol = "disir" }
"""


def written(path):
    """A folder of three small images with their labels, a configuration and a study."""
    write_scenes(path, ("a1", "b1", "b2"))
    (path / "base.toml").write_text(BASE)
    (path / "ways.toml").write_text(STUDY)
    return path


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path)


def the_study(folder):
    return study.find(str(folder / "ways.toml"))


def place(folder):
    return Place(read_document(folder / "base.toml"), folder, folder / "out")


def silent(words, done, total):
    pass


def finished(folder):
    return list(run(the_study(folder), place(folder), silent))[-1]


def test_every_study_of_the_catalogue_can_be_read():
    for name in study.names():
        found = study.find(name)
        assert found.title
        assert len({row.name for row in found.rows}) == len(found.rows)


def test_each_table_and_figure_of_the_papers_has_its_study():
    disir = {"balancing", "backbones", "encodings", "positions", "sampling", "volume"}
    dial = {"ablation", "acquisition", "acquisition-clicks", "adaptation", "mistakes", "sequence"}
    assert disir | dial | {"fusion", "new-class"} <= set(study.names())
    methods = {"AC", "WTP", "WTP + regularisation", "AC + WTP", "DISCA, λ = 1", "DISCA, λ = 10", "FESTA", "ALCD"}
    assert {row.name for row in study.find("ablation").rows} == methods


def test_every_study_is_in_the_documentations_list():
    page = (Path(__file__).parents[4] / "docs" / "studies" / "README.md").read_text("utf-8")
    assert [name for name in study.names() if f"| `{name}` |" not in page] == []


def test_what_all_rows_share_is_overruled_by_a_row(folder):
    one, other = the_study(folder).rows
    assert one.changes == {"training": {"checkpoint_every": 1}}
    assert other.changes == {"training": {"checkpoint_every": 1}, "model": {"options": {"fusion": "early"}}}
    assert other.annotator.protocol == "disir"


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("title =", "titel =", "titel"),
        ('name = "One way"', 'nom = "One way"', "nom"),
        ("disir", "guess", "guess"),
        ("protocol =", "protokoll =", "protokoll"),
    ],
)
def test_what_is_wrong_with_a_study_is_named(folder, old, new, word):
    (folder / "ways.toml").write_text(STUDY.replace(old, new))
    with pytest.raises(ConfigError, match=word):
        the_study(folder)


def test_a_study_that_nobody_knows_is_refused_with_the_names_there_are():
    with pytest.raises(NotFound) as refusal:
        study.find("astrology")
    assert "fusion" in refusal.value.hint


def test_each_row_is_trained_and_measured_with_each_seed(folder):
    results = finished(folder)
    assert [(result.row, result.seed) for result in results] == [
        ("One way", 1), ("The other", 1), ("One way", 2), ("The other", 2),
    ]  # fmt: skip
    for result in results:
        assert result.images == ["b1", "b2"]
        assert {len(values) for values in result.curves.values()} == {4}


def test_finished_results_are_kept_and_only_the_missing_one_is_made_again(folder):
    finished(folder)
    kept = folder / "out" / "one-way" / "seed1" / "result.json"
    content = json.loads(kept.read_text())
    content["date"] = "long ago"
    kept.write_text(json.dumps(content))
    (folder / "out" / "the-other" / "seed2" / "result.json").unlink()
    worked = set()
    results = list(run(the_study(folder), place(folder), lambda words, done, total: worked.add(words)))[-1]
    assert results[0].date == "long ago"
    assert worked == {"The other, seed 2: clicks"}


def test_a_row_may_have_the_model_of_another_and_a_legend_of_more_classes(folder):
    grown = '[[rows]]\nname = "Grown"\ntrained = "One way"\nlegend = "LEGEND"\n'
    white, green = '"#FFFFFF" }', '{ name = "green", color = "#00FF00" }'
    (folder / "more.toml").write_text((folder / "base.toml").read_text().replace(white, f"{white}, {green}"))
    spec = parse(read_document(folder / "more.toml"), "more").spec
    registry.save(folder / "legend", spec, registry.build(spec))
    (folder / "ways.toml").write_text(STUDY + grown.replace("LEGEND", str(folder / "legend")))
    results = [result for result in finished(folder) if result.row == "Grown"]
    assert [set(result.curves) >= {"iou dark", "iou bright", "iou green"} for result in results] == [True, True]
    assert not (folder / "out" / "grown" / "seed1" / "model").exists()


def test_a_model_may_have_the_number_of_the_seed_in_its_name(folder):
    spec = parse(read_document(folder / "base.toml"), "base").spec
    for seed in (1, 2):
        torch.manual_seed(seed)
        registry.save(folder / f"model{seed}", spec, registry.build(spec))
    path = f'"{folder}/model{{seed}}"'
    (folder / "ways.toml").write_text(STUDY + f'[[rows]]\nname = "Given"\nweights = {path}\nlegend = {path}\n')
    first, second = (result for result in finished(folder) if result.row == "Given")
    assert first.curves["miou"] != second.curves["miou"]


@pytest.fixture
def elsewhere(folder):
    """A finished model of the same number of classes, which are others, and a study of it."""
    spec = parse(read_document(folder / "base.toml"), "base").spec
    renamed = tuple(dataclasses.replace(entry, name=f"sea {entry.id}") for entry in spec.classes)
    spec = dataclasses.replace(spec, classes=renamed)
    registry.save(folder / "elsewhere", spec, registry.build(spec))
    given = f'[[rows]]\nname = "Given"\nweights = "{folder}/elsewhere"\n'
    begins = f'[[rows]]\nname = "From nothing"\nweights = "pixels"\nlegend = "{folder}/elsewhere"\n'
    (folder / "ways.toml").write_text(STUDY + given + begins)
    return folder


def test_data_with_other_classes_than_a_finished_model_has_one_of_its_own_trained(elsewhere):
    first = fitted(the_study(elsewhere), place(elsewhere), "", silent)
    _, _, given, begins = first.rows
    assert given.weights == begins.legend == str(elsewhere / "out" / "own" / "model")
    assert begins.weights == "pixels"
    assert [entry.name for entry in registry.describe(Path(given.weights)).classes] == ["dark", "bright"]
    worked = []
    assert fitted(the_study(elsewhere), place(elsewhere), "", lambda *told: worked.append(told)) == first
    assert worked == []


def test_a_finished_model_is_kept_where_the_data_say_what_their_labels_are_to_it(elsewhere):
    base = read_document(elsewhere / "base.toml")
    base["data"]["means"] = ["sea 0", "sea 1"]
    told = dataclasses.replace(place(elsewhere), base=base)
    assert fitted(the_study(elsewhere), told, "", silent) == the_study(elsewhere)


def test_a_model_that_is_asked_for_has_the_classes_of_the_data(elsewhere):
    with pytest.raises(ConfigError, match="other classes"):
        fitted(the_study(elsewhere), place(elsewhere), str(elsewhere / "elsewhere"), silent)


def test_a_row_by_a_measure_that_its_model_does_not_offer_is_left_out(elsewhere):
    measures = "".join(
        f'[[rows]]\nname = "{name}"\nweights = "{elsewhere}/elsewhere"\nreview = {{ method = "{name}" }}\n'
        for name in ("confidnet", "margin")
    )
    (elsewhere / "ways.toml").write_text(STUDY + measures)
    told = dataclasses.replace(place(elsewhere), base={"data": {}})
    left = fitted(the_study(elsewhere), told, "", silent).rows
    assert [row.name for row in left] == ["One way", "The other", "margin"]


def test_a_row_cannot_have_the_model_of_a_row_that_is_not_there(folder):
    (folder / "ways.toml").write_text(STUDY + '[[rows]]\nname = "Grown"\ntrained = "No way"\n')
    with pytest.raises(ConfigError, match="No way"):
        finished(folder)


def test_results_of_other_settings_are_not_taken_for_these(folder):
    finished(folder)
    (folder / "ways.toml").write_text(STUDY.replace("length = 3", "length = 4"))
    with pytest.raises(ConfigError, match="other settings"):
        finished(folder)


def test_the_command_writes_a_table_curves_and_a_page(folder, capsys):
    words = ["study", str(folder / "ways.toml"), "--on", str(folder / "base.toml"), "--data", str(folder)]
    assert main([*words, "--out", str(folder / "out"), "--seeds", "1", "--device", "cpu"]) == 0
    assert (folder / "out" / "curves.png").stat().st_size > 5000
    text = (folder / "out" / "README.md").read_text()
    assert "| The other | 1 |" in text
    assert f"`terrafine study {folder / 'ways.toml'} --on {folder / 'base.toml'} --seeds 1 --data FOLDER" in text
    with (folder / "out" / "results.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["name"] == "miou"]
    assert len(rows) == 2 * 4


def test_the_command_lists_the_studies(capsys):
    assert main(["study", "--list"]) == 0
    assert "fusion" in capsys.readouterr().out
    assert main(["study"]) == 2
