"""What the trainings of all kinds of networks have in common, and what each must say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from torch import Tensor

from terrafine.models.training.loop import Batch, Network, Task, Values
from terrafine.server.training.configuration import TrainingConfig
from terrafine.shared.errors import ConfigError
from terrafine.shared.spec import ModelSpec

Subject = TypeVar("Subject")


class Course(ABC, Generic[Network, Batch, Subject]):
    """The training that a configuration describes, on the data in `root`.

    panels  what the curves show: what begins with each of these words
    make    the parts of a model's description that decide whether its weights fit
    """

    panels: ClassVar[tuple[str, ...]]
    make: ClassVar[tuple[str, ...]]

    def __init__(self, config: TrainingConfig, root: Path, device: str) -> None:
        self.config, self.root, self.device = config, root, device

    @abstractmethod
    def build(self) -> Network:
        """The network with random weights; raises ConfigError or UnusableModel."""

    @abstractmethod
    def load(self, folder: Path) -> tuple[ModelSpec, Network]:
        """A model of this kind; raises ConfigError, NotFound or UnusableModel."""

    @abstractmethod
    def task(self, network: Network) -> Task[Network, Batch]:
        """What the network is to learn; raises ConfigError where the data are not good for it."""

    @abstractmethod
    def shown(self, batch: Batch) -> Tensor:
        """What the encoder sees of a batch."""

    @abstractmethod
    def subjects(self, patterns: Sequence[str]) -> list[Subject]:
        """What validation looks at, of the images that match."""

    @abstractmethod
    def validated(self, network: Network, subjects: Sequence[Subject]) -> Values:
        """How good it is after several numbers of clicks."""

    def finished(self, network: Network, subjects: Sequence[Subject]) -> tuple[ModelSpec, Values]:
        """The description of the trained model, and what the log says of it."""
        return self.config.spec, {}

    def started(self, start_from: Path) -> Network:
        """With the weights of a model of the same make; raises ConfigError for another."""
        spec, network = self.load(start_from)
        for part in self.make:
            if getattr(spec, part) != getattr(self.config.spec, part):
                raise ConfigError(
                    f"The model in '{start_from}' has another {part}.", "Start from one of the same make."
                )
        return network
