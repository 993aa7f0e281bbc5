"""The models that a server offers, loaded when they are first asked for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from terrafine.models import registry
from terrafine.models.infer import Predictor
from terrafine.shared.errors import ConfigError
from terrafine.shared.spec import ModelSpec

log = logging.getLogger(__name__)


class Zoo:
    """Models of the zoo and of further folders by name; each is held in memory once, for all sessions."""

    def __init__(self, folders: Sequence[Path] = (), device: str = "") -> None:
        """`device` is torch's name of what computes: "cpu", "cuda", "cuda:1"; by default CUDA where it is to be had.

        Raises ConfigError for a folder or a device that is not there.
        """
        for folder in folders:
            if not folder.is_dir():
                raise ConfigError(f"There is no folder '{folder}' of models.", "Check --models.")
        self.folders = tuple(folders)
        self.device = _device(device)
        self._predictors: dict[str, Predictor] = {}

    def specs(self) -> tuple[ModelSpec, ...]:
        """What there is, by name."""
        return tuple(registry.describe(folder) for _, folder in sorted(registry.zoo(self.folders).items()))

    def predictor(self, name: str) -> Predictor:
        """The model called `name`, ready to run; raises NotFound or UnusableModel."""
        if name not in self._predictors:
            predictor = registry.load_predictor(registry.find(name, self.folders), self.device)
            log.debug("loaded model %s on %s", name, self.device)
            self._predictors[name] = predictor
        return self._predictors[name]


def _device(wanted: str) -> str:
    cuda = ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    present = cuda + ["cpu"] if torch.cuda.is_available() else ["cpu"]
    if wanted and wanted not in present:
        raise ConfigError(f"There is no device '{wanted}' here.", f"There are: {', '.join(present)}.")
    return wanted or present[0]
