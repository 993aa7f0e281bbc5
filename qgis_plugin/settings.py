"""What the plugin remembers between sessions of QGIS: one typed dataclass, kept by QgsSettings under one prefix."""

from __future__ import annotations

from dataclasses import dataclass, fields

from qgis.core import QgsSettings

PREFIX = "terrafine"


@dataclass
class Settings:
    """Every key the plugin stores; the field's name is the key and its default the type.

    address         of the server that was last connected to, "tcp://host:port"
    server_python   Python (or `terrafine` command) that starts a local server; "" to look for one
    models_folder   further models for the local server; "" for none
    model           name of the model that was last used
    area            "view", "layer" or "rectangle"
    stroke_width_px width of new strokes, in raster pixels
    live            refresh the map after each mark
    folder          where marks and maps are kept while a project has not been saved; "" for the user profile
    welcomed        the newcomer's panel has been closed
    folded          the choice of image and model is folded away in the dock
    learn_scope     how much of the model learning may change: one of shared.learning.SCOPES
    base_map_gsd_m  metres per pixel at which XYZ and WMS layers are sampled
    """

    address: str = "tcp://127.0.0.1:5590"
    server_python: str = ""
    models_folder: str = ""
    model: str = ""
    area: str = "view"
    stroke_width_px: float = 5.0
    live: bool = True
    folder: str = ""
    welcomed: bool = False
    folded: bool = False
    learn_scope: str = "head"
    base_map_gsd_m: float = 0.5

    @classmethod
    def load(cls) -> Settings:
        """Read what is stored; a value of the wrong type counts as absent."""
        stored, settings = QgsSettings(), cls()
        for item in fields(cls):
            default = getattr(settings, item.name)
            try:
                value = stored.value(f"{PREFIX}/{item.name}", default, type=type(default))
            except TypeError:
                continue
            setattr(settings, item.name, value)
        return settings

    def save(self) -> None:
        """Store every field."""
        stored = QgsSettings()
        for item in fields(self):
            stored.setValue(f"{PREFIX}/{item.name}", getattr(self, item.name))
