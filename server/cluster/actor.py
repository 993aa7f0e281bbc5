"""What runs on each device of a cluster: the engine, as an actor that Ray starts, and starts again where it dies."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple, Union

import torch

from terrafine.server.cluster.link import ray
from terrafine.server.cluster.maps import Block, MapJob, MapMaker
from terrafine.server.cluster.precedence import Precedence
from terrafine.server.logs import configure
from terrafine.server.process.child import EngineOptions
from terrafine.server.zoo import Zoo
from terrafine.shared.errors import TerrafineError
from terrafine.shared.geo import Window

GROUPS = {"maps": 1, "talk": 2}  # threads beside the one that gives turns


class Refusal(NamedTuple):
    """A TerrafineError, as it travels."""

    code: str
    message: str
    hint: str


class EngineActor:
    """Methods run in the thread of their group; `maps` gives way to turns between two patches."""

    def __init__(self, options: EngineOptions) -> None:
        configure(options.log)
        if options.threads > 0:
            torch.set_num_threads(options.threads)
        self._zoo = Zoo(options.models, options.device, options.saved_models)
        self._maps = MapMaker(self._zoo.device, Precedence())

    @ray.method(concurrency_group="talk")
    def device(self) -> str:
        """What it computes on."""
        return self._zoo.device

    @ray.method(concurrency_group="maps")
    def block(self, job: MapJob, block: Window, finished: Container[Window]) -> Union[Block, Refusal]:
        """As MapMaker does."""
        try:
            return self._maps.block(job, block, finished)
        except TerrafineError as error:
            return Refusal(error.code, error.message, error.hint)
