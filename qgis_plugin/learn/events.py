"""Events of learning and of the legend: changes of the network, undone and redone like marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Optional

from terrafine.qgis_plugin.effects import Effect, KeepMap, ShowNetwork, Tell
from terrafine.qgis_plugin.history import Verb
from terrafine.qgis_plugin.language import tr
from terrafine.qgis_plugin.maps.events import WorkEvents
from terrafine.qgis_plugin.requests import REMOVED, Learn, Legend, SaveModel
from terrafine.qgis_plugin.state import WAITED_FOR, Kind, Link
from terrafine.shared.annotation import Annotation
from terrafine.shared.learning import LearnOptions
from terrafine.shared.messages import Learnt
from terrafine.shared.spec import LandCover, ModelSpec

MOST_CLASSES = 255


class LearnEvents(WorkEvents):
    def learn(self, options: LearnOptions) -> list[Effect]:
        """Retrain on the marks. Marks drawn meanwhile are kept, and wait."""
        problem = self._why_not_learn()
        if problem:
            return [problem]
        session = self.session
        now = session.now
        request = Learn(self._next_job(), session.subject, now, session.log.take_revision(), options)
        self.advice = None
        return [*_caution(now.marks), *self._begin(Kind.LEARNING, request)]

    def learnt(self, job: int, learnt: Learnt) -> list[Effect]:
        """The network is another one now: the map follows, what the user sees first."""
        if not self._is_current(job):
            return []
        self.session.lesson, self.session.taught = learnt, len(self.work.now.marks)
        self.work, history = None, self.session.history
        history.become(Verb.LEARN, replace(history.network, weights=learnt.weights), learnt.revision)
        return [KeepMap(), ShowNetwork(), *self.refresh()]

    def reset_learning(self) -> list[Effect]:
        """Go back to the model as it came, as a step that can be undone."""
        if self.session is None or not self.session.history.network.weights:
            return []
        history = self.session.history
        history.become(Verb.RESET, replace(history.network, weights=""), self.session.log.take_revision())
        return [ShowNetwork(), *self.refresh()]

    def weights_lost(self) -> list[Effect]:
        """The server has forgotten what was learnt, after a restart say: go on with the model as it came."""
        self.session.stale = self.session.mapped  # nobody knows any more from which network a change would be
        return [
            *self.reset_learning(),
            Tell(
                tr("The server does not have what was learnt any more; the map is that of the model again."),
                tr("Learn again from your marks. Save as model keeps what was learnt."),
            ),
        ]

    def save_model(self, name: str, title: str) -> list[Effect]:
        """Keep what was learnt as a model of the server's."""
        if self.session is None or self.link is not Link.ONLINE or self._is_waited_for():
            return [Tell(tr("The model cannot be saved now."), tr("Connect to the server, and let its work finish."))]
        session = self.session
        return self._begin(Kind.SAVING, SaveModel(self._next_job(), session.subject, session.now, name, title))

    def model_saved(self, job: int, model: ModelSpec, models: tuple[ModelSpec, ...]) -> list[Effect]:
        if not self._is_current(job):
            return []
        self.work = None
        self.take_models(models)
        words = tr("The model was saved as '{name}'.").format(name=model.name)
        return [Tell(words, warning=False), *self._refresh_if_live()]

    # ---- the legend ------------------------------------------------------------------------------------------------

    def start_with(self, classes: tuple[LandCover, ...]) -> list[Effect]:
        """Begin anew: the next area that is classified has exactly these classes."""
        if self.model is None:
            return [Tell(tr("There is no model to begin with."), tr("Start a local server or connect to one."))]
        effects = self.activate(None)
        self.model, self.own_legend = replace(self.model, classes=classes), True
        return [*effects, *self.choose_class(0)]

    def add_class(self, name: str, color: str) -> list[Effect]:
        """A class that the network does not know yet, which is drawn with from now on."""
        legend = self.session.history.network.legend if self.session else Legend()
        new_id = len(legend.classes)
        if not legend.classes or new_id >= MOST_CLASSES:
            hint = tr("Classify an area first; a legend has at most {most} classes.").format(most=MOST_CLASSES)
            return [Tell(tr("No class can be added."), hint)]
        effects = self._set_legend(Legend((*legend.classes, LandCover(new_id, name, color)), (*legend.becomes, new_id)))
        self.choose_class(new_id)
        return effects

    def edit_class(self, class_id: int, name: str, color: str) -> list[Effect]:
        """Another name or colour."""
        if self.session is None:
            return []
        legend = self.session.history.network.legend
        classes = tuple(LandCover(c.id, name, color) if c.id == class_id else c for c in legend.classes)
        return self._set_legend(replace(legend, classes=classes))

    def merge_class(self, class_id: int, into: int) -> list[Effect]:
        """Show a class, and those that were merged into it before, as another."""
        return self._redirect(class_id, into)

    def remove_class(self, class_id: int) -> list[Effect]:
        """Show the next likely class instead; marks of it do not count while it is gone."""
        return self._redirect(class_id, REMOVED)

    def _redirect(self, class_id: int, target: int) -> list[Effect]:
        if self.session is None or len(self.legend) < 3 or class_id == target:
            return [Tell(tr("A legend needs two classes."), tr("Add another class first."))]
        legend = self.session.history.network.legend
        becomes = tuple(target if was == class_id else was for was in legend.becomes)
        effects = self._set_legend(replace(legend, becomes=becomes))
        self.choose_class(self.class_id)
        return effects

    def _set_legend(self, legend: Legend) -> list[Effect]:
        history = self.session.history
        if legend == history.network.legend:
            return []
        history.become(Verb.LEGEND, replace(history.network, legend=legend), self.session.log.take_revision())
        return [ShowNetwork(), *self._refresh_if_live()]

    def _why_not_learn(self) -> Optional[Tell]:
        if self.session is None or not self.session.log.marks:
            return Tell(tr("There are no marks to learn from."), tr("Mark what is wrong first."))
        if self.link is not Link.ONLINE:
            return Tell(tr("There is no server to learn with."), tr("Start a local server or connect to one."))
        if self._is_waited_for():
            return Tell(tr("The server is at work."), tr("Learn when it is done."))
        return None

    def _is_waited_for(self) -> bool:
        return self.work is not None and self.work.kind in WAITED_FOR


def _caution(marks: Sequence[Annotation]) -> list[Effect]:
    """A network that learns from one class alone tends to see it everywhere (docs/benchmarks.md)."""
    if len({mark.class_id for mark in marks}) > 1:
        return []
    hint = tr("If it does, undo, and mark some places of other classes, too.")
    return [Tell(tr("All marks are of one class: the model may forget the others."), hint)]
