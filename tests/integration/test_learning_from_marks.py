"""An analyst who teaches the model, over real ZeroMQ with a real server process."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest

from terrafine.models import registry
from terrafine.server.rasters.raster_io import Raster
from terrafine.shared import messages as m
from terrafine.shared.annotation import Annotation
from terrafine.shared.client import Client
from terrafine.shared.errors import Cancelled
from terrafine.shared.geo import Window
from terrafine.shared.learning import LearnOptions, RankOptions
from terrafine.shared.patch import Patch
from terrafine.shared.spec import LandCover

QUICK = LearnOptions("decoder", steps=2, rate=0.1)
MARKS = tuple(Annotation(str(i), "point", ((60.5 + 40 * i, 100.5),), i) for i in range(3))


@pytest.fixture
def session(client: Client, raster: Raster) -> str:
    """A session with three marks, at revision 1."""
    name = str(uuid.uuid4())
    client.open_session(name, "tiny", raster.info)
    client.set_annotations(name, MARKS, 1)
    return name


def last(items):
    *_, final = items
    return final


def test_learning_changes_the_map_undo_brings_it_back_and_a_saved_model_keeps_it(
    client: Client, raster: Raster, session: str, mapped, saved: Path
) -> None:
    before = mapped(client, session, raster)
    steps = list(client.learn(session, 1, 2, raster.read, QUICK))
    assert [item.done for item in steps if isinstance(item, m.Progress) and item.stage == "learn"][-1] == 2
    after = mapped(client, session, raster, before, since=1)
    assert (after != before).any()
    name = f"m{uuid.uuid4().hex}"
    assert client.save_model(session, name, "Learnt").name == name
    client.use_weights(session, 2, 3, "")
    np.testing.assert_array_equal(mapped(client, session, raster, after, since=2), before)
    client.open_session("next", name, raster.info)
    client.set_annotations("next", MARKS, 1)
    np.testing.assert_array_equal(mapped(client, "next", raster), after)
    assert "scope decoder" in (saved / name / registry.CARD).read_text("utf-8")


def test_a_new_class_is_marked_and_obeyed(client: Client, raster: Raster, session: str, mapped) -> None:
    (spec,) = [spec for spec in client.models() if spec.name == "tiny"]
    classes = (*spec.classes, LandCover(3, "pools", "#00ffff"))
    assert client.set_legend(session, 1, 2, classes, (0, 1, 2, 3)).changed == raster.info.grid.window
    client.set_annotations(session, (*MARKS, Annotation("pool", "point", ((200.5, 50.5),), 3)), 3)
    assert mapped(client, session, raster)[50, 200] == 3
    client.set_legend(session, 3, 4, classes, (0, 1, 1, -1))
    assert set(np.unique(mapped(client, session, raster))) <= {0, 1}


def test_a_cancelled_lesson_has_changed_nothing(client: Client, raster: Raster, session: str, mapped) -> None:
    before = mapped(client, session, raster)
    steps = client.learn(session, 1, 2, raster.read, LearnOptions("decoder", steps=1000))
    assert next(steps).stage == "learn"
    client.cancel()
    with pytest.raises(Cancelled):
        next(steps)
    opened = client.open_session(session, "tiny", raster.info)
    assert (opened.revision, opened.weights) == (1, "")
    np.testing.assert_array_equal(mapped(client, session, raster), before)


def test_nothing_overtakes_a_lesson_and_what_came_meanwhile_follows(
    client: Client, raster: Raster, session: str, connect, mapped
) -> None:
    mapped(client, session, raster)
    raw = connect()
    raw.ask("learn", m.Learn(session, 1, 2, QUICK))
    raw.ask("look", m.Predict(session, Window(0, 0, 9, 9)))
    raw.ask("mark", m.SetAnnotations(session, MARKS[:1], 3))
    assert isinstance(raw.last_reply("learn"), m.Learnt)
    assert raw.last_reply("mark").revision == 3
    raw.close()


def test_where_to_look_follows_the_marks(client: Client, raster: Raster, session: str) -> None:
    whole, options = raster.info.grid.window, RankOptions(size_px=128)
    first = last(client.rank_patches(session, whole, raster.read, options)).patches
    assert len(first) == 3 * 5
    client.set_annotations(session, (*MARKS, Annotation("d", "point", ((500.5, 200.5),), 1)), 2)
    again = last(client.rank_patches(session, whole, raster.read, options))
    assert again.revision == 2
    changed = {p.window for p in again.patches} - {p.window for p in again.patches if p in first}
    assert Window(384, 128, 128, 128) in changed
    assert Window(0, 0, 128, 128) not in changed


def test_uncertainty_is_a_raster_of_its_own_at_any_time(client: Client, raster: Raster, session: str) -> None:
    items = list(client.measure_uncertainty(session, raster.info.grid.window, raster.read, "entropy", 4))
    patches = [item for item in items if isinstance(item, Patch)]
    assert sum(patch.window.pixels for patch in patches) == 75 * 155
    assert max(patch.array.max() for patch in patches) <= 254
    assert items[-1].seconds["total"] > 0


def test_advice_is_given_after_a_mark(client: Client, raster: Raster, session: str) -> None:
    advised = last(client.advise(session, 0, raster.read))
    assert advised.action in ("mark", "learn")
