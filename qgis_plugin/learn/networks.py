"""A session's network, as the project remembers it: JSON in a property of the map's layer."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from terrafine.qgis_plugin.requests import Legend, Network
from terrafine.shared import codec
from terrafine.shared.errors import BadRequest
from terrafine.shared.spec import ModelSpec

BUFFERS = "buffers"  # of side information: shapes, and float32 in base 64


def dumps(network: Network) -> str:
    arrays: list[np.ndarray] = []
    values = codec.encode(network, arrays)
    buffers = [(array.shape, base64.b64encode(array.tobytes()).decode()) for array in arrays]
    return json.dumps({**values, BUFFERS: buffers})


def loads(text: str, model: ModelSpec) -> Network:
    """The network in `text`; that of the model as it came where there is none, or none that can be read."""
    try:
        document = codec.parse(text)
        network = codec.decode(Network, document, _arrays(document))
    except (BadRequest, ValueError, TypeError):
        return Network(legend=Legend.of(model))
    fits = len(network.legend.classes) == len(network.legend.becomes) >= len(model.classes)
    return network if fits else Network(legend=Legend.of(model))


def _arrays(document: Any) -> list[np.ndarray]:
    found = document.get(BUFFERS, []) if isinstance(document, dict) else []
    return [np.frombuffer(base64.b64decode(text), np.float32).reshape(shape) for shape, text in found]
