"""The models that a server offers, loaded when they are first asked for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.shared.spec import ModelSpec

log = logging.getLogger(__name__)


class Zoo:
    """Models of the zoo and of further folders by name; each is held in memory once, for all sessions."""

    def __init__(self, folders: Sequence[Path] = (), device: str = "cpu") -> None:
        self.folders = tuple(folders)
        self.device = device
        self._predictors: dict[str, Predictor] = {}

    def specs(self) -> tuple[ModelSpec, ...]:
        """What there is, by name."""
        return tuple(registry.describe(folder) for _, folder in sorted(registry.zoo(self.folders).items()))

    def predictor(self, name: str) -> Predictor:
        """The model called `name`, ready to run; raises NotFound or UnusableModel."""
        if name not in self._predictors:
            spec, network = registry.load(registry.find(name, self.folders))
            log.debug("loaded model %s on %s", name, self.device)
            self._predictors[name] = Predictor(spec, network, self.device)
        return self._predictors[name]
