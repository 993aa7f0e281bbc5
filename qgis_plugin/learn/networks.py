"""A session's network, as the project remembers it: JSON in a property of the map's layer."""

from __future__ import annotations

import json

from terrafine.qgis_plugin.requests import Legend, Network
from terrafine.shared import codec
from terrafine.shared.errors import BadRequest
from terrafine.shared.spec import ModelSpec


def dumps(network: Network) -> str:
    return json.dumps(codec.encode(network, []))


def loads(text: str, model: ModelSpec) -> Network:
    """The network in `text`; that of the model as it came where there is none, or none that can be read."""
    try:
        network = codec.decode(Network, codec.parse(text))
    except BadRequest:
        return Network(legend=Legend.of(model))
    fits = len(network.legend.classes) == len(network.legend.becomes) >= len(model.classes)
    return network if fits else Network(legend=Legend.of(model))
