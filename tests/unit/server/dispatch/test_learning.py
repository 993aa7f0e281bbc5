"""Learning, legends, uncertainty and ranking as a client meets them; a real network, untrained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from terrafine.server.dispatch import Dispatcher
from terrafine.server.zoo import Zoo
from terrafine.shared import messages as m
from terrafine.shared.annotation import Annotation, Delta
from terrafine.shared.client import Client
from terrafine.shared.errors import BadRequest, NotFound, RevisionMismatch
from terrafine.shared.geo import Window, slices
from terrafine.shared.learning import LearnOptions, RankOptions
from terrafine.shared.patch import Patch
from terrafine.shared.spec import LandCover
from terrafine.shared.transport import LocalTransport

SIZE = Window(0, 0, 130, 100)
QUICK = LearnOptions("decoder", steps=2, rate=0.3)
MARKS = tuple(Annotation(str(i), "point", ((30.5 + 30 * i, 40.5),), i) for i in range(3))
SOLAR = LandCover(3, "solar panels", "#000080")


@pytest.fixture(scope="module")
def zoo(models, tmp_path_factory) -> Zoo:
    return Zoo([models], "cpu", tmp_path_factory.mktemp("zoo") / "saved")


@pytest.fixture
def dispatcher(zoo: Zoo) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(zoo)
    yield dispatcher
    dispatcher.close()


@pytest.fixture
def image(noise) -> np.ndarray:
    return noise(*SIZE.shape)


@pytest.fixture
def info(image, info_of):
    return info_of(image)


@pytest.fixture
def client(dispatcher, info) -> Client:
    client = Client(LocalTransport(dispatcher.handle))
    client.open_session("s", "tiny", info)
    client.set_annotations("s", MARKS, 1)
    return client


@pytest.fixture
def read(image):
    def read(window: Window) -> Patch:
        rows, cols = slices(window, SIZE)
        return Patch(window, image[:, rows, cols], np.ones(window.shape, bool))

    return read


def painted(client: Client, read, session: str = "s", since: int | None = None, onto=None) -> np.ndarray:
    out = np.full(SIZE.shape, 77, np.uint8) if onto is None else onto.copy()
    for item in client.predict(session, SIZE, read, since):
        if isinstance(item, Patch):
            out[slices(item.window, SIZE)] = item.array[0]
    return out


def last(items):
    *_, final = items
    return final


def test_learning_asks_for_the_pixels_it_lacks_and_only_for_those(dispatcher, client, read) -> None:
    (reply,) = dispatcher.handle(m.Learn("s", 1, 2, QUICK))
    assert reply.windows == (SIZE,)
    learnt = last(client.learn("s", 1, 2, read, QUICK))
    assert (learnt.revision, learnt.changed) == (2, SIZE)
    assert 0.0 <= learnt.right_before <= 1.0


def test_learning_and_its_undo_are_changes_of_the_map(client, read) -> None:
    before = painted(client, read)
    learnt = last(client.learn("s", 1, 2, read, QUICK))
    after = painted(client, read, since=1, onto=before)
    assert (after != before).any()
    assert client.use_weights("s", 2, 3, "").changed == SIZE
    np.testing.assert_array_equal(painted(client, read, since=2, onto=after), before)
    client.use_weights("s", 3, 4, learnt.weights)
    np.testing.assert_array_equal(painted(client, read), after)


def test_a_session_that_is_opened_again_says_what_it_has_learnt(client, read, info) -> None:
    learnt = last(client.learn("s", 1, 2, read, QUICK))
    opened = client.open_session("s", "tiny", info)
    assert (opened.revision, opened.weights) == (2, learnt.weights)


def test_the_administrator_is_told_what_lessons_take_until_their_session_ends(dispatcher, client, read, info) -> None:
    assert dispatcher.sessions.figures()["weights_bytes"] == 0
    last(client.learn("s", 1, 2, read, QUICK))
    client.open_session("t", "tiny", info)
    own = dispatcher.sessions.find("", "s").session.weights.nbytes
    assert dispatcher.sessions.figures()["weights_bytes"] == own > 0
    client.close_session("s")
    assert dispatcher.sessions.figures()["weights_bytes"] == 0


def test_a_saved_model_is_offered_at_once_and_gives_the_map_that_was_learnt(dispatcher, client, read, info) -> None:
    last(client.learn("s", 1, 2, read, QUICK))
    spec = client.save_model("s", "mine", "My own")
    assert spec in client.models()
    assert (spec.name, spec.title) == ("mine", "My own")
    client.open_session("t", "mine", info)
    client.set_annotations("t", MARKS, 1)
    np.testing.assert_array_equal(painted(client, read, "t"), painted(client, read))
    card = (dispatcher.zoo.saved / "mine" / "card.md").read_text("utf-8")
    assert "1. scope decoder, 2 steps at a rate of 0.3, λ = 1, from 3 marks" in card


@pytest.mark.parametrize(
    ("name", "words"), [("tiny", "already"), *((name, "cannot be a model's name") for name in ("../mine", "", "a b"))]
)
def test_a_name_that_no_model_can_have_is_a_bad_request(client, name: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        client.save_model("s", name, "My own")


def test_a_class_is_added_marked_and_learnt(client, read, spec) -> None:
    assert client.set_legend("s", 1, 2, (*spec.classes, SOLAR), (0, 1, 2, 3)).revision == 2
    client.change_annotations("s", Delta(2, 3, (Annotation("new", "point", ((60.5, 80.5),), 3),)))
    last(client.learn("s", 3, 4, read, QUICK))
    assert painted(client, read)[80, 60] == 3
    assert client.save_model("s", "solar", "With solar panels").classes[3] == SOLAR


def test_a_legend_of_ones_own_is_kept_when_the_session_is_opened_again(client, read, info, spec) -> None:
    own = tuple(replace(item, id=index) for index, item in enumerate(reversed(spec.classes)))
    client.open_session("own", "tiny", info, own)
    client.set_annotations("own", MARKS, 5)
    assert client.open_session("own", "tiny", info, own).revision == 5
    client.set_legend("own", 5, 6, (*own, SOLAR), (0, 1, 2, 3))
    assert client.open_session("own", "tiny", info, (*own, SOLAR)).revision == 6
    assert client.open_session("own", "tiny", info).revision == 0  # the model's own legend is another


def test_uncertainty_comes_at_the_raster_or_reduced(client, read) -> None:
    full = [item for item in client.measure_uncertainty("s", SIZE, read) if isinstance(item, Patch)]
    (small,) = [item for item in client.measure_uncertainty("s", SIZE, read, "margin", 50) if isinstance(item, Patch)]
    assert sum(patch.window.pixels for patch in full) == SIZE.pixels
    assert small.window == Window(0, 0, 3, 2)
    assert small.revision == 1


def test_a_reduced_square_needs_the_pixels_of_all_of_it(dispatcher, client) -> None:
    (reply,) = dispatcher.handle(m.MeasureUncertainty("s", Window(0, 0, 1, 1), factor=2))
    assert reply.windows == (SIZE,)


def test_patches_are_ranked_at_the_revision_of_the_marks(client, read) -> None:
    ranked = last(client.rank_patches("s", SIZE, read, RankOptions(size_px=64)))
    assert ranked.revision == 1
    assert len(ranked.patches) == 6
    assert ranked.patches[0].score >= ranked.patches[-1].score > 0


def test_advice_says_what_changed_since_a_revision(dispatcher, client, read) -> None:
    client.change_annotations("s", Delta(1, 2, (Annotation("new", "point", ((60.5, 80.5),), 1),)))
    (missing,) = dispatcher.handle(m.Advise("s", 1))
    assert missing.windows == (SIZE,)
    advised = last(client.advise("s", 1, read))
    assert advised.action in ("mark", "learn")
    assert advised.reason
    assert 0 <= advised.certainty <= 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda client, read: last(client.learn("s", 0, 2, read)), RevisionMismatch),
        (lambda client, read: client.use_weights("s", 1, 2, "never"), NotFound),
        (lambda client, read: last(client.advise("s", 17, read)), NotFound),
        (lambda client, read: client.set_legend("s", 1, 2, (SOLAR,), (0,)), BadRequest),
        (lambda client, read: last(client.measure_uncertainty("s", SIZE, read, "tarot")), BadRequest),
        (lambda client, read: last(client.rank_patches("s", SIZE, read, RankOptions(method="tarot"))), BadRequest),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(client, read, info, change, error: type) -> None:
    with pytest.raises(error):
        change(client, read)
    opened = client.open_session("s", "tiny", info)
    assert (opened.revision, opened.weights) == (1, "")


@pytest.mark.parametrize(
    "message",
    [
        m.MeasureUncertainty("s", SIZE),
        m.RankPatches("s", SIZE),
        m.Advise("s", 1),
        m.Learn("s", 1, 2),
        m.UseWeights("s", 1, 2, ""),
        m.SetLegend("s", 1, 2, (SOLAR,), (0,)),
        m.SaveModel("s", "mine", "Mine"),
    ],
)
def test_the_session_of_one_client_is_not_found_by_another(dispatcher, client, message: m.Message) -> None:
    assert last(dispatcher.handle(message, client="another")).code == NotFound.code
