from __future__ import annotations

import dataclasses
import json

import pytest

from terrafine.shared import spec
from terrafine.shared.errors import UnusableModel
from terrafine.shared.spec import EncodingSpec, LandCover, ModelSpec, Normalisation

TINY = ModelSpec(
    name="tiny-1",
    title="Tiny",
    architecture="linknet",
    encoder="mobilenet_v2",
    bands=("red", "nir"),
    classes=(LandCover(0, "Wässer", "#0000ff"), LandCover(1, "land", "#00ff00")),
    gsd_m=0.5,
    normalisation=Normalisation((0.4, 0.5), (0.2, 0.3)),
    options={"inject": True, "width": 0.5, "depth": 3, "kind": "x"},
)


def test_a_description_survives_writing_and_reading():
    assert spec.loads(spec.dumps(TINY)) == TINY


def test_names_are_written_as_people_read_them():
    assert "Wässer" in spec.dumps(TINY)


def test_fields_that_have_a_default_may_be_left_out():
    document = spec.to_json(TINY)
    for name in ("encoding", "tile_px", "overlap_px", "temperature", "options"):
        del document[name]
    assert spec.from_json(document) == dataclasses.replace(TINY, options={})


def test_fields_of_a_later_version_are_ignored():
    assert spec.from_json({**spec.to_json(TINY), "mood": "good"}) == TINY


def test_colours_may_be_written_in_capitals():
    assert LandCover(0, "water", "#0000FF").color == "#0000ff"


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": 1}', '{"format": 2}', "NaN", "[" * 100_000])
def test_what_is_no_description_is_an_unusable_model(text):
    with pytest.raises(UnusableModel):
        spec.loads(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../etc"),
        ("name", ""),
        ("bands", []),
        ("bands", "rgb"),
        ("classes", [{"id": 0, "name": "only one", "color": "#000000"}]),
        ("classes", [{"id": 1, "name": "a", "color": "#000000"}, {"id": 2, "name": "b", "color": "#000000"}]),
        ("classes", [{"id": 0, "name": "a", "color": "red"}, {"id": 1, "name": "b", "color": "#000000"}]),
        ("gsd_m", -0.5),
        ("gsd_m", "0.5"),
        ("gsd_m", True),
        ("normalisation", {"mean": [0.5], "std": [0.5, 0.5]}),
        ("normalisation", {"mean": [0.5, 0.5], "std": [0.5, 0]}),
        ("encoding", {"kind": "magic", "radius_px": 8}),
        ("encoding", {"kind": "binary", "radius_px": -1}),
        ("tile_px", 100),
        ("tile_px", 512.0),
        ("overlap_px", 256),
        ("overlap_px", 7),
        ("temperature", 0),
        ("options", {"deep": {"er": 1}}),
    ],
)
def test_a_wrong_value_is_an_unusable_model_that_names_it(field, value):
    with pytest.raises(UnusableModel) as caught:
        spec.loads(json.dumps({**spec.to_json(TINY), field: value}))
    words = {"classes": "class|colour", "normalisation": "mean|std"}.get(field, field)
    assert any(word in caught.value.message for word in words.split("|"))
    assert caught.value.message.count("broken") == 1


def test_a_model_that_makes_no_sense_cannot_be_made_in_code_either():
    with pytest.raises(UnusableModel, match="radius_px"):
        dataclasses.replace(TINY, encoding=EncodingSpec(radius_px=0.0))
