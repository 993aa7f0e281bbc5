"""One object over the protocol: found, refined at little cost, the same as training sees it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from terrafine.models import registry
from terrafine.models.data import Augmentation, Scene
from terrafine.models.objects import build
from terrafine.models.objects.finder import ObjectFinder
from terrafine.models.objects.samples import ObjectOptions, ObjectSampler, objects_of
from terrafine.models.objects.view import View
from terrafine.server.dispatch import Dispatcher
from terrafine.server.engine import objects
from terrafine.server.engine.work import Work
from terrafine.server.zoo import Zoo
from terrafine.shared import messages as m
from terrafine.shared.client import Client
from terrafine.shared.errors import BadRequest, UnusableModel
from terrafine.shared.geo import Window, slices
from terrafine.shared.objects import ObjectGuide
from terrafine.shared.patch import Patch
from terrafine.shared.transport import LocalTransport

GUIDE = ObjectGuide((20.0, 30.0, 60.0, 70.0), ((40.0, 50.0),))
UNVARIED = Augmentation(1.0, 0.0, 0.0, 0.0, 0.0)


class Blob(torch.nn.Module):
    """Stands in for a network: the object is within reach of a click inside, and not within reach of one outside."""

    def __init__(self):
        super().__init__()
        self.looked = 0

    def features(self, image, guidance):
        self.looked += 1
        self.seen = image, guidance
        return (image,)

    def decode(self, features, guidance):
        return [guidance[:, 0] - guidance[:, 1] - 0.05]


@pytest.fixture
def finder_spec(spec):
    return dataclasses.replace(
        spec, name="finder", architecture="iog", gsd_m=0.0, overlap_px=0, task="object", options={"fwhm_px": 20.0}
    )


@pytest.fixture
def finder(finder_spec):
    return ObjectFinder(finder_spec, Blob())


@pytest.fixture
def session(make_session, noise):
    return make_session(noise(100, 120))


def found(session, finder, guide):
    return list(objects.find(session, finder, guide, Work()))[-1]


def test_an_object_is_found_around_the_click_and_drawn_around_its_pixels(session, finder):
    answer = found(session, finder, GUIDE)
    mask = np.zeros((100, 120), bool)
    mask[slices(answer.window, Window(0, 0, 120, 100))] = answer.mask
    rows, cols = np.nonzero(mask)
    assert (cols.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((40.0, 50.0), abs=0.5)
    xs, ys = zip(*answer.outline)
    assert (min(xs), max(xs), min(ys), max(ys)) == (cols.min(), cols.max() + 1, rows.min(), rows.max() + 1)
    assert 0.5 < answer.score <= 1.0


def test_a_further_click_runs_the_encoder_no_more_another_box_does(session, finder):
    network = finder._network
    first = found(session, finder, GUIDE)
    refined = found(session, finder, dataclasses.replace(GUIDE, outside=((48.0, 50.0),)))
    assert network.looked == 1
    assert refined.mask.sum() < first.mask.sum()
    found(session, finder, dataclasses.replace(GUIDE, box=(20.0, 30.0, 60.0, 71.0)))
    assert network.looked == 2


def test_new_pixels_are_looked_at_anew(session, finder):
    found(session, finder, GUIDE)
    session.forget()
    found(session, finder, GUIDE)
    assert finder._network.looked == 2


def test_what_was_found_ends_at_the_rasters_rim_and_where_there_is_no_data(make_session, noise, finder):
    valid = np.ones((100, 120), bool)
    valid[:, 5:12] = False
    session = make_session(noise(100, 120), valid)
    answer = found(session, finder, ObjectGuide((-20.0, 30.0, 20.0, 70.0), ((3.0, 50.0),)))
    assert answer.window.col == 0
    assert answer.mask[:, :5].any()
    assert not answer.mask[:, 5:12].any()
    assert max(x for x, _ in answer.outline) == 5


def test_the_outline_is_that_of_the_part_with_the_first_click_without_its_holes():
    mask = np.zeros((12, 20), bool)
    mask[1:5, 1:5] = mask[1:11, 8:18] = True
    mask[4:6, 12:14] = False
    window = Window(100, 50, 20, 12)
    assert set(objects.outline_of(mask, window, (102.5, 52.5), 0.5)) == {(101, 51), (105, 51), (105, 55), (101, 55)}
    assert set(objects.outline_of(mask, window, (0.0, 0.0), 0.5)) == {(108, 51), (118, 51), (118, 61), (108, 61)}
    assert objects.outline_of(np.zeros((12, 20), bool), window, (0.0, 0.0), 0.5) == ()


def test_training_and_serving_show_the_network_the_same(session, finder, noise):
    """The golden test: the trainer's sample of an object and the server's view of it, bit for bit."""
    truth = np.zeros((100, 120), np.uint8)
    truth[35:65, 25:55] = 1
    scene = Scene("s", noise(100, 120), truth)
    (target,) = objects_of([scene], [1], 400)
    options = ObjectOptions(loosest=0.15)
    sampler = ObjectSampler([target], finder.spec, View.of(finder.spec), options, UNVARIED)
    rng = np.random.default_rng(7)
    sample = sampler.draw(rng)
    guide, turn = _guide_of(target, options, np.random.default_rng(7))
    found(session, finder, guide)
    image, guidance = (tensor[0].numpy() for tensor in finder._network.seen)
    np.testing.assert_array_equal(turn(image), sample.image)
    np.testing.assert_array_equal(turn(guidance), sample.guidance)


def _guide_of(target, options, rng):
    """What the sampler draws, draw by draw, and the symmetry that it puts on top."""
    from terrafine.models.data import recolour
    from terrafine.models.objects import clicks

    rng.integers(1)
    box = clicks.loose_box(target.tight_box, rng.uniform(0, options.loosest, 4))
    x, y = clicks.click_inside(target.mask, rng)
    recolour(np.zeros((3, 2, 2), np.float32), UNVARIED, rng)
    which = int(rng.integers(8))

    def turn(values):
        turned = np.rot90(values, which % 4, (-2, -1))
        return turned[..., ::-1] if which >= 4 else turned

    return ObjectGuide(box, ((target.window.col + x, target.window.row + y),)), turn


def test_a_band_that_the_sessions_model_does_not_see_is_refused(session, finder_spec):
    finder = ObjectFinder(dataclasses.replace(finder_spec, bands=("red", "green", "nir")), Blob())
    with pytest.raises(UnusableModel, match="nir"):
        found(session, finder, GUIDE)


def test_a_box_beside_the_raster_is_refused(session, finder):
    with pytest.raises(BadRequest, match="outside the raster"):
        objects.missing_pixels(session, finder, ObjectGuide((200.0, 10.0, 220.0, 30.0)))


# ---- over the protocol ----------------------------------------------------------------------------------------------


@pytest.fixture
def dispatcher(tmp_path, spec, finder_spec):
    torch.manual_seed(0)
    registry.save(tmp_path / "tiny", spec, registry.build(spec))
    registry.save(tmp_path / "finder", finder_spec, build.build(finder_spec))
    dispatcher = Dispatcher(Zoo([tmp_path], "cpu"))
    yield dispatcher
    dispatcher.close()


def test_a_client_sends_the_pixels_around_the_box_and_gets_the_object(dispatcher, noise, info_of):
    image, read = noise(100, 600), []
    client, whole = Client(LocalTransport(dispatcher.handle)), Window(0, 0, 600, 100)
    assert {spec.name: spec.task for spec in client.models()}["finder"] == "object"
    client.open_session("s", "tiny", info_of(image))

    def pixels(window):
        read.append(window)
        rows, cols = slices(window, whole)
        return Patch(window, image[:, rows, cols], np.ones(window.shape, bool))

    *_, answer = client.find_object("s", "finder", GUIDE, pixels)
    assert isinstance(answer, m.ObjectFound)
    assert answer.mask.shape == answer.window.shape
    assert read == [Window(0, 0, 512, 100)]
    assert {"features", "decode", "total"} <= answer.seconds.keys()


def test_a_model_for_maps_finds_no_objects_and_one_for_objects_makes_no_map(dispatcher, noise, info_of):
    client, info = Client(LocalTransport(dispatcher.handle)), info_of(noise(100, 120))
    with pytest.raises(UnusableModel, match="finds single objects"):
        client.open_session("s", "finder", info)
    client.open_session("s", "tiny", info)
    with pytest.raises(UnusableModel, match="does not find single objects"):
        list(client.find_object("s", "tiny", GUIDE, lambda window: None))
