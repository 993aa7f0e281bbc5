"""The models that a server offers, loaded when they are first asked for, and those that analysts save."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import torch

from terrafine.models import registry
from terrafine.models.certainty import confidence
from terrafine.models.infer import Predictor
from terrafine.models.networks import magnet
from terrafine.models.objects.build import load_finder
from terrafine.models.objects.finder import ObjectFinder
from terrafine.shared.errors import BadRequest, ConfigError, OutOfMemory
from terrafine.shared.spec import ModelSpec

log = logging.getLogger(__name__)
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
UNSAFE_NAME = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.*\.", re.IGNORECASE)  # on Windows
DISK_RESERVE_BYTES = 512 << 20  # never fill the last of somebody's disk


class Zoo:
    """Models of the zoo and of further folders by name; each is held in memory once, for all sessions."""

    def __init__(self, folders: Sequence[Path] = (), device: str = "", saved: Optional[Path] = None) -> None:
        """A zoo that is open for `saved`, the folder that models are saved to, too; it need not be there yet.

        device  torch's name of what computes: "cpu", "cuda", "cuda:1"; by default CUDA where it is to be had

        Raises ConfigError for a folder or a device that is not there.
        """
        for folder in folders:
            if not folder.is_dir():
                raise ConfigError(f"There is no folder '{folder}' of models.", "Check --models.")
        self.folders = (*folders, saved) if saved is not None else tuple(folders)
        self.saved = saved
        self.device = _device(device)
        self._predictors: dict[str, Predictor] = {}
        self._digests: dict[str, str] = {}
        self._finders: dict[str, ObjectFinder] = {}

    def specs(self) -> tuple[ModelSpec, ...]:
        """What there is, by name."""
        return tuple(registry.describe(folder) for _, folder in sorted(registry.zoo(self.folders).items()))

    def predictor(self, name: str) -> Predictor:
        """The model called `name`, ready to run; raises NotFound or UnusableModel."""
        if name not in self._predictors:
            folder = registry.find(name, self.folders)
            predictor = registry.load_predictor(folder, self.device)
            predictor.warm_up()
            log.debug("loaded model %s on %s", name, self.device)
            self._predictors[name], self._digests[name] = predictor, registry.digest(folder)
        return self._predictors[name]

    def digest(self, name: str) -> str:
        """What tells the model from another one of that name: registry.digest, of the one in use; raises likewise."""
        self.predictor(name)
        return self._digests[name]

    def finder(self, name: str) -> ObjectFinder:
        """The model called `name`, whose task is to find objects; raises NotFound or UnusableModel."""
        if name not in self._finders:
            self._finders[name] = load_finder(registry.find(name, self.folders), self.device)
        return self._finders[name]

    def save(self, predictor: Predictor, spec: ModelSpec, card: str) -> None:
        """Keep a model as `spec.name`, offered at once. Raises BadRequest for a name that cannot be had."""
        if self.saved is None:
            raise BadRequest("This server does not keep models.", "Start it with --save-models.")
        taken = {name.casefold() for name in registry.zoo(self.folders)}
        if spec.name.casefold() in taken:
            raise BadRequest(f"There is a model '{spec.name}' already.", "Choose another name.")
        save_model(self.saved / spec.name, predictor, spec, card)


def user_models() -> Path:
    """The folder of the user's data that models are saved to by default; it need not be there yet."""
    home = Path.home()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return data / "Terrafine" / "models"


def known_folders(given: Sequence[Path]) -> tuple[Path, ...]:
    """Where a command looks for models beside the zoo: in what was saved, and in the folders that it was `given`."""
    return (*(folder for folder in [user_models()] if folder.is_dir()), *given)


def check_name(name: str) -> None:
    """Raises BadRequest for a name of a model that some system cannot have."""
    if not SAFE_NAME.fullmatch(name) or UNSAFE_NAME.fullmatch(name):
        raise BadRequest(f"'{name}' cannot be a model's name.", "Use letters, digits, '.', '_' and '-'.")


def save_model(folder: Path, predictor: Predictor, spec: ModelSpec, card: str) -> None:
    """Write a model folder, complete or not at all, where none is.

    Raises BadRequest for a name that some system cannot have or that is taken, OutOfMemory where there is no room.
    """
    check_name(folder.name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder.parent).free < DISK_RESERVE_BYTES:
        raise OutOfMemory(f"There is no room left for models in '{folder.parent}'.", "Free some disk space.")
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=folder.parent) as drafts:
        draft = Path(drafts) / folder.name
        registry.save(draft, spec, predictor.network)
        if predictor.confidence is not None:
            confidence.save(draft / registry.CONFIDENCE, predictor.confidence)
        if predictor.refiner is not None:
            magnet.save(draft / registry.REFINER, predictor.refiner)
        (draft / registry.CARD).write_text(card, "utf-8")
        _move(draft, folder)


def _move(draft: Path, folder: Path) -> None:
    """Nothing is ever overwritten: renaming fails where something is."""
    try:
        draft.rename(folder)
    except OSError as error:
        if not folder.exists():
            raise
        raise BadRequest(f"'{folder}' is there already.", "Choose another name.") from error


def _device(wanted: str) -> str:
    cuda = ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    present = cuda + ["cpu"] if torch.cuda.is_available() else ["cpu"]
    if wanted and wanted not in present:
        raise ConfigError(f"There is no device '{wanted}' here.", f"There are: {', '.join(present)}.")
    return wanted or present[0]
