"""Changes of the map that are none of marks: learning from marks, going to weights of before, another legend.

Each is all or nothing: what fails, or is cancelled, has changed nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import Optional, TypeVar, Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrafine.models.encoding.encode import UNMARKED, marked_pixels
from terrafine.models.infer import Predictor
from terrafine.models.learning.grow import as_shown, with_classes
from terrafine.models.learning.learn import Example, Relations, has_scene
from terrafine.models.learning.learn import Learnt as Lesson
from terrafine.models.learning.learn import learn as learnt_from
from terrafine.server.engine import crew
from terrafine.server.engine.engine import missing_for
from terrafine.server.engine.session import Session
from terrafine.server.engine.tile_runner import UNMARKED as NO_MARKS
from terrafine.server.engine.tile_runner import TileRunner
from terrafine.server.engine.weights import Weights, new_name
from terrafine.server.engine.work import Stopped, Work
from terrafine.shared.annotation import Annotation, bounds
from terrafine.shared.errors import BadRequest, UnusableModel
from terrafine.shared.geo import Window, intersection, intersects, slices
from terrafine.shared.learning import LearnOptions
from terrafine.shared.messages import Learnt, Progress
from terrafine.shared.spec import LandCover, ModelSpec

LOOK_UP_S = 0.1
MOST_WINDOWS = 24  # that are learnt from at once; they take some 50 MB each
Report = Callable[[int, int], None]
Result = TypeVar("Result")


def learn(
    session: Session,
    base: int,
    revision: int,
    options: LearnOptions,
    work: Optional[Work] = None,
    relations: Optional[Relations] = None,
) -> Iterator[Union[Progress, Learnt]]:
    """Retrain the session's network on its marks; yields the progress (in steps) and, at the end, Learnt.

    `relations` is one more loss (models/learning/learn.py).

    Raises RevisionMismatch where the change does not start at the session's revision, BadRequest where nothing is
    marked or learning ends in nonsense, Cancelled.
    """
    session.log.check_follows(base, revision)
    work = work if work is not None else Work()
    examples = []
    for tile in windows_of(session):
        examples.append(_example(TileRunner(session, work), tile, options))
        yield Progress(0, options.steps or 1, "learn")  # no step yet, but another request may have its turn
    lesson = yield from _reported(partial(_lesson, session, examples, options, relations), work)
    name, now = new_name(), session.weights.current
    _check_sane(lesson.predictor, now.predictor)
    learnt = Weights(
        name,
        lesson.predictor,
        name if options.scope == "all" else now.encoder,
        (*now.lessons, _described(options, len(session.tile_marks.marks))),
    )
    changed = session.move_on(base, revision, everywhere=True)
    session.weights.use(learnt)
    yield Learnt(revision, name, lesson.right_before, lesson.right_after, changed)


def _lesson(
    session: Session,
    examples: Sequence[Example],
    options: LearnOptions,
    relations: Optional[Relations],
    stopped: Stopped,
    report: Report,
) -> Lesson:
    """What a scene's colours teach is many small sums, over which threads wait longer for each other than they work."""
    call = partial(
        learnt_from, session.predictor, examples, options,
        becomes=session.legend.becomes, relations=relations, stopped=stopped, report=report,
    )  # fmt: skip
    (lesson,) = crew.side_by_side([call], spread=not has_scene(session.predictor, options))
    return lesson


def missing_pixels(session: Session) -> list[Window]:
    """The blocks that `learn` would lack, each once."""
    runner = TileRunner(session, Work())
    return list(dict.fromkeys(block for tile in windows_of(session) for block in missing_for(runner, [tile])))


def windows_of(session: Session) -> list[Window]:
    """The tiles to learn from, those of the newest marks first: together they hold every marked pixel, if there are no
    more than MOST_WINDOWS, and none holds only what others do.
    """
    chosen: list[Window] = []
    for tile in _newest_first(session):
        new = _marked(session, tile) != UNMARKED
        for common in (intersection(other, tile) for other in chosen if intersects(other, tile)):
            new[slices(common, tile)] = False
        if new.any():
            chosen.append(tile)
        if len(chosen) == MOST_WINDOWS:
            break
    return chosen


def use_weights(session: Session, base: int, revision: int, name: str) -> Window:
    """Go to weights that the session had; returns the raster window that may differ.

    Raises NotFound for weights that are not held (any more), RevisionMismatch.
    """
    weights = _grown(session.weights.find(name), session.legend.classes)
    changed = session.move_on(base, revision, everywhere=name != session.weights.current.name)
    session.weights.use(weights)
    return changed


def set_legend(
    session: Session, base: int, revision: int, classes: Sequence[LandCover], becomes: Sequence[int]
) -> Window:
    """Other classes: more, renamed, merged or removed; returns the raster window that may differ.

    Raises BadRequest for a legend that cannot follow the one of now, RevisionMismatch.
    """
    session.log.check_follows(base, revision)
    legend = session.legend.checked_change(classes, becomes)
    weights = _grown(session.weights.current, legend.classes)
    is_other = weights is not session.weights.current or legend.becomes != session.legend.becomes
    changed = session.move_on(base, revision, everywhere=is_other)
    session.weights.use(weights)
    session.legend = legend
    return changed


