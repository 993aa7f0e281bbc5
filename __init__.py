"""Terrafine: correct a land-cover map by pointing at its mistakes. See README.md and docs/."""

from __future__ import annotations


def classFactory(iface):  # noqa: N802 - QGIS asks for this name
    """Return the plugin; QGIS calls this once when it loads the package `terrafine`."""
    from terrafine.qgis_plugin.plugin import TerrafinePlugin

    return TerrafinePlugin(iface)