def with_legend(predictor: Predictor, classes: Sequence[LandCover]) -> Predictor:
    """The network with a legend of the analyst's own: classes that it knows by the same name go on.

    Raises UnusableModel for a legend that makes no sense.
    """
    known = {item.name: item.id for item in predictor.spec.classes}
    return with_classes(predictor, tuple(classes), [known.get(item.name) for item in classes])


def saved(session: Session, name: str, title: str) -> tuple[Predictor, ModelSpec]:
    """What the session's network is saved as: the classes that are shown (see `as_shown`), by their names of now.

    Raises BadRequest for a name that no model can have, UnusableModel where the network cannot leave classes out.
    """
    legend, predictor = session.legend, as_shown(session.predictor, session.legend.becomes)
    classes = tuple(replace(legend.classes[old], id=new) for new, old in enumerate(legend.shown))
    try:
        return predictor, replace(predictor.spec, name=name, title=title, classes=classes)
    except UnusableModel as error:
        raise BadRequest(error.message) from error


def _grown(weights: Weights, classes: tuple[LandCover, ...]) -> Weights:
    """With an output for each class: those that were added since go on from nothing. Names and colours are of now."""
    known, spec = len(weights.predictor.spec.classes), weights.predictor.spec
    try:
        replace(spec, classes=classes)
    except UnusableModel as error:
        raise BadRequest(error.message) from error
    if known == len(classes):
        return weights
    sources = [index if index < known else None for index in range(len(classes))]
    return replace(weights, predictor=with_classes(weights.predictor, classes, sources))


def _newest_first(session: Session) -> list[Window]:
    """The tiles that see marks: those of newer marks first; of one mark, those in whose middle it lies."""
    age = {mark: -index for index, mark in enumerate(session.tile_marks.marks)}

    def order(tile: Window) -> tuple[float, float]:
        newest = session.tile_marks.of(tile)[-1]
        box = bounds(_scaled(newest, session.tiling.scale))
        x, y = box.col + box.width / 2, box.row + box.height / 2
        off = max(abs(x - tile.col - tile.width / 2), abs(y - tile.row - tile.height / 2))
        return age[newest], off

    return sorted(session.tile_marks.tiles, key=lambda tile: (*order(tile), tile))


def _example(runner: TileRunner, tile: Window, options: LearnOptions) -> Example:
    image, valid = runner.image(tile)
    features = None if options.scope == "all" else runner.features(tile)
    marked = np.where(valid, _marked(runner.session, tile), UNMARKED).astype(np.int16)
    return Example(features, image, runner.channels(tile), marked, valid, _logits(runner, tile, options))


def _logits(runner: TileRunner, tile: Window, options: LearnOptions) -> Optional[tuple[Tensor, Tensor]]:
    """What the caches mostly have: the tile's map without and with its marks."""
    if not has_scene(runner.session.predictor, options):
        return None
    unmarked = TileRunner(runner.session, runner.work, NO_MARKS)
    bare, full = (torch.as_tensor(those.tile_logits(tile)) for those in (unmarked, runner))
    return bare, full


def _marked(session: Session, tile: Window) -> NDArray[np.int16]:
    """The class of each marked model pixel, UNMARKED elsewhere."""
    return marked_pixels([_scaled(mark, session.tiling.scale) for mark in session.tile_marks.of(tile)], tile)


def _scaled(mark: Annotation, scale: float) -> Annotation:
    """In model pixels."""
    if scale == 1.0:
        return mark
    vertices = tuple((x * scale, y * scale) for x, y in mark.vertices)
    return replace(mark, vertices=vertices, width_px=mark.width_px * scale)


def _check_sane(learnt: Predictor, before: Predictor) -> None:
    """Too large a rate ends in numbers that are none."""
    known = {parameter.data_ptr() for parameter in before.network.parameters()}
    new = (parameter for parameter in learnt.network.parameters() if parameter.data_ptr() not in known)
    if not all(bool(torch.isfinite(parameter).all()) for parameter in new):
        raise BadRequest("Learning ended in nonsense.", "Learn at a smaller rate.")


def _described(options: LearnOptions, marks: int) -> str:
    """One line for a model's card."""
    steps = f"{options.steps} steps" if options.steps is not None else "as many steps as suit it"
    rate = f" at a rate of {options.rate:g}" if options.rate is not None else ""
    return f"scope {options.scope}, {steps}{rate}, λ = {options.regularisation:g}, from {marks} marks"


def _reported(call: Callable[[Stopped, Report], Result], work: Work) -> Generator[Progress, None, Result]:
    """Run call(stopped, report) in a thread of its own and yield what it reports; it is stopped if nobody listens.

    It goes on from a report once the next one is asked for: in between, another request may have its turn.
    """
    reports: SimpleQueue[Optional[Progress]] = SimpleQueue()
    deserted, wanted = threading.Event(), threading.Semaphore(0)

    def report(done: int, total: int) -> None:
        reports.put(Progress(done, total, "learn"))
        while not (wanted.acquire(timeout=LOOK_UP_S) or deserted.is_set()):
            continue

    with ThreadPoolExecutor(1, "learn") as pool, work.stage("learn"):
        future = pool.submit(call, lambda: work.stopped() or deserted.is_set(), report)
        future.add_done_callback(lambda _: reports.put(None))
        try:
            for progress in iter(reports.get, None):
                yield progress
                wanted.release()
        finally:
            deserted.set()
    return future.result()
